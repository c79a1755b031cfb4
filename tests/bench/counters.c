// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Sums of times that lib.sh has the kernel make. */
#define HIST(name) "/sys/kernel/tracing/events/synthetic/" name "/hist"

static bool read_text(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return false;
	n = fread(text, 1, size - 1, f);
	fclose(f);
	text[n] = '\0';
	return n > 0;
}

static bool is_thread(pid_t pid, unsigned long tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%lu", (int)pid, tid);
	return !access(path, F_OK);
}

/*
 * Lines such as "{ common_pid: 77 } hitcount: 5 ns: 1234", one for each thread: the sums for
 * those of a process, or for all when pid is 0.
 */
static void read_times(const char *path, pid_t pid, double *calls, double *seconds)
{
	static char text[1 << 18];
	char *at = text, *hits, *ns;

	if (!read_text(path, text, sizeof(text)))
		return;
	*calls = *seconds = 0;
	while ((at = strstr(at, "{ common_pid:"))) {
		unsigned long tid = strtoul(at + strlen("{ common_pid:"), NULL, 10);

		hits = strstr(at, "} hitcount:");
		ns = hits ? strstr(hits, "ns:") : NULL;
		if (!ns)
			return;
		at = ns;
		if (pid && !is_thread(pid, tid))
			continue;
		*calls += strtod(hits + strlen("} hitcount:"), NULL);
		*seconds += strtod(ns + strlen("ns:"), NULL) / 1e9;
	}
}

/*
 * proc(5): minor faults are field 10, those of KVM for the guest too; utime is 14, with the
 * guest's time in it, stime 15, guest_time 43.
 */
static void read_process(struct subject *s, double *value)
{
	double tick = (double)sysconf(_SC_CLK_TCK), entries;
	unsigned long field[44] = {0};
	char path[64], text[1024], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)s->pid);
	at = read_text(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
	if (!at)
		subject_fail(s, "cannot read the monitor's stat");
	for (unsigned i = 3; i <= 43 && (at = strchr(at, ' ')); i++)
		field[i] = strtoul(++at, NULL, 10);
	value[COUNTER_GUEST] = (double)field[43] / tick;
	read_times(HIST("guest_time"), s->pid, &entries, &value[COUNTER_GUEST]);
	value[COUNTER_USER] = (double)field[14] / tick - value[COUNTER_GUEST];
	value[COUNTER_SYS] = (double)field[15] / tick;
	value[COUNTER_FAULTS] = (double)field[10];
}

static double own_seconds(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* Idle time is exact, the other columns of /proc/stat are by ticks, some of which get lost. */
static void read_host(double *value)
{
	double tick = (double)sysconf(_SC_CLK_TCK);
	unsigned long user, nice, sys, idle, wait;
	char text[4096];

	if (!read_text("/proc/stat", text, sizeof(text)) ||
	    sscanf(text, "cpu %lu %lu %lu %lu %lu", &user, &nice, &sys, &idle, &wait) != 5)
		return;
	value[COUNTER_HOST] = now_ms() / 1e3 * (double)sysconf(_SC_NPROCESSORS_ONLN) -
			      (double)(idle + wait) / tick - value[COUNTER_GUEST] -
			      own_seconds();
}

static double kvm_counter(const char *name)
{
	char path[96], text[64];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s", name);
	return read_text(path, text, sizeof(text)) ? strtod(text, NULL) : -1;
}

static void read_own_words(struct subject *s, double *value)
{
	subject_ask(s, "{\"execute\": \"x-aerostat-stat\"}");
	if (!subject_answered(s, 60e3))
		subject_fail(s, "no answer on the QMP socket");
	value[COUNTER_MESSAGES] = number_after(s->reply, "inflate_messages");
	value[COUNTER_INTERRUPTS] = number_after(s->reply, "interrupts");
	value[COUNTER_DISCARDS] = number_after(s->reply, "discard_calls");
}

void counters_read(struct subject *s, struct counters *c)
{
	for (unsigned i = 0; i < COUNTERS; i++)
		c->value[i] = -1;
	c->at_ms = now_ms();
	read_process(s, c->value);
	read_host(c->value);
	c->value[COUNTER_EXITS] = kvm_counter("exits");
	c->value[COUNTER_MMIO] = kvm_counter("mmio_exits");
	c->value[COUNTER_HALTS] = kvm_counter("halt_exits");
	c->value[COUNTER_IRQS] = kvm_counter("irq_injections");
	read_own_words(s, c->value);
	read_times(HIST("discard_time"), 0, &c->value[COUNTER_DISCARD_CALLS],
		   &c->value[COUNTER_DISCARD_S]);
}

void counters_add(struct counters *sum, const struct counters *a, const struct counters *b)
{
	for (unsigned i = 0; i < COUNTERS; i++) {
		if (a->value[i] == -1 || b->value[i] == -1)
			sum->value[i] = -1;
		else
			sum->value[i] += b->value[i] - a->value[i];
	}
	sum->at_ms += b->at_ms - a->at_ms;
}

void counters_print(const char *prefix, const struct counters *a, const struct counters *b)
{
	static const char *const name[COUNTERS] = {
		"user_s",     "sys_s",	  "guest_s",	   "host_s",	"faults",
		"exits",      "mmio",	  "halts",	   "irqs",	"messages",
		"interrupts", "discards", "madvise_calls", "madvise_s",
	};

	for (unsigned i = 0; i < COUNTERS; i++) {
		if (a->value[i] == -1 || b->value[i] == -1)
			printf("\"%s_%s\": null, ", prefix, name[i]);
		else
			printf("\"%s_%s\": %.6g, ", prefix, name[i], b->value[i] - a->value[i]);
	}
}

double resident_kib(struct subject *s)
{
	unsigned long size, resident;
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)s->pid);
	if (!read_text(path, text, sizeof(text)) ||
	    sscanf(text, "%lu %lu", &size, &resident) != 2)
		subject_fail(s, "the monitor is gone");
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}
