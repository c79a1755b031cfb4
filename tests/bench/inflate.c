// SPDX-License-Identifier: Apache-2.0
/*
 * inflate -q SOCKET -r MIB -i MIB [-t MIB] [-l] [-n] [-p] MONITOR...
 *
 * Start a monitor with a stock guest (guest/init.c) of -r MIB, inflate its balloon by -i MIB,
 * deflate it, and print one JSON object. Both are asked for with QMP's `balloon` on SOCKET.
 *   inflate_ms, deflate_ms    from the command until the guest's `actual` is there
 *   inflate_gone_ms           until resident memory fell for the last time; null: not by 7/8
 *                             (some of the amount may never have been touched)
 *   inflate_*, deflate_*      what that cost, see counters.h
 *   rss_kib                   resident before and after the inflate
 *
 * -t MIB  the guest writes to that much and frees it before the inflate (cold_touch_ms), again
 *         after the deflate (back_touch_ms: what was ballooned comes back), and once more
 *         (warm_touch_ms: everything is there)
 * -l      after that, a load in the guest that fills and verifies memory: MiB/s alone
 *         (load_alone), and during another inflate (load_beside), which takes load_inflate_ms
 * -n      memory is not given back, don't wait for it
 * -p      nothing but the inflate, with the time its driver spends in tell_host(): tell_s, and
 *         tell_calls, by a probe in the guest
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/counters.h"
#include "tests/bench/subject.h"

#define READY_SECONDS	240
#define INFLATE_SECONDS 1200
#define GONE_SECONDS	20
#define SETTLE_MS	300 /* resident memory that doesn't fall for so long doesn't fall */
#define STEP_KIB	128
#define LOOK_MS		2  /* how often resident memory is looked at */
#define ASK_MS		10 /* and how often the monitor is asked for `actual` */
#define WARM_SECONDS	2
#define LOAD_SECONDS	4

struct options {
	const char *socket;
	unsigned ram, inflate, touch;
	bool load, no_gone, profile;
};

struct phase {
	struct counters before, after;
	double rss_before, rss_after;
	double ms, gone_ms; /* gone_ms -1: resident memory didn't fall by it */
};

static void set_target(struct subject *s, const struct options *o, unsigned mib)
{
	char text[96];

	snprintf(text, sizeof(text),
		 "{\"execute\": \"balloon\", \"arguments\": {\"value\": %llu}}",
		 (unsigned long long)(o->ram - mib) << 20);
	subject_ask(s, text);
	if (!subject_answered(s, 60e3) || strstr(s->reply, "\"error\""))
		subject_fail(s, "the monitor refused a balloon command");
}

/* Resident memory falls in steps; the last of them is when it is gone. */
struct falling {
	double goal, lowest; /* KiB */
	double at;	     /* when it was that low first */
};

static void look_at_memory(struct subject *s, struct falling *f)
{
	double kib = resident_kib(s);

	if (kib <= f->lowest - STEP_KIB) {
		f->lowest = kib;
		f->at = now_ms();
	}
}

/* Ask every ASK_MS what the guest has, without waiting for the answer; true: it has `keeps`. */
static bool look_at_guest(struct subject *s, double keeps, double *asked)
{
	if (*asked < 0 && subject_answered(s, LOOK_MS)) {
		*asked = now_ms();
		return number_after(s->reply, "actual") == keeps;
	}
	if (*asked >= 0) {
		nap_ms(LOOK_MS);
		if (now_ms() - *asked >= ASK_MS) {
			subject_ask(s, "{\"execute\": \"query-balloon\"}");
			*asked = -1;
		}
	}
	return false;
}

static bool memory_is_gone(const struct falling *f, double since)
{
	double now = now_ms();

	return (f->lowest <= f->goal && now - f->at > SETTLE_MS) ||
	       now - since > GONE_SECONDS * 1e3;
}

/* Ask for the target and watch until it is reached; and, for wait_gone, memory gone with it. */
static void move_balloon(struct subject *s, const struct options *o, unsigned mib,
			 bool wait_gone, struct phase *p)
{
	double keeps = (double)(o->ram - mib) * 1048576, asked = 0, start;
	struct falling f;

	counters_read(s, &p->before);
	p->rss_before = f.lowest = resident_kib(s);
	f.goal = f.lowest - (double)mib * 1024 * 7 / 8;
	f.at = start = now_ms();
	set_target(s, o, mib);
	while (!look_at_guest(s, keeps, &asked)) {
		look_at_memory(s, &f);
		if (now_ms() - start > INFLATE_SECONDS * 1e3)
			subject_fail(s, "the target isn't reached");
	}
	p->ms = now_ms() - start;
	while (wait_gone && !memory_is_gone(&f, start + p->ms)) {
		nap_ms(LOOK_MS);
		look_at_memory(s, &f);
	}
	p->gone_ms = wait_gone && f.lowest <= f.goal ? f.at - start : -1;
	counters_read(s, &p->after);
	p->rss_after = resident_kib(s);
}

static void print_phase(const char *name, const struct phase *p)
{
	printf("\"%s_ms\": %.1f, ", name, p->ms);
	if (p->gone_ms < 0)
		printf("\"%s_gone_ms\": null, ", name);
	else
		printf("\"%s_gone_ms\": %.1f, ", name, p->gone_ms);
	counters_print(name, &p->before, &p->after);
}

