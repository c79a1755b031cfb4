// SPDX-License-Identifier: Apache-2.0
/*
 * watch [-t] [-n] [-p PLACE] [-s SECONDS] [-a COMMAND] MONITOR...
 *
 * Run a monitor with the flat guest (guest/flat/) on its standard input and output, lead the
 * guest through one round, and print one JSON object with what was measured:
 *   pages            the guest gave
 *   acked_ms         by the guest's own clock, from first message to last acknowledgement
 *   gone_ms          from the guest's "start" until the monitor's resident memory had fallen by
 *                    all of it (less 1/256); null: not within SECONDS (default 20)
 *   lag_ms           of that, after the last acknowledgement (negative: it fell that far
 * before) deflated_ms      to take it all back, by the guest's clock rss_kib          resident
 * before the first message, and when it was over zero, old, foreign   pages that came back as
 * zeros, as they were, as neither shared_core      no second CPU was there: vCPU and devices
 * were on one at_end           output of COMMAND, which is run when memory is gone, or null
 * Both monitors of a comparison are watched by this same program.
 *
 * -t: no transparent huge pages for the monitor. -n: don't wait for memory to go.
 *
 * PLACE says where the monitor's threads run once the guest has touched its memory:
 *   split   (default) vCPUs on the first CPU, everything else on the second
 *   one     everything on the second CPU
 *   free    where the scheduler likes
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tests/bench/child.h"

#define POLL_MS	      0.5
#define READY_SECONDS 300

struct watch {
	pid_t pid;
	int to; /* the guest's serial line */
	struct lines lines;
	int statm;
	char line[512];
	double cycles_per_ms;
};

static double measure_tsc(void)
{
	const struct timespec nap = {.tv_nsec = 50000000};
	double ms = now_ms();
	uint64_t cycles = __rdtsc();

	nanosleep(&nap, NULL);
	cycles = __rdtsc() - cycles;
	return (double)cycles / (now_ms() - ms);
}

static void fail(struct watch *w, const char *why)
{
	fprintf(stderr, "watch: %s; last line: %s\n", why, w->line);
	if (w->pid > 0)
		kill(w->pid, SIGKILL);
	exit(1);
}

static void spawn(struct watch *w, char **argv, bool no_thp)
{
	char path[64];

	w->pid = child_start(argv, no_thp, &w->to, &w->lines.fd);
	snprintf(path, sizeof(path), "/proc/%d/statm", (int)w->pid);
	w->statm = open(path, O_RDONLY | O_CLOEXEC);
	if (w->pid < 0 || w->statm < 0)
		fail(w, "cannot start the monitor");
}

/* The next line of the guest's, or false after ms. Exits when the monitor ends. */
static bool next_line(struct watch *w, double ms)
{
	int rc = lines_next(&w->lines, w->line, sizeof(w->line), ms);

	if (rc < 0)
		fail(w, "the monitor ended early");
	return rc > 0;
}

static bool is_line(const struct watch *w, const char *word)
{
	const char *at = strstr(w->line, "flat: ");

	return at && !strncmp(at + 6, word, strlen(word));
}

static void wait_line(struct watch *w, const char *word)
{
	double deadline = now_ms() + READY_SECONDS * 1e3;

	do {
		if (!next_line(w, deadline - now_ms()))
			fail(w, "the guest is silent");
		if (is_line(w, "end") || is_line(w, "no "))
			fail(w, "the guest gave up");
	} while (!is_line(w, word));
}

static uint64_t value(const struct watch *w, const char *key)
{
	const char *at = strstr(w->line, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void say(struct watch *w, char c)
{
	if (write(w->to, &c, 1) != 1)
		fail(w, "the guest doesn't listen");
}

static uint64_t rss_kib(struct watch *w)
{
	unsigned long size, resident;
	char text[128];
	ssize_t n = pread(w->statm, text, sizeof(text) - 1, 0);

	if (n <= 0)
		fail(w, "the monitor is gone");
	text[n] = '\0';
	if (sscanf(text, "%lu %lu", &size, &resident) != 2)
		fail(w, "cannot read statm");
	return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* ---- CPUs ---- */

static bool is_vcpu(pid_t pid, const char *tid)
{
	char path[300], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)pid, tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = '\0';
	fclose(f);
	return !strncmp(comm, "vcpu", 4) || !strncmp(comm, "CPU ", 4);
}

/* False: there is only one CPU. */
static bool pin(pid_t pid, bool split)
{
	cpu_set_t all, set[2];
	int found = 0;
	char path[64];
	struct dirent *e;
	DIR *d;

	sched_getaffinity(0, sizeof(all), &all);
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&set[found]);
		CPU_SET(cpu, &set[found]);
		found++;
	}
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (found < 2 || !d)
		return false;
	while ((e = readdir(d))) {
		pid_t tid = (pid_t)atoi(e->d_name);

		if (tid > 0)
			sched_setaffinity(tid, sizeof(all),
					  &set[split && is_vcpu(pid, e->d_name) ? 0 : 1]);
	}
	closedir(d);
	return true;
}

