// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

void nap_ms(unsigned ms)
{
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&ts, NULL);
}

pid_t child_start(char **argv, bool no_thp, int *to, int *from)
{
	int in[2], out[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (no_thp && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
			perror("PR_SET_THP_DISABLE");
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*to = in[1];
	*from = out[0];
	return pid < 0 ? -errno : pid;
}

static bool take_line(struct lines *l, char *line, size_t size)
{
	char *end = memchr(l->text, '\n', l->have);
	size_t len;

	if (!end)
		return false;
	len = (size_t)(end - l->text);
	if (len >= size)
		len = size - 1;
	memcpy(line, l->text, len);
	line[len] = '\0';
	line[strcspn(line, "\r")] = '\0';
	l->have -= (size_t)(end + 1 - l->text);
	memmove(l->text, end + 1, l->have);
	return true;
}

int lines_next(struct lines *l, char *line, size_t size, double ms)
{
	double deadline = now_ms() + ms;

	while (!take_line(l, line, size)) {
		struct pollfd p = {.fd = l->fd, .events = POLLIN};
		double left = deadline - now_ms();
		struct timespec ts;
		ssize_t n;

		left = left < 0 ? 0 : left;
		ts = (struct timespec){.tv_sec = (time_t)(left / 1e3)};
		ts.tv_nsec = (long)((left - (double)ts.tv_sec * 1e3) * 1e6);
		if (ppoll(&p, 1, &ts, NULL) <= 0)
			return 0;
		if (l->have == sizeof(l->text))
			return -1;
		n = read(l->fd, l->text + l->have, sizeof(l->text) - l->have);
		if (n <= 0)
			return -1;
		l->have += (size_t)n;
	}
	return 1;
}
