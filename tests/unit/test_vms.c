// SPDX-License-Identifier: Apache-2.0
/* The choice of VMs, seen through pause and resume, which do nothing else. */
#include "tests/unit/unit.h"

#include <errno.h>

#include "tests/unit/fake_ctl.h"
#include "vmm/base/clock.h"
#include "vmm/cli/vms.h"

static struct fake_run r;

static void three_vms(void)
{
	fake_vms[0] = (struct fake_vm){.name = "one"};
	fake_vms[1] = (struct fake_vm){.name = "three"};
	fake_vms[2] = (struct fake_vm){.name = "two"};
}

START_TEST(by_name_it_is_one)
{
	three_vms();
	FAKE_RUN(&r, &cmd_pause, "-n", "two");
	ck_assert_int_eq(r.status, 0);
	ck_assert_uint_eq(fake_vms[0].stops, 0);
	ck_assert_uint_eq(fake_vms[2].stops, 1);
	FAKE_RUN(&r, &cmd_resume, "--name=two");
	ck_assert_uint_eq(fake_vms[2].conts, 1);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(all_are_all)
{
	three_vms();
	FAKE_RUN(&r, &cmd_pause, "-a");
	ck_assert_int_eq(r.status, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(fake_vms[i].stops, 1);
}
END_TEST

START_TEST(no_vms_are_no_error_for_all)
{
	FAKE_RUN(&r, &cmd_pause, "--all");
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(the_dead_are_left_out_of_all)
{
	three_vms();
	fake_vms[1].connect_rc = -ECONNREFUSED;
	FAKE_RUN(&r, &cmd_pause, "--all");
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.err, "");
	ck_assert_uint_eq(fake_vms[2].stops, 1);
	FAKE_RUN(&r, &cmd_pause, "-n", "three");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "aerostat: pause: VM 'three' cannot be reached\n");
}
END_TEST

START_TEST(one_that_hangs_is_told_and_passed_over)
{
	three_vms();
	fake_vms[0].connect_rc = -ETIMEDOUT;
	FAKE_RUN(&r, &cmd_pause, "--all");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "aerostat: pause: VM 'one' cannot be reached\n");
	ck_assert_uint_eq(fake_vms[1].stops, 1);
	ck_assert_uint_eq(fake_vms[2].stops, 1);
}
END_TEST

START_TEST(the_choice_must_be_clear)
{
	three_vms();
	FAKE_RUN(&r, &cmd_pause, NULL);
	ck_assert_int_eq(r.status, 2);
	FAKE_RUN(&r, &cmd_pause, "-a", "-n", "one");
	ck_assert_int_eq(r.status, 2);
	FAKE_RUN(&r, &cmd_pause, "-n", "");
	ck_assert_int_eq(r.status, 2);
	FAKE_RUN(&r, &cmd_pause, "one");
	ck_assert_int_eq(r.status, 2);
	ck_assert(fake_lines(r.err, 1));
	ck_assert_uint_eq(fake_vms[0].stops, 0);
}
END_TEST

static uint64_t pause_after(uint64_t took_ms)
{
	uint64_t now = clock_now_ns();

	vms_poll_pause(now - took_ms * NSEC_PER_MSEC);
	return (clock_now_ns() - now) / NSEC_PER_MSEC;
}

START_TEST(looks_take_little_of_a_vms_time)
{
	ck_assert_uint_ge(pause_after(0), 20);
	ck_assert_uint_ge(pause_after(40), 200);
}
END_TEST

UNIT_MAIN("vms", by_name_it_is_one, all_are_all, no_vms_are_no_error_for_all,
	  the_dead_are_left_out_of_all, one_that_hangs_is_told_and_passed_over,
	  the_choice_must_be_clear, looks_take_little_of_a_vms_time)