/* To look in time although the devices' CPU is busy; refused without the right to it. */
static void be_prompt(void)
{
	const struct sched_param p = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p))
		fprintf(stderr, "watch: no real-time priority: %s\n", strerror(errno));
}

/* ---- one round ---- */

struct result {
	uint64_t pages, before, after;
	double acked, gone, lag, deflated;
	uint64_t zero, old, foreign, status;
	const char *place;
	char at_end[65536];
};

/* From "start" on: resident memory and the guest's line, whichever comes first. */
static void measure(struct watch *w, struct result *r, bool wait_gone, double seconds)
{
	uint64_t kib = r->pages * 4;
	uint64_t goal = r->before - (kib - kib / 256);
	double start = now_ms(), acked = 0;

	r->gone = wait_gone ? 0 : -1;
	while (r->gone == 0 || !acked) {
		if (next_line(w, POLL_MS) && is_line(w, "acked")) {
			r->acked = (double)value(w, "cycles=") / w->cycles_per_ms;
			acked = start + r->acked;
		}
		if (r->gone == 0 && rss_kib(w) <= goal)
			r->gone = now_ms() - start;
		if (now_ms() - start > seconds * 1e3) {
			if (!acked)
				fail(w, "no end of acknowledgements");
			r->gone = r->gone > 0 ? r->gone : -1;
		}
	}
	r->lag = r->gone - r->acked;
}

static void run_command(const char *command, char *out, size_t size)
{
	FILE *f = popen(command, "r");
	size_t n = 0;

	if (f) {
		n = fread(out, 1, size - 1, f);
		pclose(f);
	}
	while (n && (out[n - 1] == '\n' || out[n - 1] == ' '))
		n--;
	out[n] = '\0';
}

static void finish(struct watch *w, struct result *r)
{
	say(w, 'n');
	wait_line(w, "deflated");
	r->deflated = (double)value(w, "cycles=") / w->cycles_per_ms;
	for (;;) {
		if (!next_line(w, READY_SECONDS * 1e3))
			fail(w, "the guest doesn't end");
		if (is_line(w, "verified")) {
			r->zero = value(w, "zero=");
			r->old = value(w, "old=");
			r->foreign = value(w, "foreign=");
		} else if (is_line(w, "end")) {
			break;
		}
	}
	r->status = value(w, "status=");
}

static void print_result(const struct result *r)
{
	printf("{\"pages\": %lu, \"acked_ms\": %.3f, ", r->pages, r->acked);
	if (r->gone < 0)
		printf("\"gone_ms\": null, \"lag_ms\": null, ");
	else
		printf("\"gone_ms\": %.3f, \"lag_ms\": %.3f, ", r->gone, r->lag);
	printf("\"deflated_ms\": %.3f, \"rss_kib\": [%lu, %lu], \"zero\": %lu, \"old\": %lu, "
	       "\"foreign\": %lu, \"status\": %lu, \"place\": \"%s\", \"at_end\": %s}\n",
	       r->deflated, r->before, r->after, r->zero, r->old, r->foreign, r->status,
	       r->place, *r->at_end ? r->at_end : "null");
}

int main(int argc, char **argv)
{
	static struct watch w = {.pid = -1};
	static struct result r = {.place = "split"};
	bool no_thp = false, wait_gone = true;
	const char *at_end = NULL;
	double seconds = 20;
	int opt;

	while ((opt = getopt(argc, argv, "+tnp:s:a:")) != -1) {
		if (opt == 't')
			no_thp = true;
		else if (opt == 'n')
			wait_gone = false;
		else if (opt == 'p')
			r.place = optarg;
		else if (opt == 's')
			seconds = atof(optarg);
		else if (opt == 'a')
			at_end = optarg;
		else
			return 2;
	}
	if (optind == argc)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	w.cycles_per_ms = measure_tsc();
	spawn(&w, argv + optind, no_thp);
	wait_line(&w, "begin");
	r.pages = value(&w, "pages=");
	wait_line(&w, "ready");
	if (strcmp(r.place, "free") && !pin(w.pid, strcmp(r.place, "one")))
		r.place = "free";
	r.before = rss_kib(&w);
	be_prompt();
	say(&w, 'g');
	wait_line(&w, "start");
	measure(&w, &r, wait_gone, seconds);
	r.after = rss_kib(&w);
	if (at_end)
		run_command(at_end, r.at_end, sizeof(r.at_end));
	finish(&w, &r);
	waitpid(w.pid, NULL, 0);
	print_result(&r);
	return r.status || r.foreign ? 1 : 0;
}
