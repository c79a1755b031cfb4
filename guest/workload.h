/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads: children that use memory while the command loop goes on, one that is busy, one that
 * asks for too much; and one that does nothing but page faults.
 */
#ifndef AEROSTAT_GUEST_WORKLOAD_H
#define AEROSTAT_GUEST_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/memory.h"

struct busy_report {
	uint64_t rounds;	 /* blocks filled, held for a while, verified and unmapped */
	uint64_t bytes;		 /* verified in them */
	struct wrong_word wrong; /* where it stopped; addr 0: no error */
	bool died; /* ended by a signal that was not ours, such as the OOM killer's */
};

/*
 * A child that keeps a changing set of blocks, at most half of what is available at a time,
 * verifies each before it gives it back, and goes on until it is stopped or finds a wrong word.
 * 0, -EALREADY, or another negative errno.
 */
int busy_start(void);

/* Ends the child. 0 or -ENOENT when there is none. */
int busy_stop(struct busy_report *report);

struct oom_report {
	uint64_t touched;	 /* bytes filled before the end */
	bool killed;		 /* by the OOM killer */
	struct wrong_word wrong; /* addr 0: no error, or killed before the check */
};

/*
 * A child, the OOM killer's first choice, that fills `len` bytes, verifies them and ends.
 * Waits for it. 0 or a negative errno.
 */
int oom_run(size_t len, struct oom_report *report);

struct churn_report {
	uint64_t bytes; /* mapped, touched and unmapped */
	uint64_t ms;
};

/*
 * Map `len` bytes, write a word to each page and unmap them, again and again until `ms`
 * milliseconds are over; no round is cut short. Nothing is verified: it measures how fast
 * memory is to be had. 0 or a negative errno.
 */
int churn_run(size_t len, uint64_t ms, struct churn_report *report);

#endif
