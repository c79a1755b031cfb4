// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/options_table.h"

static struct sample got;
static struct err err;

static const struct opt *row(const char *name)
{
	for (unsigned i = 0; i < sample_table.count; i++) {
		if (!strcmp(sample_rows[i].name, name))
			return &sample_rows[i];
	}
	ck_abort_msg("no row %s", name);
	return NULL;
}

static int value(const char *name, const char *text)
{
	return options_value(row(name), "--x", text, &got, &err);
}

/* Refused, the message has the label, and the struct is as it was. */
static void refused(const char *name, const char *text, const char *says)
{
	struct sample before = got;

	ck_assert_msg(value(name, text) == -EINVAL, "%s '%s'", name, text);
	ck_assert_msg(!strncmp(err.msg, "--x: ", 5) && strstr(err.msg, says), "%s", err.msg);
	ck_assert_int_eq(memcmp(&before, &got, sizeof(got)), 0);
}

START_TEST(numbers)
{
	static const char *const bad[] = {
		"",   "-3",  "+3",  "3 ",	  " 3",
		"x3", "0x3", "3.0", "4294967296", "18446744073709551619"};

	ck_assert_int_eq(value("count", "2"), 0);
	ck_assert_uint_eq(got.count, 2);
	ck_assert_int_eq(value("count", "4294967295"), 0);
	ck_assert_uint_eq(got.count, UINT32_MAX);
	ck_assert_int_eq(value("count", "0012"), 0);
	ck_assert_uint_eq(got.count, 12);
	ck_assert_uint_eq(got.after_count, 0);
	refused("count", "1", "give a number from 2 to 4294967295");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused("count", bad[i], "a number from 2");
}
END_TEST

START_TEST(sizes)
{
	ck_assert_int_eq(value("size", "512"), 0);
	ck_assert_uint_eq(got.size, 512 * MIB);
	ck_assert_int_eq(value("size", "1M"), 0);
	ck_assert_uint_eq(got.size, MIB);
	ck_assert_int_eq(value("size", "3G"), 0);
	ck_assert_uint_eq(got.size, 3 * GIB);
	refused("size", "1023K", "a size such as 512M or 2G, at least 1M, at most 3G");
	refused("size", "3073", "(a bare number is MiB)");
	refused("size", "", "a size");
	refused("size", "-1", "a size");
	refused("size", "99999999999999999999T", "a size");
}
END_TEST

START_TEST(switches_and_choices)
{
	ck_assert_int_eq(value("power", "on"), 0);
	ck_assert(got.power);
	ck_assert_int_eq(value("power", "off"), 0);
	ck_assert(!got.power);
	refused("power", "yes", "give on or off");
	refused("power", "", "on or off");
	ck_assert_int_eq(value("colour", "blue"), 0);
	ck_assert_int_eq(got.colour, BLUE);
	ck_assert_int_eq(value("colour", "red"), 0);
	ck_assert_int_eq(got.colour, RED);
	refused("colour", "blu", "give red, green or blue");
	refused("colour", "", "red, green or blue");
}
END_TEST

START_TEST(texts_fit_or_are_refused)
{
	got.after_label = 'Z';
	ck_assert_int_eq(value("label", "12345678"), 0);
	ck_assert_str_eq(got.label, "12345678");
	ck_assert_int_eq(got.after_label, 'Z');
	refused("label", "123456789", "LABEL of at most 8 characters");
	ck_assert_int_eq(value("label", ""), 0);
	ck_assert_str_eq(got.label, "");
}
END_TEST

