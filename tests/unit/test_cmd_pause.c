// SPDX-License-Identifier: Apache-2.0
/* Which VMs are meant is test_vms.c's business; here, what they are told. */
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"

static struct fake_run r;

static void told(unsigned stops, unsigned conts)
{
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, "");
	ck_assert_uint_eq(fake_vms[0].stops, stops);
	ck_assert_uint_eq(fake_vms[0].conts, conts);
	ck_assert_uint_eq(fake_vms[0].powerdowns, 0);
	ck_assert_uint_eq(fake_vms[0].quits, 0);
	ck_assert_uint_eq(fake_vms[0].targets, 0);
}

START_TEST(one_word_each)
{
	fake_vms[0] = (struct fake_vm){.name = "one"};
	FAKE_RUN(&r, &cmd_pause, "-n", "one");
	told(1, 0);
	FAKE_RUN(&r, &cmd_resume, "-n", "one");
	told(1, 1);
}
END_TEST

/* The VM knows whether there is anything to do; nobody asks it first. */
START_TEST(a_paused_one_is_told_all_the_same)
{
	fake_vms[0] = (struct fake_vm){.name = "one", .paused = true};
	FAKE_RUN(&r, &cmd_pause, "--all");
	told(1, 0);
	FAKE_RUN(&r, &cmd_resume, "--all");
	told(1, 1);
}
END_TEST

static void usage(const struct command *c)
{
	FAKE_RUN(&r, c, NULL);
	ck_assert_int_eq(r.status, 2);
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, c->name) &&
			      strstr(r.err, "-n/--name"),
		      "%s", r.err);
	FAKE_RUN(&r, c, "one");
	ck_assert_int_eq(r.status, 2);
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, "'one'"), "%s", r.err);
	FAKE_RUN(&r, c, "-n", "two");
	ck_assert_int_eq(r.status, 1);
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, "no VM named 'two'"), "%s", r.err);
	ck_assert_uint_eq(fake_vms[0].stops + fake_vms[0].conts, 0);
}

START_TEST(no_vm_is_told_by_mistake)
{
	fake_vms[0] = (struct fake_vm){.name = "one"};
	usage(&cmd_pause);
	usage(&cmd_resume);
}
END_TEST

UNIT_MAIN("cmd_pause", one_word_each, a_paused_one_is_told_all_the_same,
	  no_vm_is_told_by_mistake)
