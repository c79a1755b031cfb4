// SPDX-License-Identifier: Apache-2.0
/*
 * The life of `aerostat run` in a process of its own, with kernels of a few bytes: its exit
 * status, what it says, and that whatever ends it leaves neither socket nor pidfile.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/ctl_fixture.h"
#include "tests/unit/kvm_guest.h"
#include "tests/unit/tiny_kernel.h"
#include "tests/unit/unit.h"
#include "vmm/cli/cli.h"

#define WORDS_MAX 24
#define TRIES	  600 /* of 50 ms: the machine may be busy */
#define TRY_US	  50000

/* The first two as in test_lifecycle.c; jmp . */
static const uint8_t power_off[] = {0x66, 0xba, 0x00, 0x06, 0xb0, 0x34, 0xee, 0xeb, 0xfe};
static const uint8_t fault[] = {0x0f, 0x01, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xcc};
static const uint8_t idle[] = {0xeb, 0xfe};

static struct rundir dir;
static char pidfile[64], kernel[32];
static char text[8192]; /* what the last process wrote to stdout and stderr */

struct proc {
	pid_t pid;
	FILE *said;
};

static void use_kernel(const void *code, size_t len)
{
	snprintf(kernel, sizeof(kernel), "/proc/self/fd/%d", tiny_kernel(code, len));
}

static struct proc start(const char *const *more)
{
	const char *words[WORDS_MAX] = {"-k",	     kernel, "-m",	  "32",
					"--console", "none", "--pidfile", pidfile};
	struct proc p = {.said = tmpfile()};
	int n = 8;

	ck_assert_ptr_nonnull(p.said);
	while (*more) {
		ck_assert_int_lt(n, WORDS_MAX);
		words[n++] = *more++;
	}
	fflush(NULL);
	p.pid = fork();
	if (p.pid)
		return p;
	dup2(fileno(p.said), STDOUT_FILENO);
	dup2(fileno(p.said), STDERR_FILENO);
	n = cmd_run.main(n, (char **)words);
	fflush(NULL);
	_exit(n);
}
#define START(...) start((const char *const[]){__VA_ARGS__, NULL})

/* The exit status; what it said is in `text`. */
static int end(struct proc *p)
{
	int status;

	ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
	rewind(p->said);
	text[fread(text, 1, sizeof(text) - 1, p->said)] = '\0';
	fclose(p->said);
	ck_assert_msg(WIFEXITED(status), "signal %d: %s", WTERMSIG(status), text);
	return WEXITSTATUS(status);
}

static bool has_socket(const char *name)
{
	char path[RUNDIR_PATH_MAX];
	struct err err;

	ck_assert_int_eq(rundir_socket(&dir, name, path, &err), 0);
	return !access(path, F_OK);
}

/* The pidfile comes last before the guest starts. */
static void await_start(const struct proc *p)
{
	pid_t pid = 0;

	for (int i = 0; i < TRIES && access(pidfile, F_OK); i++)
		usleep(TRY_US);
	FILE *f = fopen(pidfile, "re");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	ck_assert_int_eq(pid, p->pid);
	ck_assert(has_socket("tiny"));
}

static void setup(const void *code, size_t len)
{
	ctl_fixture_setup(&dir);
	snprintf(pidfile, sizeof(pidfile), "/tmp/aerostat-test-pid.%d", getpid());
	use_kernel(code, len);
}

static void assert_nothing_left(void)
{
	ck_assert_int_ne(access(pidfile, F_OK), 0);
	ctl_fixture_teardown(&dir);
}

static void assert_one_line(const char *says)
{
	ck_assert_msg(strstr(text, says) != NULL, "no '%s' in: %s", says, text);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}

START_TEST(a_guest_that_powers_off_is_status_0)
{
	struct proc p;

	setup(power_off, sizeof(power_off));
	p = START("--name", "tiny", "--balloon");
	ck_assert_int_eq(end(&p), 0);
	ck_assert_str_eq(text, "");
	assert_nothing_left();
}
END_TEST

START_TEST(a_guest_that_crashes_has_a_status_and_a_report)
{
	struct proc p;
	int status;

	setup(fault, sizeof(fault));
	p = START("--name", "tiny");
	status = end(&p);
	/* A KVM that emulates guest kernel mode may fail on the instruction itself. */
	ck_assert_msg(status == MACHINE_EXIT_TRIPLE_FAULT || status == MACHINE_EXIT_KVM, "%d",
		      status);
	ck_assert_int_eq(strncmp(text, "aerostat: tiny: the VM has ended\n", 33), 0);
	ck_assert_ptr_nonnull(strstr(text, "rip"));
	assert_nothing_left();
}
END_TEST

