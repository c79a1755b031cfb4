// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/kvm_guest.h"
#include "tests/unit/tiny_kernel.h"
#include "tests/unit/unit.h"

#define SECONDS(n) ((n)*1000)

/* mov dx, 600h; mov al, 34h; out dx, al; again: jmp again -- S5 in the sleep control register
 */
static const uint8_t power_off[] = {0x66, 0xba, 0x00, 0x06, 0xb0, 0x34, 0xee, 0xeb, 0xfe};

/* mov dx, 602h; mov al, 1; out dx, al; lidt [0]; int 3 -- a reset, and a fault right behind it
 */
static const uint8_t reset_then_fault[] = {0x66, 0xba, 0x02, 0x06, 0xb0, 0x01, 0xee, 0x0f,
					   0x01, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xcc};

/* lidt [0]; int 3 */
static const uint8_t fault[] = {0x0f, 0x01, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xcc};

/* again: mov al, 0; out 80h, al; jmp again */
static const uint8_t idle[] = {0xb0, 0x00, 0xe6, 0x80, 0xeb, 0xfa};

START_TEST(power_off_ends_with_status_0)
{
	struct tiny_machine t;

	tiny_create(&t, 1, false, power_off, sizeof(power_off));
	ck_assert_int_eq(machine_state(t.m), MACHINE_CREATED);
	ck_assert_int_eq(machine_start(t.m, NULL), 0);
	ck_assert(tiny_run(&t, SECONDS(20)));
	ck_assert_int_eq(machine_exit_status(t.m), MACHINE_EXIT_OK);
	ck_assert_uint_eq(t.events[MACHINE_EV_SHUTDOWN], 1);
	ck_assert_str_eq(machine_report(t.m), "");
	ck_assert_int_eq(machine_pause(t.m), -ESHUTDOWN);
	ck_assert_int_eq(machine_resume(t.m), -ESHUTDOWN);
	ck_assert_int_eq(machine_powerdown(t.m), -ESHUTDOWN);
	tiny_destroy(&t);
}
END_TEST

START_TEST(reset_restarts_and_wins_over_the_fault_behind_it)
{
	struct tiny_machine t;
	struct machine_info info;

	tiny_create(&t, 1, true, reset_then_fault, sizeof(reset_then_fault));
	ck_assert_int_eq(machine_start(t.m, NULL), 0);
	for (int i = 0; i < 200 && t.events[MACHINE_EV_RESET] < 5; i++)
		ck_assert(!tiny_run(&t, 100));
	ck_assert_uint_ge(t.events[MACHINE_EV_RESET], 5);
	machine_query(t.m, &info);
	ck_assert_int_eq(info.state, MACHINE_RUNNING);
	ck_assert_uint_eq(info.resets, t.events[MACHINE_EV_RESET]);
	ck_assert_uint_ge(info.exits, info.resets);
	machine_quit(t.m);
	ck_assert_int_eq(machine_state(t.m), MACHINE_ENDED);
	ck_assert_uint_eq(t.events[MACHINE_EV_QUIT], 1);
	tiny_destroy(&t);
}
END_TEST

START_TEST(a_fault_ends_with_a_report_and_a_status_of_its_own)
{
	struct tiny_machine t;

	tiny_create(&t, 1, false, fault, sizeof(fault));
	ck_assert_int_eq(machine_start(t.m, NULL), 0);
	ck_assert(tiny_run(&t, SECONDS(20)));
	/* A KVM that emulates guest kernel mode may fail on the instruction itself. */
	ck_assert(machine_exit_status(t.m) == MACHINE_EXIT_TRIPLE_FAULT ||
		  machine_exit_status(t.m) == MACHINE_EXIT_KVM);
	ck_assert_uint_eq(t.events[MACHINE_EV_CRASH], 1);
	ck_assert_uint_eq(t.events[MACHINE_EV_SHUTDOWN], 0);
	ck_assert_ptr_nonnull(strstr(machine_report(t.m), "rip"));
	tiny_destroy(&t);
}
END_TEST

START_TEST(pause_and_resume_are_idempotent_and_told)
{
	struct tiny_machine t;
	struct machine_info a, b;

	tiny_create(&t, 2, false, idle, sizeof(idle));
	ck_assert_int_eq(machine_start(t.m, NULL), 0);
	ck_assert(!tiny_run(&t, 100));
	ck_assert_int_eq(machine_pause(t.m), 0);
	ck_assert_int_eq(machine_pause(t.m), 0);
	ck_assert_uint_eq(t.events[MACHINE_EV_STOP], 1);
	machine_query(t.m, &a);
	ck_assert_int_eq(a.state, MACHINE_PAUSED);
	ck_assert(!tiny_run(&t, 50));
	machine_query(t.m, &b);
	ck_assert_uint_eq(a.exits, b.exits);
	ck_assert_int_eq(machine_resume(t.m), 0);
	ck_assert_int_eq(machine_resume(t.m), 0);
	ck_assert_uint_eq(t.events[MACHINE_EV_RESUME], 1);
	ck_assert(!tiny_run(&t, 100));
	machine_query(t.m, &b);
	ck_assert_uint_gt(b.exits, a.exits);
	tiny_destroy(&t);
}
END_TEST

START_TEST(what_the_guest_wished_before_a_pause_happens_after_it)
{
	struct tiny_machine t;

	tiny_create(&t, 1, false, power_off, sizeof(power_off));
	ck_assert_int_eq(machine_start(t.m, NULL), 0);
	/* Long enough to reach the port, and the loop isn't running to hear of it. */
	usleep(300000);
	ck_assert_int_eq(machine_pause(t.m), 0);
	ck_assert(!tiny_run(&t, 50));
	ck_assert_int_eq(machine_state(t.m), MACHINE_PAUSED);
	ck_assert_int_eq(machine_resume(t.m), 0);
	ck_assert(tiny_run(&t, SECONDS(20)));
	ck_assert_int_eq(machine_exit_status(t.m), MACHINE_EXIT_OK);
	tiny_destroy(&t);
}
END_TEST

UNIT_MAIN_KVM("lifecycle", power_off_ends_with_status_0,
	      reset_restarts_and_wins_over_the_fault_behind_it,
	      a_fault_ends_with_a_report_and_a_status_of_its_own,
	      pause_and_resume_are_idempotent_and_told,
	      what_the_guest_wished_before_a_pause_happens_after_it)
