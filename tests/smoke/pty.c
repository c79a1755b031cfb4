// SPDX-License-Identifier: Apache-2.0
/*
 * pty SIGNAL COMMAND...
 *
 * Run COMMAND on a terminal of its own, wait until it has made the terminal raw, end it by
 * SIGNAL (a number), and see that the terminal comes back as it was. Exit status 0, or 1 with a
 * line that says what didn't happen.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static pid_t spawn(int master, char **argv)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	{
		int slave = open(ptsname(master), O_RDWR);

		ioctl(slave, TIOCSCTTY, 0);
		for (int fd = 0; fd < 3; fd++)
			dup2(slave, fd);
	}
	execvp(argv[0], argv);
	_exit(127);
}

/* Field by field: the struct has padding. */
static bool same_modes(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	       a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag &&
	       !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

/* Wait until the terminal is as it was, or isn't; what it prints meanwhile is thrown away. */
static bool wait_modes(int master, const struct termios *before, bool same, int seconds)
{
	for (int i = 0; i < seconds * 100; i++) {
		struct pollfd p = {.fd = master, .events = POLLIN};
		struct termios now;
		char buf[4096];

		if (!tcgetattr(master, &now) && same_modes(&now, before) == same)
			return true;
		if (poll(&p, 1, 10) == 1 && read(master, buf, sizeof(buf)) < 0)
			usleep(10000);
	}
	return false;
}

int main(int argc, char **argv)
{
	struct termios before;
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	const char *fault = NULL;
	int hold;
	pid_t pid;

	if (argc < 3 || master < 0 || grantpt(master) || unlockpt(master))
		return 2;
	/* Without a slave that stays open the modes would be gone with the last one. */
	hold = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (hold < 0 || tcgetattr(master, &before))
		return 2;
	pid = spawn(master, argv + 2);
	if (!wait_modes(master, &before, false, 60))
		fault = "the terminal never became raw";
	kill(pid, fault ? SIGKILL : atoi(argv[1]));
	waitpid(pid, NULL, 0);
	if (!fault && !wait_modes(master, &before, true, 10))
		fault = "the terminal was not given back";
	if (fault)
		puts(fault);
	return fault != NULL;
}
