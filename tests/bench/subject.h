/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor that is measured, with a stock guest in it: started as a child, its guest driven
 * over the serial line on the monitor's standard input and output (guest/commands.c), itself
 * over its QMP socket. Every monitor is driven by these same calls. What goes wrong ends the
 * program: one line on standard error, exit status 1, the monitor killed.
 */
#ifndef AEROSTAT_TESTS_BENCH_SUBJECT_H
#define AEROSTAT_TESTS_BENCH_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/bench/child.h"

#define SUBJECT_REPLY_MAX 16384

struct subject {
	pid_t pid;
	int to;			       /* the guest's serial line */
	struct lines serial, control;  /* from there, and to and from QMP's socket */
	char line[1024];	       /* the guest's last one */
	char reply[SUBJECT_REPLY_MAX]; /* QMP's last "return" or "error" */
};

_Noreturn void subject_fail(struct subject *s, const char *why);

/* Run argv and connect to the QMP socket at `path`, which it makes. */
void subject_start(struct subject *s, char **argv, const char *path);
void subject_kill(struct subject *s);

/* Wait for a line of the guest's that holds `text`; it is in s->line then. */
void subject_expect(struct subject *s, const char *text, double seconds);

/* A command of the guest's init, and its answer in s->line. Returns the milliseconds. */
double subject_command(struct subject *s, const char *command);

/* The guest writes to `mib` MiB and frees them. The milliseconds of the writing. */
double subject_touch(struct subject *s, unsigned mib);

/* QMP: send, without waiting; and whether the answer came within ms, then in s->reply. */
void subject_ask(struct subject *s, const char *json);
bool subject_answered(struct subject *s, double ms);

/* The number behind KEY in text, which is behind the first `"key":` or `key=`; -1: none. */
double number_after(const char *text, const char *key);

#endif
