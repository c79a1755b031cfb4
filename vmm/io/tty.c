// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/base/fd.h"

static void make_raw(struct termios *m)
{
	m->c_iflag &=
		~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	m->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	m->c_cc[VMIN] = 1;
	m->c_cc[VTIME] = 0;
}

/*
 * ICANON, ECHO and ISIG are all off in no mode a shell uses, so equal local flags mean that
 * nobody has touched the terminal since. TCSANOW, as draining might wait for ever when the
 * other side of a pty has stopped reading. SIGTTOU must be blocked or ignored, or a process
 * of a background group is stopped here.
 */
static void put_back(const struct tty *t)
{
	struct termios now;

	if (!tcgetattr(t->fd, &now) && now.c_lflag == t->raw.c_lflag)
		tcsetattr(t->fd, TCSANOW, &t->saved);
}

static void close_between(unsigned first, unsigned end)
{
	if (first < end)
		close_range(first, end - 1, 0);
}

/*
 * Without close_range (Linux 5.9) the guardian keeps what it inherited as long as the monitor
 * lives, and nobody is hurt; the pipe's write end, which would hurt, is closed by hand before.
 */
static void close_all_but(int a, int b)
{
	unsigned lo = (unsigned)(a < b ? a : b), hi = (unsigned)(a < b ? b : a);

	close_between(0, lo);
	close_between(lo + 1, hi);
	close_range(hi + 1, ~0u, 0);
}

/* Runs with every signal blocked. */
static noreturn void guard(const struct tty *t, int rd)
{
	char byte;
	ssize_t r;

	prctl(PR_SET_NAME, "aerostat-tty");
	close_all_but(t->fd, rd);
	do {
		r = read(rd, &byte, 1);
	} while (r > 0 || (r < 0 && errno == EINTR));
	put_back(t);
	_exit(0);
}

static int start_guardian(struct tty *t)
{
	sigset_t all, old;
	int p[2], rc = 0;

	if (pipe2(p, O_CLOEXEC))
		return -errno;
	/* Blocked before the fork: the child has no moment in which Ctrl-C would end it. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	t->guardian = fork();
	if (!t->guardian) {
		close(p[1]);
		guard(t, p[0]);
	}
	if (t->guardian < 0)
		rc = -errno;
	else
		setpgid(t->guardian, t->guardian);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(p[0]);
	if (rc)
		close(p[1]);
	else
		t->pipe = p[1];
	return rc;
}

int tty_raw(struct tty *t, int fd, struct err *err)
{
	int rc;

	*t = (struct tty){.fd = fd, .pipe = -1};
	if (tcgetattr(fd, &t->saved))
		return err_sys(err, -errno, "cannot read the modes of the terminal");
	t->raw = t->saved;
	make_raw(&t->raw);
	rc = start_guardian(t);
	if (rc)
		return err_sys(err, rc, "cannot start the guardian of the terminal");
	t->active = true;
	if (tcsetattr(fd, TCSANOW, &t->raw)) {
		rc = -errno;
		tty_restore(t);
		return err_sys(err, rc, "cannot set the modes of the terminal");
	}
	return 0;
}

void tty_restore(struct tty *t)
{
	sigset_t ttou, old;

	if (!t->active)
		return;
	t->active = false;
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &old);
	put_back(t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	/* Not by the end of the pipe alone: a forgotten copy of it would make us wait here. */
	kill(t->guardian, SIGKILL);
	fd_close(&t->pipe);
	while (waitpid(t->guardian, NULL, 0) < 0 && errno == EINTR)
		;
}
