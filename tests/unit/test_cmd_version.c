// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"

static struct fake_run r;

START_TEST(one_line_with_the_version_of_the_build)
{
	FAKE_RUN(&r, &cmd_version, NULL);
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.out, "aerostat " AEROSTAT_VERSION "\n");
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(it_takes_no_words)
{
	FAKE_RUN(&r, &cmd_version, "run");
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "");
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, "'run'"), "%s", r.err);
	FAKE_RUN(&r, &cmd_version, "--json");
	ck_assert_int_eq(r.status, 2);
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, "--json"), "%s", r.err);
}
END_TEST

UNIT_MAIN("cmd_version", one_line_with_the_version_of_the_build, it_takes_no_words)
