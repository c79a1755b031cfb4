/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the reclaim engine share:
 *
 *   reclaim.c   what callers use: take, give, barriers, reset, stats
 *   create.c    memory layout, choice of the backend, life cycle
 *   worker.c    the thread: what goes next, to the backend and back
 *   tracker.c   states of pages
 *   discard.c   system calls; backend_*.c who makes them
 *
 * Pages go by gmem's index here. Regions begin at a multiple of 2 MiB, in gpa, hva and index,
 * wherever there is more than one: a block of the tracker is one of the host's huge pages.
 */
#ifndef AEROSTAT_RECLAIM_INTERNAL_H
#define AEROSTAT_RECLAIM_INTERNAL_H

#include <pthread.h>

#include "vmm/base/log.h"
#include "vmm/reclaim/backend.h"
#include "vmm/reclaim/reclaim.h"

/*
 * Runs in flight at once, and pages: of one run, and about of all. A deflate may have to wait
 * for all of them, and so does a guest whose backlog is full: milliseconds.
 */
#define FLIGHTS_MAX 256
#define RUN_MAX	    4096ull
#define FLYING_MAX  8192ull

struct flight {
	uint64_t start, len; /* pages */
	uint64_t pending;    /* of those, how many were pending */
	struct discard_run run;
};

struct reclaim {
	const struct gmem *mem;
	const struct backend_ops *ops;
	void *backend;
	struct discard_counters counters;
	bool sync;     /* reclaim_settle() is a barrier */
	bool threaded; /* else callers do the thread's work */
	bool huge;     /* there may be transparent huge pages */
	uint64_t backlog_max;
	pthread_t thread;

	/*
	 * Protects all that follows. Adaptive: whoever holds it is done in microseconds, and
	 * a vCPU that goes to sleep for that is not.
	 */
	pthread_mutex_t lock;
	pthread_cond_t wake; /* for the thread: there is work, or it shall end */
	pthread_cond_t done; /* for callers: something in flight is done, or was parked */
	struct tracker *tracker;
	/* In use: the first nflights, in no order. The backend knows their addresses. */
	struct flight *flight[FLIGHTS_MAX];
	unsigned nflights;
	uint64_t discarding; /* pages of flights that were pending */
	bool idle, quit;
	bool stepping;	   /* someone is in the backend */
	bool more;	   /* the last step left something that is due */
	unsigned barriers; /* callers who want everything gone */
	uint64_t ready_cursor, partial_cursor, age_cursor;
	bool ageing;	       /* a round of looking for old blocks isn't over */
	uint64_t age_round_ns; /* when it began */
	uint64_t take_ns;      /* of the last page */
	uint64_t parked_ns;    /* when the first parked block was */
	struct log_limit log;

	uint64_t backlog_peak, runs, bytes, errors, full_waits, give_waits, bad_pfns;
	struct flight flights[FLIGHTS_MAX];
};

/* Lock held, all of these. */

/* Pages that the guest gave and that are neither gone nor parked nor held. */
uint64_t reclaim_backlog(const struct reclaim *r);

/*
 * One round: pick what is due, hand it to the backend (without the lock), take in what is done.
 * With nothing due it waits for what is in flight. False when there was neither.
 */
bool reclaim_step(struct reclaim *r);

/* Wait until anything changes that a caller may wait for. */
void reclaim_await(struct reclaim *r);

/* Is any of these pages in flight? */
bool reclaim_in_flight(const struct reclaim *r, uint64_t start, uint64_t n);

void *reclaim_thread(void *reclaim);

#endif
