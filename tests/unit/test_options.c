// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/options_table.h"

static struct sample got;
static struct options_found found;
static struct err err;

static int parse_words(const struct opt_table *t, const char *const *words)
{
	int n = 0;

	while (words[n])
		n++;
	memset(&got, 0, sizeof(got));
	err.msg[0] = '\0';
	return options_parse(t, n, (char *const *)words, &got, &found, &err);
}

#define PARSE(...) parse_words(&sample_table, (const char *const[]){__VA_ARGS__, NULL})
#define OK(...)	   ck_assert_msg(!PARSE(__VA_ARGS__), "%s", err.msg)
#define FAILS(says, ...)                                                                       \
	do {                                                                                   \
		ck_assert_int_eq(PARSE(__VA_ARGS__), -EINVAL);                                 \
		ck_assert_msg(strstr(err.msg, says) != NULL, "%s", err.msg);                   \
	} while (0)

START_TEST(values_come_in_four_spellings)
{
	OK("--count", "5");
	ck_assert_uint_eq(got.count, 5);
	OK("--count=6");
	ck_assert_uint_eq(got.count, 6);
	OK("-c", "7");
	ck_assert_uint_eq(got.count, 7);
	OK("-c8");
	ck_assert_uint_eq(got.count, 8);
	ck_assert_uint_eq(got.after_count, 0);
}
END_TEST

START_TEST(flags_cluster_and_may_end_in_a_value)
{
	OK("-vq");
	ck_assert(got.verbose && got.quiet);
	OK("-vfname");
	ck_assert(got.verbose && !got.quiet);
	ck_assert_str_eq(got.file, "name");
	OK("-qf", "name", "-v");
	ck_assert(got.verbose && got.quiet);
	ck_assert_str_eq(got.file, "name");
	OK("--verbose");
	ck_assert(got.verbose);
	FAILS("takes no value", "--verbose=yes");
	FAILS("-v/--verbose", "--verbose=");
}
END_TEST

START_TEST(a_value_may_look_like_an_option)
{
	OK("-f", "-v");
	ck_assert_str_eq(got.file, "-v");
	ck_assert(!got.verbose);
	OK("--file=", "-v");
	ck_assert_str_eq(got.file, "");
	ck_assert(got.verbose);
	OK("--file=a=b");
	ck_assert_str_eq(got.file, "a=b");
}
END_TEST

START_TEST(a_missing_value_is_told_with_what_is_accepted)
{
	FAILS("-c/--count needs a value: a number from 2 to 4294967295", "--count");
	FAILS("-c/--count needs a value", "-v", "-c");
	FAILS("--colour needs a value: red, green or blue", "--colour");
}
END_TEST

START_TEST(the_last_of_repeated_options_counts)
{
	OK("-c5", "--count=6", "-c", "7");
	ck_assert_uint_eq(got.count, 7);
	OK("--pump=much=1,wait=3", "--pump=wait=4", "--pump");
	ck_assert_uint_eq(got.pump.much, MIB);
	ck_assert_uint_eq(got.pump.wait, 4);
}
END_TEST

START_TEST(optional_values_are_attached_or_absent)
{
	OK("--every", "-v");
	ck_assert(options_given(&sample_table, &found, "every"));
	ck_assert_uint_eq(got.every, 0);
	ck_assert(got.verbose);
	OK("--every=5");
	ck_assert_uint_eq(got.every, 5);
	OK("-e5");
	ck_assert_uint_eq(got.every, 5);
	OK("-e");
	ck_assert(options_given(&sample_table, &found, "every"));
	FAILS("--every=N", "--every", "5");
	FAILS("--pump=KEY=VALUE", "--pump", "much=1");
	FAILS("-e/--every: '' is not accepted", "--every=");
}
END_TEST

START_TEST(given_tells_what_was_there)
{
	OK("-c5", "--pump");
	ck_assert(options_given(&sample_table, &found, "count"));
	ck_assert(options_given(&sample_table, &found, "pump"));
	ck_assert(!options_given(&sample_table, &found, "verbose"));
	OK("-v");
	ck_assert(!options_given(&sample_table, &found, "count"));
}
END_TEST

START_TEST(operands)
{
	const struct opt_table with = {
		.rows = sample_rows, .count = sample_table.count, .operand = "WORD"};
	const char *const one[] = {"-v", "word", "-q", NULL};
	const char *const two[] = {"word", "more", NULL};
	const char *const dashes[] = {"-v", "--", "-q", NULL};
	const char *const dash[] = {"-", NULL};

	FAILS("unexpected argument 'word'", "word");
	FAILS("unexpected argument '-'", "-");
	FAILS("unexpected argument '-v'", "--", "-v");
	OK("--");
	ck_assert_int_eq(parse_words(&with, one), 0);
	ck_assert_str_eq(found.operand, "word");
	ck_assert(got.verbose && got.quiet);
	ck_assert_int_eq(parse_words(&with, dashes), 0);
	ck_assert_str_eq(found.operand, "-q");
	ck_assert(!got.quiet);
	ck_assert_int_eq(parse_words(&with, dash), 0);
	ck_assert_str_eq(found.operand, "-");
	ck_assert_int_eq(parse_words(&with, two), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "'more'"));
}
END_TEST

START_TEST(help_ends_the_parse)
{
	OK("-c5", "--help", "--nonsense");
	ck_assert(found.help);
	ck_assert_uint_eq(got.count, 5);
	OK("-h", "--nonsense");
	ck_assert(found.help);
	OK("-vh");
	ck_assert(found.help && got.verbose);
	OK("-v");
	ck_assert(!found.help);
}
END_TEST

START_TEST(unknown_options_get_a_hint)
{
	FAILS("unknown option '--cuont'; did you mean '--count'?", "--cuont=5");
	FAILS("did you mean '--help'?", "--hepl");
	FAILS("unknown option '--zzzzzz'; see --help", "--zzzzzz");
	FAILS("unknown option '--coun'", "--coun", "5");
	FAILS("unknown option '-z'", "-vz");
	FAILS("unknown option '--'", "--=5");
}
END_TEST

START_TEST(nothing_given_is_fine)
{
	ck_assert_int_eq(options_parse(&sample_table, 0, NULL, &got, &found, &err), 0);
	ck_assert_uint_eq(found.seen, 0);
	ck_assert_ptr_null(found.operand);
}
END_TEST

UNIT_MAIN("options", values_come_in_four_spellings, flags_cluster_and_may_end_in_a_value,
	  a_value_may_look_like_an_option, a_missing_value_is_told_with_what_is_accepted,
	  the_last_of_repeated_options_counts, optional_values_are_attached_or_absent,
	  given_tells_what_was_there, operands, help_ends_the_parse, unknown_options_get_a_hint,
	  nothing_given_is_fine)
