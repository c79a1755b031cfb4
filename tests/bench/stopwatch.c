// SPDX-License-Identifier: Apache-2.0
/*
 * stopwatch TEXT SECONDS COMMAND...
 *
 * Run COMMAND, wait until TEXT appears on its standard output, and print one JSON object: the
 * milliseconds since exec, and what was resident at that moment, in KiB: all of the process
 * and all but its largest mapping, which in a monitor is the guest's memory. Then kill it.
 * Exit status 1 when TEXT doesn't come within SECONDS.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static pid_t spawn(char **argv, int *out)
{
	int p[2];
	pid_t pid;

	if (pipe(p))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	close(p[1]);
	*out = p[0];
	return pid;
}

/* Reads until text was seen, keeping enough of the tail for a text that is cut in two. */
static bool wait_for(int fd, const char *text, double deadline)
{
	static char buf[65536];
	size_t have = 0, keep = strlen(text);

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		double left = deadline - now_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left + 1) <= 0)
			return false;
		n = read(fd, buf + have, sizeof(buf) - 1 - have);
		if (n <= 0)
			return false;
		have += (size_t)n;
		buf[have] = '\0';
		if (strstr(buf, text))
			return true;
		if (have > keep) {
			memmove(buf, buf + have - keep, keep);
			have = keep;
		}
	}
}

static bool resident(pid_t pid, unsigned long *all, unsigned long *own)
{
	unsigned long start, end, kib, len = 0, largest = 0, guest = 0;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	*all = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			len = end - start;
		} else if (sscanf(line, "Rss: %lu kB", &kib) == 1) {
			*all += kib;
			if (len > largest) {
				largest = len;
				guest = kib;
			}
		}
	}
	fclose(f);
	*own = *all - guest;
	return true;
}

int main(int argc, char **argv)
{
	unsigned long all = 0, own = 0;
	double start, ms;
	bool ok;
	pid_t pid;
	int fd;

	if (argc < 4) {
		fprintf(stderr, "usage: stopwatch TEXT SECONDS COMMAND...\n");
		return 2;
	}
	start = now_ms();
	pid = spawn(argv + 3, &fd);
	if (pid < 0)
		return 1;
	ok = wait_for(fd, argv[1], start + atof(argv[2]) * 1e3);
	ms = now_ms() - start;
	ok = ok && resident(pid, &all, &own);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!ok)
		return 1;
	printf("{\"ms\": %.1f, \"rss_kib\": %lu, \"own_kib\": %lu}\n", ms, all, own);
	return 0;
}