START_TEST(key_lists)
{
	ck_assert_int_eq(value("pump", "much=2G,fast=on,wait=9"), 0);
	ck_assert_uint_eq(got.pump.much, 2 * GIB);
	ck_assert(got.pump.fast);
	ck_assert_uint_eq(got.pump.wait, 9);
	ck_assert_int_eq(value("pump", "much=7"), 0);
	ck_assert_uint_eq(got.pump.much, 7 * MIB);
	ck_assert(got.pump.fast);
	refused("pump", "",
		"a comma-separated list of KEY=VALUE; the keys are much, fast, wait");
	refused("pump", "much", "--x: much needs a value: a size such as");
	refused("pump", "fast=on,wait", "--x: wait needs a value: a number from 0 to 9");
	refused("pump", "slow", "'slow' is not accepted; give a comma-separated list");
	refused("pump", "slow=on", "'slow' is not accepted");
	refused("pump", "=on", "the keys are much");
	refused("pump", "much=7,", "the keys are much");
	refused("pump", ",much=7", "the keys are much");
	refused("pump", "wait=10",
		"--x: wait: '10' is not accepted; give a number from 0 to 9");
	refused("pump", "wait=", "wait: '' is not accepted");
	refused("pump", "wait=1=2", "wait: '1=2'");
}
END_TEST

/* As in key_lists, but the first item may be the value of `much` alone. */
START_TEST(a_key_whose_name_may_be_left_out)
{
	struct opt o = *row("pump");
	char buf[OPTIONS_ACCEPTS];

	o.bare = "much";
	ck_assert_int_eq(options_value(&o, "--x", "2G", &got, &err), 0);
	ck_assert_uint_eq(got.pump.much, 2 * GIB);
	ck_assert_int_eq(options_value(&o, "--x", "3,fast=on,wait=2", &got, &err), 0);
	ck_assert_uint_eq(got.pump.much, 3 * MIB);
	ck_assert(got.pump.fast && got.pump.wait == 2);
	ck_assert_int_eq(options_value(&o, "--x", "much=4", &got, &err), 0);
	ck_assert_uint_eq(got.pump.much, 4 * MIB);
	ck_assert_int_eq(options_value(&o, "--x", "", &got, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "--x: '' is not accepted; give a size such as 512M or 2G (a "
				  "bare number is MiB)");
	ck_assert_int_eq(options_value(&o, "--x", "fast=on,3", &got, &err), -EINVAL);
	ck_assert_int_eq(options_value(&o, "--x", "3,4", &got, &err), -EINVAL);
	ck_assert_int_eq(options_value(&o, "--x", "3,much=4", &got, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "--x: 'much' is given twice; give each key once");
	ck_assert_str_eq(options_accepts(&o, buf), "SIZE, or a comma-separated list of "
						   "KEY=VALUE; the keys are much, fast, wait");
}
END_TEST

START_TEST(a_key_counts_once_in_a_list)
{
	ck_assert_int_eq(value("pump", "wait=1,wait=1"), -EINVAL);
	ck_assert_str_eq(err.msg, "--x: 'wait' is given twice; give each key once");
}
END_TEST

START_TEST(long_texts_are_cut_in_messages)
{
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	refused("count", text, "a number from 2 to 4294967295");
	refused("pump", text, ", wait");
	memcpy(text, "much=", 5);
	refused("pump", text, ", wait");
}
END_TEST

START_TEST(labels)
{
	char buf[OPTIONS_LABEL];

	ck_assert_str_eq(options_label(row("count"), buf), "-c/--count");
	ck_assert_str_eq(options_label(row("colour"), buf), "--colour");
}
END_TEST

START_TEST(limits_are_told_in_the_largest_exact_unit)
{
	struct opt o = {.type = OPT_SIZE, .unit = 1, .min = 1536 * MIB, .max = 4097};
	char buf[OPTIONS_ACCEPTS];

	ck_assert_str_eq(options_accepts(&o, buf),
			 "a size such as 512M or 2G, at least 1536M, at most 4097B");
}
END_TEST

UNIT_MAIN("options_value", numbers, sizes, switches_and_choices, texts_fit_or_are_refused,
	  key_lists, a_key_whose_name_may_be_left_out, a_key_counts_once_in_a_list,
	  long_texts_are_cut_in_messages, labels, limits_are_told_in_the_largest_exact_unit)