/* MiB that the guest's load did in so many seconds, and beside an inflate after that. */
static double load_mib(struct subject *s, const struct options *o, unsigned seconds,
		       struct phase *p)
{
	subject_command(s, "busy on");
	nap_ms(seconds * 1000);
	if (p)
		move_balloon(s, o, o->inflate, false, p);
	subject_command(s, "busy off");
	return number_after(s->line, "verified_mib");
}

/* What it does while it warms up is taken off: the same each time, for it draws by one seed. */
static void run_load(struct subject *s, const struct options *o)
{
	double warm, alone, beside;
	struct phase p;

	warm = load_mib(s, o, WARM_SECONDS, NULL);
	alone = load_mib(s, o, WARM_SECONDS + LOAD_SECONDS, NULL) - warm;
	beside = load_mib(s, o, WARM_SECONDS, &p) - warm;
	printf("\"load_alone\": %.1f, \"load_beside\": %.1f, \"load_inflate_ms\": %.1f, ",
	       alone / LOAD_SECONDS, beside < 0 ? 0 : beside * 1e3 / p.ms, p.ms);
}

/* The sum of the times in tell_host(), by the guest's kernel. */
static void probe_guest(struct subject *s)
{
	static const char *const setup[][2] = {
		{"kprobe_events", "p:bench/told tell_host"},
		{"kprobe_events", "r:bench/telling tell_host"},
		{"synthetic_events", "tell_time u64 ns"},
		{"events/bench/told/trigger", "hist:keys=common_pid:t=common_timestamp"},
		{"events/bench/telling/trigger", "hist:keys=common_pid:d=common_timestamp-$t:"
						 "onmatch(bench.told).trace(tell_time,$d)"},
		{"events/synthetic/tell_time/trigger", "hist:keys=common_pid:vals=ns"},
	};
	char text[256];

	for (size_t i = 0; i < sizeof(setup) / sizeof(setup[0]); i++) {
		snprintf(text, sizeof(text), "write /sys/kernel/tracing/%s %s", setup[i][0],
			 setup[i][1]);
		subject_command(s, text);
	}
}

static void print_probe(struct subject *s)
{
	double calls = 0, ns = 0;

	subject_command(s,
			"grep hitcount: /sys/kernel/tracing/events/synthetic/tell_time/hist");
	for (char *at = s->line; (at = strstr(at, "} hitcount:"));) {
		calls += strtod(at + strlen("} hitcount:"), NULL);
		at = strstr(at, "ns:");
		if (!at)
			subject_fail(s, "the guest's probe says nothing");
		ns += strtod(at + strlen("ns:"), NULL);
	}
	printf("\"tell_calls\": %.0f, \"tell_s\": %.6f, ", calls, ns / 1e9);
}

static void run(struct subject *s, const struct options *o)
{
	bool wait_gone = o->touch && !o->no_gone;
	struct phase in, out;

	if (o->profile)
		probe_guest(s);
	if (o->touch)
		printf("\"cold_touch_ms\": %.1f, ", subject_touch(s, o->touch));
	move_balloon(s, o, o->inflate, wait_gone, &in);
	print_phase("inflate", &in);
	if (o->profile) {
		print_probe(s);
	} else {
		move_balloon(s, o, 0, false, &out);
		print_phase("deflate", &out);
		if (o->touch) {
			printf("\"back_touch_ms\": %.1f, ", subject_touch(s, o->touch));
			printf("\"warm_touch_ms\": %.1f, ", subject_touch(s, o->touch));
		}
		if (o->load)
			run_load(s, o);
	}
	printf("\"rss_kib\": [%.0f, %.0f]}\n", in.rss_before, in.rss_after);
}

static unsigned mib_option(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v > 1u << 24) {
		fprintf(stderr, "inflate: '%s' is not a number of MiB\n", text);
		exit(2);
	}
	return (unsigned)v;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = getopt(argc, argv, "+q:r:i:t:lnp")) != -1) {
		if (opt == 'q')
			o->socket = optarg;
		else if (opt == 'r')
			o->ram = mib_option(optarg);
		else if (opt == 'i')
			o->inflate = mib_option(optarg);
		else if (opt == 't')
			o->touch = mib_option(optarg);
		else if (opt == 'l')
			o->load = true;
		else if (opt == 'n')
			o->no_gone = true;
		else if (opt == 'p')
			o->profile = true;
		else
			return false;
	}
	return optind < argc && o->socket && o->inflate && o->inflate < o->ram;
}

int main(int argc, char **argv)
{
	static struct subject s = {.pid = -1};
	struct options o = {0};
	double start;

	if (!parse_options(argc, argv, &o)) {
		fprintf(stderr,
			"usage: inflate -q SOCKET -r MIB -i MIB [-t MIB] [-l] [-n] [-p] "
			"MONITOR...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	start = now_ms();
	subject_start(&s, argv + optind, o.socket);
	subject_expect(&s, "guest: ready", READY_SECONDS);
	printf("{\"ram_mib\": %u, \"inflate_mib\": %u, \"touch_mib\": %u, \"ready_ms\": %.1f, ",
	       o.ram, o.inflate, o.touch, now_ms() - start);
	run(&s, &o);
	subject_kill(&s);
	return 0;
}
