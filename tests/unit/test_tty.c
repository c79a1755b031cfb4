// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static int master, slave;
static struct termios before;

static void setup(void)
{
	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	ck_assert_int_eq(tcgetattr(slave, &before), 0);
	ck_assert_uint_ne(before.c_lflag & (ICANON | ECHO | ISIG), 0);
	/* Orphans of the process under test come to us, so we see them end. */
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static bool is_as_before(void)
{
	struct termios now;

	ck_assert_int_eq(tcgetattr(slave, &now), 0);
	return now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag &&
	       now.c_lflag == before.c_lflag && now.c_cflag == before.c_cflag &&
	       !memcmp(now.c_cc, before.c_cc, sizeof(now.c_cc));
}

static bool is_raw(void)
{
	struct termios now;

	ck_assert_int_eq(tcgetattr(slave, &now), 0);
	return !(now.c_lflag & (ICANON | ECHO | ISIG)) && !(now.c_iflag & (ICRNL | IXON)) &&
	       (now.c_oflag & OPOST) == (before.c_oflag & OPOST) && now.c_cc[VMIN] == 1;
}

static bool alive(pid_t pid)
{
	return !kill(pid, 0);
}

/* A "monitor" in a group of its own that goes raw and waits; tells its guardian's pid. */
static pid_t start_monitor(pid_t *guardian)
{
	int p[2];
	pid_t pid;

	ck_assert_int_eq(pipe(p), 0);
	pid = fork();
	if (!pid) {
		struct tty t;

		setpgid(0, 0);
		/* The test framework and the sanitizers have handlers; a monitor has not. */
		for (int sig = 1; sig < NSIG; sig++)
			signal(sig, SIG_DFL);
		/* In the foreground, if the terminal is this session's at all. */
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(slave, getpid());
		signal(SIGTTOU, SIG_DFL);
		if (tty_raw(&t, slave, NULL) ||
		    write(p[1], &t.guardian, sizeof(t.guardian)) != sizeof(t.guardian))
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(p[0], guardian, sizeof(*guardian)), sizeof(*guardian));
	close(p[0]);
	close(p[1]);
	return pid;
}

static void reap(pid_t pid)
{
	for (int i = 0; i < 500; i++) {
		pid_t got = waitpid(pid, NULL, WNOHANG);

		if (got == pid)
			return;
		usleep(10000);
	}
	ck_abort_msg("process %d lives on", (int)pid);
}

START_TEST(test_raw_and_restore)
{
	struct tty t;
	struct err e;
	sigset_t now, old;

	setup();
	sigprocmask(SIG_SETMASK, NULL, &old);
	ck_assert_int_eq(tty_raw(&t, slave, &e), 0);
	sigprocmask(SIG_SETMASK, NULL, &now);
	for (int sig = 1; sig < NSIG; sig++)
		ck_assert_int_eq(sigismember(&now, sig), sigismember(&old, sig));
	ck_assert(is_raw());
	ck_assert(alive(t.guardian));
	ck_assert_int_ne(fcntl(t.pipe, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(getpgid(t.guardian), t.guardian);
	tty_restore(&t);
	ck_assert(is_as_before());
	ck_assert(!alive(t.guardian));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	tty_restore(&t);
}
END_TEST

START_TEST(test_idle)
{
	struct tty t = {0};

	tty_restore(&t);
}
END_TEST

START_TEST(test_not_a_terminal)
{
	struct tty t;
	struct err e;
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(tty_raw(&t, p[0], &e), -ENOTTY);
	ck_assert_ptr_nonnull(strstr(e.msg, "terminal"));
	tty_restore(&t);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(test_killed)
{
	static const int sigs[] = {SIGKILL, SIGSEGV, SIGTERM, SIGHUP, SIGINT, SIGABRT};

	setup();
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		pid_t guardian, pid = start_monitor(&guardian);

		ck_assert(is_raw());
		kill(pid, sigs[i]);
		reap(pid);
		reap(guardian);
		ck_assert(is_as_before());
	}
}
END_TEST

START_TEST(test_guardian_outlives_signals)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTTOU, SIGTSTP, SIGUSR1};
	pid_t guardian, pid;

	setup();
	pid = start_monitor(&guardian);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		kill(guardian, sigs[i]);
	usleep(20000);
	ck_assert_int_eq(waitpid(guardian, NULL, WNOHANG), -1); /* not ours yet */
	ck_assert(alive(guardian));
	/* The whole group dies; the guardian isn't in it. */
	kill(-pid, SIGKILL);
	reap(pid);
	reap(guardian);
	ck_assert(is_as_before());
}
END_TEST

START_TEST(test_guardian_holds_nothing_else)
{
	pid_t guardian, pid;
	unsigned n = 0;
	char path[64];

	setup();
	pid = start_monitor(&guardian);
	/* It may still be on its way. */
	for (int i = 0; i < 200; i++) {
		n = 0;
		for (int fd = 0; fd < 256; fd++) {
			snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)guardian, fd);
			n += !access(path, F_OK);
		}
		if (n == 2)
			break;
		usleep(10000);
	}
	ck_assert_uint_eq(n, 2);
	kill(pid, SIGKILL);
	reap(pid);
	reap(guardian);
}
END_TEST

START_TEST(test_others_changes_stay)
{
	struct termios shell;
	pid_t guardian, pid;

	setup();
	pid = start_monitor(&guardian);
	/* As a shell that edits lines: no echo, no lines, but signals. */
	shell = before;
	shell.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	ck_assert_int_eq(tcsetattr(slave, TCSANOW, &shell), 0);
	kill(pid, SIGKILL);
	reap(pid);
	reap(guardian);
	ck_assert(!is_as_before());
	tcgetattr(slave, &before);
	ck_assert_uint_eq(before.c_lflag, shell.c_lflag);
}
END_TEST

START_TEST(test_controlling_terminal)
{
	int status, fd;
	pid_t pid;

	/* The usual case: the terminal is the session's, and we are in the foreground. */
	setup();
	pid = fork();
	if (!pid) {
		struct tty t;

		setsid();
		if (ioctl(slave, TIOCSCTTY, 0) || tty_raw(&t, slave, NULL))
			_exit(1);
		/* In the background now: restoring must not stop us. */
		fd = fork();
		if (!fd) {
			setpgid(0, 0);
			for (;;)
				pause();
		}
		setpgid(fd, fd);
		if (tcsetpgrp(slave, fd))
			_exit(2);
		tty_restore(&t);
		kill(fd, SIGKILL);
		waitpid(fd, NULL, 0);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	/* The terminal was hung up when its session ended: look from the master's side. */
	slave = master;
	ck_assert(is_as_before());
}
END_TEST

START_TEST(test_killed_in_the_foreground)
{
	int status;
	pid_t leader;

	/* As under a shell: its session lives on, and the guardian's group is an orphan. */
	setup();
	leader = fork();
	if (!leader) {
		pid_t guardian, pid;

		setsid();
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		if (ioctl(slave, TIOCSCTTY, 0))
			_exit(1);
		pid = start_monitor(&guardian);
		if (tcgetpgrp(slave) != pid || !is_raw())
			_exit(2);
		kill(pid, SIGKILL);
		reap(pid);
		reap(guardian);
		_exit(is_as_before() ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(leader, &status, WUNTRACED), leader);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

UNIT_MAIN("tty", test_raw_and_restore, test_idle, test_not_a_terminal, test_killed,
	  test_guardian_outlives_signals, test_guardian_holds_nothing_else,
	  test_others_changes_stay, test_controlling_terminal, test_killed_in_the_foreground)
