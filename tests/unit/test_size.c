// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/size.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static const struct {
	const char *text;
	uint64_t bytes;
} good[] = {
	{"0", 0},
	{"512", 512 * MIB},
	{"512M", 512 * MIB},
	{"1G", GIB},
	{"1g", GIB},
	{"64KiB", 64 * KIB},
	{"64kB", 64 * KIB},
	{"7B", 7},
	{"7b", 7},
	{"2T", 2 * TIB},
	{"2TiB", 2 * TIB},
	{"1.5G", GIB + GIB / 2},
	{"1.5", MIB + MIB / 2},
	{"0.25K", 256},
	{"1.000000000G", GIB},
	{"1.0B", 1},
	{"007K", 7 * KIB},
	{"0.001K", 1},
	{"16777215T", 16777215 * TIB},
	{"18446744073709551615B", UINT64_MAX},
};

static const struct {
	const char *text;
	int rc;
} bad[] = {
	{"", -EINVAL},
	{" 1", -EINVAL},
	{"1 ", -EINVAL},
	{"-1", -EINVAL},
	{"+1", -EINVAL},
	{"M", -EINVAL},
	{".5G", -EINVAL},
	{"1.G", -EINVAL},
	{"1.", -EINVAL},
	{"1.5B", -EINVAL},
	{"1X", -EINVAL},
	{"1MM", -EINVAL},
	{"1Mi", -EINVAL},
	{"1MiBx", -EINVAL},
	{"1BB", -EINVAL},
	{"1BiB", -EINVAL},
	{"0x10", -EINVAL},
	{"1e3", -EINVAL},
	{"1,5G", -EINVAL},
	{"1.5.5G", -EINVAL},
	{"16777216T", -ERANGE},
	{"18446744073709551616B", -ERANGE},
	{"99999999999999999999999", -ERANGE},
	{"17592186044416", -ERANGE},
};

START_TEST(test_parse_good)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t v = 42;

		ck_assert_msg(size_parse(good[i].text, MIB, &v) == 0 && v == good[i].bytes,
			      "\"%s\" gave %llu", good[i].text, (unsigned long long)v);
	}
}
END_TEST

START_TEST(test_parse_bad)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t v = 42;
		int rc = size_parse(bad[i].text, MIB, &v);

		ck_assert_msg(rc == bad[i].rc, "\"%s\" gave %d", bad[i].text, rc);
		ck_assert_uint_eq(v, 42);
	}
}
END_TEST

START_TEST(test_default_unit)
{
	uint64_t v;

	ck_assert_int_eq(size_parse("4096", 1, &v), 0);
	ck_assert_uint_eq(v, 4096);
	ck_assert_int_eq(size_parse("4096K", 1, &v), 0);
	ck_assert_uint_eq(v, 4 * MIB);
	ck_assert_int_eq(size_parse("1.5", 1, &v), -EINVAL);
}
END_TEST

START_TEST(test_format)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} t[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{512 * MIB, "512.0 MiB"},
		{GIB + GIB / 2, "1.5 GiB"},
		{3 * TIB, "3.0 TiB"},
		{GIB - 1, "1.0 GiB"},
		{MIB - 1, "1.0 MiB"},
		{1023 * MIB + 900 * KIB, "1023.9 MiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char out[SIZE_TEXT];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ck_assert_ptr_eq(size_format(t[i].bytes, out), out);
		ck_assert_str_eq(out, t[i].text);
	}
}
END_TEST

UNIT_MAIN("size", test_parse_good, test_parse_bad, test_default_unit, test_format)