static void ended_by(int sig)
{
	struct proc p;

	setup(idle, sizeof(idle));
	p = START("--name", "tiny", "--balloon=initial=4M", "--reclaim=thread");
	await_start(&p);
	ck_assert_int_eq(kill(p.pid, sig), 0);
	ck_assert_int_eq(end(&p), 128 + sig);
	ck_assert_str_eq(text, "");
	assert_nothing_left();
}

START_TEST(signals_end_it_in_good_order)
{
	ended_by(SIGTERM);
	ended_by(SIGINT);
	ended_by(SIGHUP);
	ended_by(SIGQUIT);
}
END_TEST

/* A write to a reader that is gone is an error, and how vCPUs are kicked is nobody's business.
 */
START_TEST(other_signals_change_nothing)
{
	struct proc p;

	setup(idle, sizeof(idle));
	p = START("--name", "tiny", "-c", "2");
	await_start(&p);
	ck_assert_int_eq(kill(p.pid, SIGPIPE), 0);
	ck_assert_int_eq(kill(p.pid, SIGUSR1), 0);
	usleep(TRY_US);
	ck_assert_int_eq(waitpid(p.pid, NULL, WNOHANG), 0);
	ck_assert_int_eq(kill(p.pid, SIGTERM), 0);
	ck_assert_int_eq(end(&p), 128 + SIGTERM);
	assert_nothing_left();
}
END_TEST

START_TEST(a_name_is_for_one_at_a_time)
{
	struct proc first, second;

	setup(idle, sizeof(idle));
	first = START("--name", "tiny");
	await_start(&first);
	second = START("--name", "tiny", "--pidfile", "/tmp/aerostat-test-never");
	ck_assert_int_eq(end(&second), MACHINE_EXIT_HOST);
	assert_one_line("'tiny'");
	ck_assert_int_ne(access("/tmp/aerostat-test-never", F_OK), 0);
	/* The first one has lost nothing by it. */
	await_start(&first);
	kill(first.pid, SIGTERM);
	ck_assert_int_eq(end(&first), 128 + SIGTERM);
	first = START("--name", "tiny");
	await_start(&first);
	kill(first.pid, SIGTERM);
	ck_assert_int_eq(end(&first), 128 + SIGTERM);
	assert_nothing_left();
}
END_TEST

START_TEST(what_cannot_start_is_undone)
{
	struct proc p;

	setup(idle, sizeof(idle));
	snprintf(kernel, sizeof(kernel), "/proc/self/exe"); /* a file, and no kernel */
	p = START("--name", "tiny");
	ck_assert_int_eq(end(&p), MACHINE_EXIT_HOST);
	assert_one_line("/proc/self/exe");
	use_kernel(idle, sizeof(idle));
	p = START("--name", "tiny", "--pidfile", "/nowhere/pid");
	ck_assert_int_eq(end(&p), MACHINE_EXIT_HOST);
	assert_one_line("--pidfile");
	assert_nothing_left();
}
END_TEST

START_TEST(wrong_files_are_usage_errors)
{
	struct proc p;

	setup(idle, sizeof(idle));
	p = START("-i", "/nowhere/initrd");
	ck_assert_int_eq(end(&p), CLI_USAGE);
	assert_one_line("-i/--initrd '/nowhere/initrd'");
	p = START("-k", "/");
	ck_assert_int_eq(end(&p), CLI_USAGE);
	assert_one_line("-k/--kernel '/' is not a regular file");
	p = START("--dump-dtb", "/nowhere/tree");
	ck_assert_int_eq(end(&p), CLI_USAGE);
	assert_one_line("--dump-dtb: guests of this architecture have no device tree");
	assert_nothing_left();
}
END_TEST

UNIT_MAIN_KVM("cmd_run", a_guest_that_powers_off_is_status_0,
	      a_guest_that_crashes_has_a_status_and_a_report, signals_end_it_in_good_order,
	      other_signals_change_nothing, a_name_is_for_one_at_a_time,
	      what_cannot_start_is_undone, wrong_files_are_usage_errors)
