// SPDX-License-Identifier: Apache-2.0
/* The wait alone, with a VM that changes under its eyes; test_cmd_balloon.c has the whole. */
#include "vmm/cli/balloon_wait.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"
#include "tests/unit/unit.h"
#include "vmm/base/clock.h"
#include "vmm/base/size.h"

static struct fake_run r;
static struct balloon_wait wait;
static bool marked; /* the VM was marked */

static int wait_main(int argc, char **argv);
static const struct command probe = {.name = "probe", .main = wait_main};

static int wait_main(int argc, char **argv)
{
	const struct cli_select select = {.name = "one"};
	struct cli_vms v;
	int status;

	(void)argc;
	(void)argv;
	vms_open(&v, &probe, &select);
	balloon_wait(&v, &v.vm[0], &wait);
	marked = v.vm[0].failed;
	status = vms_status(&v);
	vms_close(&v);
	return status;
}

/* The balloon holds `held` and was asked to hold `target`; it moves 16 MiB at a look. */
static void vm(uint64_t held, uint64_t target)
{
	fake_vms[0] = (struct fake_vm){.name = "one",
				       .balloon = true,
				       .driver = true,
				       .ram = GIB,
				       .actual = held,
				       .target = target,
				       .step = 16 * MIB};
	wait = (struct balloon_wait){.target = target, .before = held};
}

static void run(unsigned seconds)
{
	wait.start_ns = clock_now_ns();
	wait.deadline_ns = wait.start_ns + seconds * NSEC_PER_SEC;
	FAKE_RUN(&r, &probe, NULL);
	ck_assert_int_eq(r.status, marked ? 1 : 0);
}

static void fails(unsigned seconds, const char *says)
{
	run(seconds);
	ck_assert(marked);
	ck_assert_str_eq(r.out, "");
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, says), "%s", r.err);
	ck_assert_ptr_eq(strstr(r.err, "aerostat: probe: one: "), r.err);
}

static void says(const char *start)
{
	ck_assert(!marked);
	ck_assert_str_eq(r.err, "");
	ck_assert_msg(fake_lines(r.out, 1) && strstr(r.out, start) == r.out, "%s", r.out);
}

START_TEST(both_ways_end_with_what_moved)
{
	vm(32 * MIB, 96 * MIB);
	run(20);
	says("one: balloon holds 96.0 MiB, 64.0 MiB more in ");
	ck_assert_uint_eq(fake_vms[0].actual, 96 * MIB);
	vm(96 * MIB, 0);
	run(20);
	says("one: balloon holds 0 B, 96.0 MiB less in ");
}
END_TEST

START_TEST(nothing_to_do_is_no_rate)
{
	vm(64 * MIB, 64 * MIB);
	run(20);
	says("one: balloon holds 64.0 MiB\n");
}
END_TEST

/* A deadline in the past is still a look: what is there already is no failure. */
START_TEST(the_deadline_comes_after_the_look)
{
	vm(48 * MIB, 64 * MIB);
	run(0);
	says("one: balloon holds 64.0 MiB, 16.0 MiB more in ");
	vm(16 * MIB, 64 * MIB);
	fails(0, "not there after 0 s: inflating, holds 32.0 MiB of 64.0 MiB");
	ck_assert_uint_eq(fake_vms[0].actual, 32 * MIB);
}
END_TEST

START_TEST(a_driver_that_goes_ends_it)
{
	vm(16 * MIB, 64 * MIB);
	fake_vms[0].driver = false;
	fails(20, "the guest's balloon driver went away; holds 32.0 MiB of 64.0 MiB");
	vm(16 * MIB, 64 * MIB);
	fake_vms[0].needs_reset = true;
	fails(20, "broke the protocol; holds 32.0 MiB of 64.0 MiB");
	/* An answer without a balloon, as from another version. */
	vm(16 * MIB, 64 * MIB);
	fake_vms[0].balloon = false;
	fails(20, "driver went away; holds 0 B of 64.0 MiB");
}
END_TEST

START_TEST(another_target_ends_it)
{
	vm(16 * MIB, 64 * MIB);
	fake_vms[0].target = 48 * MIB;
	fails(20, "the target became 48.0 MiB instead of 64.0 MiB");
}
END_TEST

START_TEST(a_guest_that_keeps_the_balloon_is_given_up)
{
	uint64_t start_ns = clock_now_ns();

	vm(64 * MIB, 0);
	fake_vms[0].step = 0;
	fake_vms[0].stall_at = 64 * MIB;
	fails(40, "stalled: holds 64.0 MiB of 0 B; the guest does not take its memory back");
	/* Not at the first look: a busy guest stalls now and then. */
	ck_assert_uint_ge(clock_now_ns() - start_ns, 5 * NSEC_PER_SEC);
	ck_assert_uint_le(clock_now_ns() - start_ns, 30 * NSEC_PER_SEC);
}
END_TEST

UNIT_MAIN("balloon_wait", both_ways_end_with_what_moved, nothing_to_do_is_no_rate,
	  the_deadline_comes_after_the_look, a_driver_that_goes_ends_it, another_target_ends_it,
	  a_guest_that_keeps_the_balloon_is_given_up)
