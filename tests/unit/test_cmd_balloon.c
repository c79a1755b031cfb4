// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"
#include "vmm/base/size.h"

static struct fake_run r;

static void one_vm(void)
{
	fake_vms[0] = (struct fake_vm){.name = "one",
				       .balloon = true,
				       .driver = true,
				       .ram = 256 * MIB,
				       .step = 16 * MIB};
}

static void usage(const char *names)
{
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "");
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, names), "%s", r.err);
}

START_TEST(usage_errors_name_the_option)
{
	one_vm();
	FAKE_RUN(&r, &cmd_balloon, "-i", "5");
	usage("--name");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--all", "-i", "5");
	usage("--all");
	FAKE_RUN(&r, &cmd_balloon, "-n", "../one", "-i", "5");
	usage("--name");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-i", "5", "-d", "5");
	usage("--inflate and --deflate");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-i", "5", "--target", "5");
	usage("--inflate and --target");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-i", "-5");
	usage("-i/--inflate");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-w");
	usage("--wait");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--audit", "-w");
	usage("--wait");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--audit", "-d", "5");
	usage("--deflate and --audit");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--trim", "-i", "5");
	usage("--inflate and --trim");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--trim", "--audit");
	usage("--trim and --audit");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--trim=5");
	usage("--trim takes no value");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-i", "5", "-w", "--timeout", "0");
	usage("--timeout");
	ck_assert_uint_eq(fake_vms[0].target, 0);
	ck_assert_uint_eq(fake_vms[0].trims, 0);
}
END_TEST

START_TEST(actions_are_relative_or_absolute_in_mib)
{
	one_vm();
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-i", "100");
	ck_assert_int_eq(r.status, 0);
	ck_assert_uint_eq(fake_vms[0].target, 100 * MIB);
	ck_assert_str_eq(r.out, "one: asked to hold 100.0 MiB\n");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-d", "40M");
	ck_assert_uint_eq(fake_vms[0].target, 60 * MIB);
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--target", "8K");
	ck_assert_uint_eq(fake_vms[0].target, 8 * KIB);
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(wait_ends_when_reached)
{
	one_vm();
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-i", "64", "--wait");
	ck_assert_int_eq(r.status, 0);
	ck_assert_uint_eq(fake_vms[0].actual, 64 * MIB);
	ck_assert_msg(strstr(r.out, "one: balloon holds 64.0 MiB, 64.0 MiB more in ") == r.out,
		      "%s", r.out);
	ck_assert(fake_lines(r.out, 1));
	/* No terminal: no progress line. */
	ck_assert_str_eq(r.err, "");
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--target", "32", "--wait");
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_nonnull(strstr(r.out, "holds 32.0 MiB, 32.0 MiB less in "));
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--target", "32", "--wait");
	ck_assert_str_eq(r.out, "one: balloon holds 32.0 MiB\n");
}
END_TEST

static void wait_fails(const char *timeout, const char *says)
{
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "-i", "128", "--wait", "--timeout", timeout);
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.out, "");
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, says), "%s", r.err);
}

START_TEST(wait_tells_how_far_it_came)
{
	one_vm();
	fake_vms[0].stall_at = 48 * MIB;
	wait_fails("1", "not there after 1 s: stalled, holds 48.0 MiB of 128.0 MiB");
	one_vm();
	fake_vms[0].stall_at = 48 * MIB;
	wait_fails("30", "stalled: holds 48.0 MiB of 128.0 MiB; the guest has no more to give");
	one_vm();
	fake_vms[0].step = 4096;
	wait_fails("1", "not there after 1 s: inflating, holds ");
	one_vm();
	fake_vms[0].other_target = 12 * MIB;
	wait_fails("1", "the target became 12.0 MiB instead of 128.0 MiB");
	one_vm();
	fake_vms[0].needs_reset = true;
	wait_fails("1", "broke the protocol");
}
END_TEST

START_TEST(what_cannot_work_fails_at_once)
{
	one_vm();
	fake_vms[0].driver = false;
	wait_fails("1", "one: the guest has no balloon driver");
	one_vm();
	fake_vms[0].balloon = false;
	wait_fails("1", "one: the VM has no balloon; start it with --balloon");
	FAKE_RUN(&r, &cmd_balloon, "-n", "two", "-i", "1");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "aerostat: balloon: no VM named 'two'\n");
}
END_TEST

