// SPDX-License-Identifier: Apache-2.0
/*
 * report -q SOCKET -t MIB [-x COMMAND] MONITOR...
 *
 * Start a monitor with a stock guest (guest/init.c), which writes to -t MIB (cold_touch_ms) and
 * frees them. Watch 7/8 of them go from resident memory, and print one JSON object:
 *   back_ms         since the guest said that they are free; it reports them by itself
 *   back_guest_ms   the same by the guest's clock
 *   back_*          what that cost, see counters.h
 *   rss_kib         resident before and after
 *
 * -x COMMAND  is what makes them go: back_ms since its start, and until it has ended, too,
 * which took command_ms. trim_* are the monitor's own words on it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/counters.h"
#include "tests/bench/subject.h"

#define READY_SECONDS 240
#define BACK_SECONDS  360
#define LOOK_MS	      2 /* how often resident memory is looked at */

struct options {
	const char *socket, *command;
	unsigned touch;
};

static void print_or_null(const char *key, double v)
{
	if (v < 0)
		printf("\"%s\": null, ", key);
	else
		printf("\"%s\": %.1f, ", key, v);
}

static double guest_ms(struct subject *s)
{
	subject_command(s, "uptime");
	return number_after(s->line, "uptime_ms");
}

/* A command of the host, its output beside our complaints. */
static pid_t start_command(struct subject *s, const char *command)
{
	pid_t pid = fork();

	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	if (pid < 0)
		subject_fail(s, "cannot start the command");
	return pid;
}

/* True when it has ended, which it must do well. */
static bool command_ended(struct subject *s, pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	if (status)
		subject_fail(s, "the command failed");
	return true;
}

static void print_trim(struct subject *s)
{
	static const char *const keys[] = {"discarded_bytes", "hinted_bytes", "pauses",
					   "pause_us",	      "pause_max_us", "elapsed_ms"};
	const char *trim;

	subject_ask(s, "{\"execute\": \"x-aerostat-stat\"}");
	if (!subject_answered(s, 60e3))
		subject_fail(s, "no answer on the QMP socket");
	trim = strstr(s->reply, "\"trim\":");
	if (!trim)
		subject_fail(s, "the monitor knows nothing of a trim");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "trim_%s", keys[i]);
		print_or_null(name, number_after(trim, keys[i]));
	}
}

/* Until memory is back and the command, if there is one, has ended. */
static void wait_back(struct subject *s, const struct options *o)
{
	double start = now_ms(), guest = guest_ms(s), now, back = -1, ended = -1;
	double full = resident_kib(s), goal = full - o->touch * 1024.0 * 7 / 8, rss;
	struct counters before, after;
	pid_t pid = 0;

	counters_read(s, &before);
	if (o->command) {
		start = now_ms();
		pid = start_command(s, o->command);
	}
	do {
		nap_ms(LOOK_MS);
		now = now_ms() - start;
		rss = resident_kib(s);
		if (back < 0 && rss <= goal)
			back = now;
		if (pid && command_ended(s, pid)) {
			ended = now;
			pid = 0;
		}
		if (now > BACK_SECONDS * 1e3)
			subject_fail(s, "the host doesn't get its memory back");
	} while (back < 0 || pid);
	counters_read(s, &after);
	guest = guest_ms(s) - guest;
	print_or_null("back_ms", back);
	print_or_null("back_guest_ms", guest);
	print_or_null("command_ms", ended);
	counters_print("back", &before, &after);
	if (o->command)
		print_trim(s);
	printf("\"rss_kib\": [%.0f, %.0f]}\n", full, rss);
}

static unsigned mib_option(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v > 1u << 20) {
		fprintf(stderr, "report: '%s' is not a number of MiB\n", text);
		exit(2);
	}
	return (unsigned)v;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = getopt(argc, argv, "+q:t:x:")) != -1) {
		if (opt == 'q')
			o->socket = optarg;
		else if (opt == 't')
			o->touch = mib_option(optarg);
		else if (opt == 'x')
			o->command = optarg;
		else
			return false;
	}
	return optind < argc && o->socket && o->touch;
}

int main(int argc, char **argv)
{
	static struct subject s = {.pid = -1};
	struct options o = {0};
	double start;

	if (!parse_options(argc, argv, &o)) {
		fprintf(stderr, "usage: report -q SOCKET -t MIB [-x COMMAND] MONITOR...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	start = now_ms();
	subject_start(&s, argv + optind, o.socket);
	subject_expect(&s, "guest: ready", READY_SECONDS);
	printf("{\"touch_mib\": %u, \"ready_ms\": %.1f, ", o.touch, now_ms() - start);
	printf("\"cold_touch_ms\": %.1f, ", subject_touch(&s, o.touch));
	wait_back(&s, &o);
	subject_kill(&s);
	return 0;
}
