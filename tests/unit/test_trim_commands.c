// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "tests/unit/qmp_fixture.h"
#include "tests/unit/unit.h"
#include "vmm/ctl/commands.h"

#define TRIM_IS(seq, state)                                                                    \
	"{\"seq\": " seq ", \"state\": \"" state "\", \"reason\": \"\", \"blocks\": 0, "       \
	"\"hinted_bytes\": 0, \"discarded_bytes\": 0, \"ballooned_bytes\": 0, "                \
	"\"failed_bytes\": 0, \"kept_bytes\": 0, \"pauses\": 0, \"pause_us\": 0, "             \
	"\"pause_max_us\": 0, \"elapsed_ms\": 0}"

START_TEST(test_a_trim_begins_and_is_seen)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	assert_return(&f, "x-aerostat-query-trim", "{}", TRIM_IS("0", "none"));
	assert_return(&f, "x-aerostat-trim", "{}", "{\"seq\": 1}");
	ck_assert_int_eq(f.m.trim.state, TRIM_ARMING);
	assert_return(&f, "x-aerostat-query-trim", "{}", TRIM_IS("1", "arming"));
	f.m.trim.state = TRIM_DONE;
	f.m.trim.hinted = 4096;
	f.m.trim.pause_max_ns = 1234567;
	assert_return(&f, "x-aerostat-query-trim", "{}",
		      "{\"seq\": 1, \"state\": \"done\", \"reason\": \"\", \"blocks\": 0, "
		      "\"hinted_bytes\": 4096, \"discarded_bytes\": 0, \"ballooned_bytes\": 0, "
		      "\"failed_bytes\": 0, \"kept_bytes\": 0, \"pauses\": 0, \"pause_us\": 0, "
		      "\"pause_max_us\": 1234, \"elapsed_ms\": 0}");
	assert_return(&f, "x-aerostat-trim", "{}", "{\"seq\": 2}");
}
END_TEST

START_TEST(test_failures_have_their_class)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	assert_return(&f, "x-aerostat-trim", "{}", "{\"seq\": 1}");
	assert_fails(&f, "x-aerostat-trim", "{}", "GenericError", "a trim is under way");
	ck_assert_uint_eq(f.m.trim.seq, 1);
	f.m.trim_rc = -EPERM;
	assert_fails(&f, "x-aerostat-trim", "{}", "GenericError", "the fake says no");
	/* Whatever the machine calls it: this one's words are stable. */
	f.m.trim_rc = -ENOTCONN;
	assert_fails(&f, "x-aerostat-trim", "{}", "DeviceNotActive", BALLOON_NO_DRIVER);
	f.m.trim_rc = 0;
	f.m.cfg.balloon.enabled = false;
	assert_fails(&f, "x-aerostat-trim", "{}", "DeviceNotActive", "'vm' has no balloon");
	assert_fails(&f, "x-aerostat-trim-cancel", "{}", "DeviceNotActive",
		     "'vm' has no balloon");
	assert_fails(&f, "x-aerostat-query-trim", "{}", "DeviceNotActive",
		     "'vm' has no balloon");
	ck_assert_int_eq(f.m.trim.state, TRIM_ARMING);
}
END_TEST

START_TEST(test_cancel)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	assert_fails(&f, "x-aerostat-trim-cancel", "{}", "GenericError",
		     "no trim is under way");
	assert_return(&f, "x-aerostat-trim", "{}", "{\"seq\": 1}");
	assert_return(&f, "x-aerostat-trim-cancel", "{}", "{}");
	ck_assert_int_eq(f.m.trim.state, TRIM_CANCELLED);
	assert_fails(&f, "x-aerostat-trim-cancel", "{}", "GenericError",
		     "no trim is under way");
	assert_fails(&f, "x-aerostat-trim-cancel", "{\"seq\": 1}", "GenericError",
		     "no trim is under way");
}
END_TEST

START_TEST(test_cancel_only_that_one)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	f.m.trim.seq = 6;
	assert_return(&f, "x-aerostat-trim", "{}", "{\"seq\": 7}");
	assert_fails(&f, "x-aerostat-trim-cancel", "{\"seq\": 6}", "GenericError",
		     "trim 6 is not under way");
	assert_fails(&f, "x-aerostat-trim-cancel", "{\"seq\": 9223372036854775807}",
		     "GenericError", "is not under way");
	assert_fails(&f, "x-aerostat-trim-cancel", "{\"seq\": 0}", "GenericError", "'seq'");
	assert_fails(&f, "x-aerostat-trim-cancel", "{\"seq\": \"7\"}", "GenericError", "'seq'");
	ck_assert_int_eq(f.m.trim.state, TRIM_ARMING);
	assert_return(&f, "x-aerostat-trim-cancel", "{\"seq\": 7}", "{}");
	ck_assert_int_eq(f.m.trim.state, TRIM_CANCELLED);
}
END_TEST

UNIT_MAIN("trim_commands", test_a_trim_begins_and_is_seen, test_failures_have_their_class,
	  test_cancel, test_cancel_only_that_one)