START_TEST(one_bad_vm_does_not_keep_others_from_it)
{
	one_vm();
	fake_vms[1] = fake_vms[0];
	fake_vms[1].name = "three";
	fake_vms[2] = fake_vms[0];
	fake_vms[2].name = "two";
	fake_vms[0].driver = false;
	FAKE_RUN(&r, &cmd_balloon, "--all", "-i", "32", "--wait");
	ck_assert_int_eq(r.status, 1);
	ck_assert(fake_lines(r.err, 1));
	ck_assert(fake_lines(r.out, 2));
	ck_assert_uint_eq(fake_vms[1].actual, 32 * MIB);
	ck_assert_uint_eq(fake_vms[2].actual, 32 * MIB);
}
END_TEST

START_TEST(without_an_action_it_shows)
{
	one_vm();
	fake_vms[0].target = 16 * MIB;
	FAKE_RUN(&r, &cmd_balloon, "-n", "one");
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.out, "one: reached, holds 16.0 MiB of 16.0 MiB asked for\n");
	fake_vms[0].driver = false;
	FAKE_RUN(&r, &cmd_balloon, "-n", "one");
	ck_assert_str_eq(r.out, "one: no driver, 16.0 MiB asked for\n");
}
END_TEST

START_TEST(an_audit_fails_when_memory_is_in_use)
{
	one_vm();
	fake_vms[0].actual = fake_vms[0].target = 64 * MIB;
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--audit");
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.out, "one: 64.0 MiB went to the host, none of it is in use again\n");
	fake_vms[1] = fake_vms[0];
	fake_vms[1].name = "two";
	fake_vms[0].cheated = 3 * MIB;
	FAKE_RUN(&r, &cmd_balloon, "--all", "--audit");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "aerostat: balloon: one: 3.0 MiB of the 64.0 MiB that went to "
				"the host are in use again\n");
	ck_assert_str_eq(r.out, "two: 64.0 MiB went to the host, none of it is in use again\n");
	ck_assert_uint_eq(fake_vms[0].targets, 0);
}
END_TEST

START_TEST(a_trim_is_begun_and_left)
{
	one_vm();
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--trim");
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.out, "one: trimming\n");
	ck_assert_str_eq(r.err, "");
	ck_assert_uint_eq(fake_vms[0].trims, 1);
	ck_assert_uint_eq(fake_vms[0].looks, 0);
	ck_assert_uint_eq(fake_vms[0].targets, 0);
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--trim");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, "aerostat: balloon: one: a trim is under way\n");
	ck_assert_uint_eq(fake_vms[0].cancels, 0);
}
END_TEST

START_TEST(a_trim_is_waited_for)
{
	one_vm();
	fake_vms[0].free = 100 * MIB;
	fake_vms[0].trim_seq = 41;
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--trim", "--wait");
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.out, "one: 99.0 MiB of 100.0 MiB free went to the host in 3.2 s; "
				"12 pauses, the longest 4.1 ms\n");
	ck_assert_str_eq(r.err, "");
	one_vm();
	fake_vms[0].trim_sticks = "hinting";
	FAKE_RUN(&r, &cmd_balloon, "-n", "one", "--trim", "--wait", "--timeout", "1");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.out, "");
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, "after 1 s, so the trim was "
							    "cancelled"),
		      "%s", r.err);
	ck_assert_uint_eq(fake_vms[0].cancels, 1);
}
END_TEST

/* All have begun before the first is waited for. */
START_TEST(all_guests_trim_at_the_same_time)
{
	one_vm();
	fake_vms[0].free = 10 * MIB;
	fake_vms[1] = fake_vms[2] = fake_vms[0];
	fake_vms[0].trim_end = "failed";
	fake_vms[0].trim_why = "it rained";
	fake_vms[1].name = "three";
	fake_vms[1].driver = false;
	fake_vms[2].name = "two";
	FAKE_RUN(&r, &cmd_balloon, "--all", "--trim", "--wait");
	ck_assert_int_eq(r.status, 1);
	/* One that didn't begin is said before one that was waited for. */
	ck_assert_str_eq(r.err,
			 "aerostat: balloon: three: the guest has no balloon driver\n"
			 "aerostat: balloon: one: the trim failed: it rained; 0 B of 10.0 MiB "
			 "free went to the host\n");
	ck_assert_ptr_eq(strstr(r.out, "two: 9.0 MiB of 10.0 MiB free went to the host"),
			 r.out);
	ck_assert(fake_lines(r.out, 1));
}
END_TEST

UNIT_MAIN("cmd_balloon", usage_errors_name_the_option, actions_are_relative_or_absolute_in_mib,
	  wait_ends_when_reached, wait_tells_how_far_it_came, what_cannot_work_fails_at_once,
	  one_bad_vm_does_not_keep_others_from_it, without_an_action_it_shows,
	  an_audit_fails_when_memory_is_in_use, a_trim_is_begun_and_left, a_trim_is_waited_for,
	  all_guests_trim_at_the_same_time)
