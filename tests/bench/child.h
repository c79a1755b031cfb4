/* SPDX-License-Identifier: Apache-2.0 */
/* A monitor that is measured, as a child on pipes, and what comes from it line by line. */
#ifndef AEROSTAT_TESTS_BENCH_CHILD_H
#define AEROSTAT_TESTS_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What was read from fd and not yet taken. */
struct lines {
	int fd;
	size_t have;
	char text[65536];
};

/* Milliseconds, monotonic. */
double now_ms(void);
void nap_ms(unsigned ms);

/*
 * Run argv with pipes on its standard input and output, no_thp: without transparent huge pages.
 * It dies with this thread. Its pid; *to and *from are our ends. Negative errno on failure.
 */
pid_t child_start(char **argv, bool no_thp, int *to, int *from);

/* The next line, without its end, cut at size. 1; 0: none within ms; -1: no more, or no end. */
int lines_next(struct lines *l, char *line, size_t size, double ms);

#endif
