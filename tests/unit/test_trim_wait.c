// SPDX-License-Identifier: Apache-2.0
/* The wait alone; test_cmd_balloon.c has the whole. */
#include "vmm/cli/trim_wait.h"

#include <pty.h>
#include <string.h>

#include "tests/unit/fake_ctl.h"
#include "tests/unit/unit.h"
#include "vmm/base/clock.h"
#include "vmm/base/size.h"

static struct fake_run r;
static struct trim_wait wait;
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
	trim_wait(&v, &v.vm[0], &wait);
	marked = v.vm[0].failed;
	status = vms_status(&v);
	vms_close(&v);
	return status;
}

/* A guest with 312 MiB free, whose seventh trim has begun. */
static void vm(void)
{
	fake_vms[0] = (struct fake_vm){.name = "one",
				       .balloon = true,
				       .driver = true,
				       .free = 312 * MIB,
				       .trim_seq = 7,
				       .trim_state = "arming"};
	wait = (struct trim_wait){.seq = 7};
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

START_TEST(it_ends_with_a_line_that_sums_up)
{
	uint64_t start_ns = clock_now_ns();

	vm();
	run(20);
	ck_assert(!marked);
	ck_assert_str_eq(r.out, "one: 311.0 MiB of 312.0 MiB free went to the host in 3.2 s; "
				"12 pauses, the longest 4.1 ms\n");
	/* No terminal: no progress line. */
	ck_assert_str_eq(r.err, "");
	ck_assert_uint_eq(fake_vms[0].looks, 5);
	ck_assert_uint_eq(fake_vms[0].cancels, 0);
	/* And not as fast as it can. */
	ck_assert_uint_ge(clock_now_ns() - start_ns, 80 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(what_the_kernel_refused_is_told)
{
	vm();
	fake_vms[0].refused = 2 * MIB;
	run(20);
	ck_assert_str_eq(r.out, "one: 309.0 MiB of 312.0 MiB free went to the host in 3.2 s; "
				"12 pauses, the longest 4.1 ms; the host's kernel refused "
				"2.0 MiB\n");
}
END_TEST

START_TEST(a_failure_has_its_reason)
{
	vm();
	fake_vms[0].trim_end = "failed";
	fake_vms[0].trim_why = "it rained";
	fails(20, "the trim failed: it rained; 0 B of 312.0 MiB free went to the host\n");
	ck_assert_uint_eq(fake_vms[0].cancels, 0);
	vm();
	fake_vms[0].trim_end = "cancelled";
	fails(20, "cancelled by someone else; 0 B of 312.0 MiB free went to the host\n");
}
END_TEST

START_TEST(another_trim_ends_it)
{
	vm();
	fake_vms[0].trim_next = 3;
	fails(20, "another trim has begun since");
	ck_assert_uint_eq(fake_vms[0].looks, 3);
	/* That one is somebody else's. */
	ck_assert_uint_eq(fake_vms[0].cancels, 0);
}
END_TEST

START_TEST(when_the_time_is_up_it_is_cancelled)
{
	uint64_t start_ns = clock_now_ns();

	vm();
	fake_vms[0].trim_sticks = "discarding";
	fails(1, "not done after 1 s, so the trim was cancelled; 0 B of 312.0 MiB free");
	ck_assert_uint_ge(clock_now_ns() - start_ns, NSEC_PER_SEC);
	ck_assert_uint_eq(fake_vms[0].cancels, 1);
	ck_assert_str_eq(fake_vms[0].trim_state, "cancelled");
}
END_TEST

/* A deadline in the past is still a look: what is done already is no failure. */
START_TEST(the_deadline_comes_after_the_look)
{
	vm();
	fake_vms[0].trim_state = "done";
	run(0);
	ck_assert(!marked);
	ck_assert_uint_eq(fake_vms[0].cancels, 0);
}
END_TEST

START_TEST(one_that_ends_before_it_is_cancelled_is_done)
{
	vm();
	fake_vms[0].trim_too_late = true;
	run(0);
	ck_assert(!marked);
	ck_assert_ptr_eq(strstr(r.out, "one: 311.0 MiB of 312.0 MiB free"), r.out);
	ck_assert_str_eq(r.err, "");
	ck_assert_uint_eq(fake_vms[0].cancels, 1);
}
END_TEST

START_TEST(one_that_can_not_be_cancelled_is_left)
{
	vm();
	fake_vms[0].trim_deaf = true;
	fake_vms[0].trim_sticks = "hinting";
	fails(0, "not done after 0 s, and goes on: hinting; 0 B of 312.0 MiB free");
	ck_assert_uint_eq(fake_vms[0].cancels, 1);
}
END_TEST

/* What goes to a terminal, escapes and all. */
static void run_on_terminal(char *text, size_t cap)
{
	int old_out = dup(STDOUT_FILENO), old_err = dup(STDERR_FILENO), master, slave;
	size_t fill = 0;
	ssize_t n;

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	wait.deadline_ns = clock_now_ns() + 20 * NSEC_PER_SEC;
	fflush(stdout);
	dup2(slave, STDOUT_FILENO);
	dup2(slave, STDERR_FILENO);
	wait_main(0, NULL);
	fflush(stdout);
	dup2(old_out, STDOUT_FILENO);
	dup2(old_err, STDERR_FILENO);
	close(old_out);
	close(old_err);
	/* When nobody has the other end any more, all of it comes, and then an error. */
	close(slave);
	while ((n = read(master, text + fill, cap - 1 - fill)) > 0)
		fill += (size_t)n;
	text[fill] = '\0';
	close(master);
}

START_TEST(progress_tells_of_each_state)
{
	char text[1024];

	vm();
	run_on_terminal(text, sizeof(text));
	ck_assert(!marked);
	ck_assert_str_eq(text, "\r\033[Kone: preparing (3 s)"
			       "\r\033[Kone: the guest has hinted 312.0 MiB (3 s)"
			       "\r\033[Kone: looking at what the guest wrote of 312.0 MiB (3 s)"
			       "\r\033[Kone: 156.0 MiB of 312.0 MiB went to the host (3 s)"
			       "\r\033[Kone: 311.0 MiB of 312.0 MiB free went to the host in "
			       "3.2 s; 12 pauses, the longest 4.1 ms\r\n");
}
END_TEST

UNIT_MAIN("trim_wait", it_ends_with_a_line_that_sums_up, what_the_kernel_refused_is_told,
	  a_failure_has_its_reason, another_trim_ends_it, when_the_time_is_up_it_is_cancelled,
	  the_deadline_comes_after_the_look, one_that_ends_before_it_is_cancelled_is_done,
	  one_that_can_not_be_cancelled_is_left, progress_tells_of_each_state)
