// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/statistics.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"
#include "tests/unit/unit.h"
#include "vmm/base/clock.h"

static struct fake_run r;
static unsigned timeout_ms;
static bool came, marked;
static uint64_t took_ms;

static int refresh_main(int argc, char **argv);
static const struct command probe = {.name = "probe", .main = refresh_main};

static int refresh_main(int argc, char **argv)
{
	const struct cli_select select = {.name = "one"};
	uint64_t start_ns = clock_now_ns();
	struct cli_vms v;
	int status;

	(void)argc;
	(void)argv;
	vms_open(&v, &probe, &select);
	came = statistics_refresh(&v, &v.vm[0], timeout_ms);
	marked = v.vm[0].failed;
	took_ms = (clock_now_ns() - start_ns) / NSEC_PER_MSEC;
	status = vms_status(&v);
	vms_close(&v);
	return status;
}

static void run(unsigned ms, unsigned answers_late, uint64_t seq)
{
	fake_vms[0] = (struct fake_vm){.name = "one",
				       .balloon = true,
				       .driver = true,
				       .answers_late = answers_late,
				       .seq = seq};
	timeout_ms = ms;
	FAKE_RUN(&r, &probe, NULL);
	ck_assert_int_eq(r.status, marked ? 1 : 0);
	ck_assert_str_eq(r.out, "");
}

/* The first answer tells what there was; only a later number is fresh. */
START_TEST(a_new_number_is_awaited)
{
	run(20000, 0, 0);
	ck_assert(came && !marked);
	ck_assert_uint_eq(fake_vms[0].statistics, 2);
	run(20000, 0, 41);
	ck_assert(came && !marked);
	ck_assert_uint_eq(fake_vms[0].statistics, 2);
	run(20000, 10, 41);
	ck_assert(came && !marked);
	ck_assert_uint_eq(fake_vms[0].statistics, 12);
	ck_assert_str_eq(r.err, "");
}
END_TEST

START_TEST(a_guest_that_does_not_answer_is_no_error)
{
	run(200, 1000000, 41);
	ck_assert(!came && !marked);
	ck_assert_str_eq(r.err, "");
	ck_assert_uint_ge(took_ms, 200);
	ck_assert_uint_le(took_ms, 10000);
	ck_assert_uint_ge(fake_vms[0].statistics, 2);
	/* It is polled with pauses. */
	ck_assert_uint_le(fake_vms[0].statistics, 2 + 200 / 5);
}
END_TEST

START_TEST(without_time_it_looks_once_more)
{
	run(0, 1000000, 41);
	ck_assert(!came && !marked);
	ck_assert_uint_eq(fake_vms[0].statistics, 2);
}
END_TEST

START_TEST(one_that_cannot_be_asked_is_said)
{
	fake_vms[0] = (struct fake_vm){.name = "one", .balloon = true};
	timeout_ms = 20000;
	FAKE_RUN(&r, &probe, NULL);
	ck_assert(!came && marked);
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "aerostat: probe: one: the guest has no balloon driver\n");
	ck_assert_uint_le(took_ms, 10000);
}
END_TEST

UNIT_MAIN("statistics", a_new_number_is_awaited, a_guest_that_does_not_answer_is_no_error,
	  without_time_it_looks_once_more, one_that_cannot_be_asked_is_said)
