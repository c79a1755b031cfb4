// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"

static struct fake_run r;

static void one_vm(void)
{
	fake_vms[0] = (struct fake_vm){.name = "one", .closes = true};
}

START_TEST(the_power_button_is_pressed_and_the_end_awaited)
{
	one_vm();
	FAKE_RUN(&r, &cmd_stop, "-n", "one");
	ck_assert_int_eq(r.status, 0);
	ck_assert_uint_eq(fake_vms[0].powerdowns, 1);
	ck_assert_uint_eq(fake_vms[0].quits, 0);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(force_quits)
{
	one_vm();
	fake_vms[0].closes = false;
	fake_vms[0].paused = true;
	FAKE_RUN(&r, &cmd_stop, "-n", "one", "--force");
	ck_assert_int_eq(r.status, 0);
	ck_assert_uint_eq(fake_vms[0].powerdowns, 0);
	ck_assert_uint_eq(fake_vms[0].quits, 1);
}
END_TEST

START_TEST(a_guest_that_does_not_listen_runs_on)
{
	one_vm();
	fake_vms[0].closes = false;
	FAKE_RUN(&r, &cmd_stop, "-n", "one", "--timeout", "1");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err,
			 "aerostat: stop: one: still running after 1 s; --force ends it at "
			 "once\n");
	ck_assert_uint_eq(fake_vms[0].quits, 0);
}
END_TEST

/* A press that comes before the guest's button driver is lost. */
START_TEST(the_button_is_pressed_again_after_a_while)
{
	one_vm();
	fake_vms[0].closes = false;
	FAKE_RUN(&r, &cmd_stop, "-n", "one", "--timeout", "6");
	ck_assert_int_eq(r.status, 1);
	ck_assert_uint_eq(fake_vms[0].powerdowns, 2);
}
END_TEST

START_TEST(a_paused_guest_is_not_waited_for)
{
	one_vm();
	fake_vms[0].paused = true;
	FAKE_RUN(&r, &cmd_stop, "-n", "one");
	ck_assert_int_eq(r.status, 1);
	ck_assert(fake_lines(r.err, 1));
	ck_assert_ptr_nonnull(strstr(r.err, "one: is paused"));
	ck_assert_uint_eq(fake_vms[0].powerdowns, 0);
}
END_TEST

START_TEST(all_are_asked_before_any_is_waited_for)
{
	one_vm();
	fake_vms[0].closes = false;
	fake_vms[1] = (struct fake_vm){.name = "two", .closes = true};
	FAKE_RUN(&r, &cmd_stop, "--all", "--timeout", "1");
	ck_assert_int_eq(r.status, 1);
	ck_assert(fake_lines(r.err, 1));
	ck_assert_uint_eq(fake_vms[0].powerdowns, 1);
	ck_assert_uint_eq(fake_vms[1].powerdowns, 1);
}
END_TEST

UNIT_MAIN("cmd_stop", the_power_button_is_pressed_and_the_end_awaited, force_quits,
	  a_guest_that_does_not_listen_runs_on, the_button_is_pressed_again_after_a_while,
	  a_paused_guest_is_not_waited_for, all_are_asked_before_any_is_waited_for)
