// SPDX-License-Identifier: Apache-2.0
/*
 * churn -q DIR -c MIB -s SECONDS -n TURNS NAME LINE [NAME LINE]...
 *
 * Start each monitor with a stock guest (guest/init.c) by its LINE for sh, which makes a QMP
 * socket DIR/NAME.sock. Then they have -n turns each, one after the other: the guest does
 * nothing but take -c MIB, write a word to each page and free them, for -s seconds. Between its
 * turns it keeps them, so that what it reports are pages it freed in its turn. A turn is short
 * beside what else happens on a shared machine: all have the same share of that.
 *
 * Prints one JSON object with sums over the turns, for each NAME:
 *   NAME_mib, NAME_ms   what the guest had, and the time by its clock
 *   NAME_*              what it cost, see counters.h; exits and the like are of all monitors
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/counters.h"
#include "tests/bench/subject.h"

#define READY_SECONDS 240
#define MONITORS_MAX  8

struct options {
	const char *sockets;
	unsigned churn, seconds, turns;
};

struct contestant {
	const char *name;
	struct subject subject;
	struct counters sums;
	double mib, ms;
};

static void start(struct contestant *c, const struct options *o, const char *name, char *line)
{
	char path[108], *argv[] = {"sh", "-c", line, NULL};

	c->name = name;
	c->subject.pid = -1;
	snprintf(path, sizeof(path), "%s/%s.sock", o->sockets, name);
	subject_start(&c->subject, argv, path);
	subject_expect(&c->subject, "guest: ready", READY_SECONDS);
	/* Every fault is for one page then. */
	subject_command(&c->subject, "write /sys/kernel/mm/transparent_hugepage/enabled never");
}

/* The first is for warming up and not counted. */
static void take_turn(struct contestant *c, const struct options *o, bool counted)
{
	struct counters before, after;
	char text[64];

	subject_command(&c->subject, "free");
	snprintf(text, sizeof(text), "churn %u %u", o->churn, o->seconds * 1000);
	counters_read(&c->subject, &before);
	subject_command(&c->subject, text);
	counters_read(&c->subject, &after);
	if (counted) {
		c->mib += number_after(c->subject.line, "churned_mib");
		c->ms += number_after(c->subject.line, "ms");
		counters_add(&c->sums, &before, &after);
	}
	snprintf(text, sizeof(text), "touch %u", o->churn);
	subject_command(&c->subject, text);
}

static void print_result(const struct contestant *c)
{
	static const struct counters zero;

	printf("\"%s_mib\": %.0f, \"%s_ms\": %.0f, ", c->name, c->mib, c->name, c->ms);
	counters_print(c->name, &zero, &c->sums);
}

static unsigned number_option(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v > 1u << 20) {
		fprintf(stderr, "churn: '%s' is not a number\n", text);
		exit(2);
	}
	return (unsigned)v;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = getopt(argc, argv, "+q:c:s:n:")) != -1) {
		if (opt == 'q')
			o->sockets = optarg;
		else if (opt == 'c')
			o->churn = number_option(optarg);
		else if (opt == 's')
			o->seconds = number_option(optarg);
		else if (opt == 'n')
			o->turns = number_option(optarg);
		else
			return false;
	}
	argc -= optind;
	return argc && argc % 2 == 0 && argc / 2 <= MONITORS_MAX && o->sockets && o->churn;
}

int main(int argc, char **argv)
{
	static struct contestant all[MONITORS_MAX];
	struct options o = {.seconds = 1, .turns = 1};
	unsigned n = 0;

	if (!parse_options(argc, argv, &o)) {
		fprintf(stderr, "usage: churn -q DIR -c MIB -s SECONDS -n TURNS NAME LINE "
				"[NAME LINE]...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (int i = optind; i < argc; i += 2)
		start(&all[n++], &o, argv[i], argv[i + 1]);
	for (unsigned turn = 0; turn <= o.turns; turn++)
		for (unsigned i = 0; i < n; i++)
			take_turn(&all[i], &o, turn > 0);
	printf("{");
	for (unsigned i = 0; i < n; i++)
		print_result(&all[i]);
	printf("\"churn_mib\": %u, \"turns\": %u}\n", o.churn, o.turns);
	fflush(stdout);
	for (unsigned i = 0; i < n; i++)
		subject_kill(&all[i].subject);
	return 0;
}
