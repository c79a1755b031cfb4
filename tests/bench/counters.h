/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host's kernel counts for a monitor. Differences of two readings are what a phase
 * cost. A field is -1 where the kernel or the monitor doesn't have it.
 */
#ifndef AEROSTAT_TESTS_BENCH_COUNTERS_H
#define AEROSTAT_TESTS_BENCH_COUNTERS_H

#include "tests/bench/subject.h"

enum counter {
	COUNTER_USER,	/* s, the process in user mode, the guest's time not included */
	COUNTER_SYS,	/* s, the process in the kernel */
	COUNTER_GUEST,	/* s, between the entries into the guest and the exits */
	COUNTER_HOST,	/* s, all CPUs busy, less the guest's time and this program's own */
	COUNTER_FAULTS, /* pages that the process, guest included, asked the host for */
	COUNTER_EXITS,	/* KVM's, in all of the host, where only this monitor runs; as are: */
	COUNTER_MMIO,	/* exits to the monitor for a device's register */
	COUNTER_HALTS,
	COUNTER_IRQS,	  /* interrupts delivered to the guest */
	COUNTER_MESSAGES, /* what aerostat says of itself: inflate messages */
	COUNTER_INTERRUPTS,
	COUNTER_DISCARDS,      /* calls */
	COUNTER_DISCARD_CALLS, /* by the kernel's count, when profiled */
	COUNTER_DISCARD_S,     /* and how long they took, of all threads together */
	COUNTERS
};

struct counters {
	double at_ms;
	double value[COUNTERS];
};

void counters_read(struct subject *s, struct counters *c);

/* Add b - a to sum, which is all zeros at first. */
void counters_add(struct counters *sum, const struct counters *a, const struct counters *b);

/* "prefix_NAME": difference, for each; null for what there isn't. Ends with ", ". */
void counters_print(const char *prefix, const struct counters *a, const struct counters *b);

/* Resident memory of the process in KiB. */
double resident_kib(struct subject *s);

#endif
