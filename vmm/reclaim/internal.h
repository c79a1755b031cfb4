/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the reclaim engine share:
 *
 *   reclaim.c   what callers use: take, give, barriers, reset, stats
 *   ranges.c    discarding what the guest keeps
 *   hinted.c    of that, what a set of hints names
 *   create.c    memory layout, choice of the backend, life cycle
 *   pick.c      what goes next
 *   worker.c    the thread and its helpers: to the backend and back
 *   tracker.c   states of pages
 *   discard.c   system calls; backend_*.c who makes them
 *
 * Pages go by gmem's index here. Regions begin at a multiple of 2 MiB, in gpa, hva and index,
 * wherever there is more than one: a block of the tracker is one of the host's huge pages.
 */
#ifndef AEROSTAT_RECLAIM_INTERNAL_H
#define AEROSTAT_RECLAIM_INTERNAL_H

#include <pthread.h>

#include "vmm/base/clock.h"
#include "vmm/base/log.h"
#include "vmm/reclaim/backend.h"
#include "vmm/reclaim/reclaim.h"

/*
 * Runs in flight at once, and pages: of one run, and about of all. A deflate may have to wait
 * for all of them, and so does a guest whose backlog is full: milliseconds.
 */
#define PICK_FLIGHTS 256
#define RUN_MAX	     4096ull
#define FLYING_MAX   8192ull
/* Of a caller that finds the backlog full, beside those. */
#define HELP_FLIGHTS 256
#define HELP_PAGES   4096ull
#define FLIGHTS_MAX  (PICK_FLIGHTS + HELP_FLIGHTS)

struct flight {
	uint64_t start, len; /* pages */
	uint64_t pending;    /* of those, how many were pending */
	bool helped;	     /* discarded by a caller, not by way of the thread */
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
	unsigned nhelped;    /* of those, in the hands of a caller; one at a time helps */
	uint64_t discarding; /* pages of flights that were pending */
	uint64_t helping;    /* of those, of flights in the hands of a caller */
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

	uint64_t backlog_peak, runs, bytes, errors, full_waits, give_waits, bad_pfns, released;
	struct flight flights[FLIGHTS_MAX];
};

/* How to discard len bytes of a region from offset off on. */
static inline struct discard_run reclaim_run(const struct gmem_region *g, uint64_t off,
					     uint64_t len)
{
	return (struct discard_run){
		.hva = g->hva + off,
		.len = len,
		.fd = g->backing == GMEM_ANON ? -1 : g->fd,
		.fd_off = g->fd_off + off,
		.advice = g->dontneed,
	};
}

/* Lock held, all of these. */

/* The kernel refused a run: count and log that. */
void reclaim_refused(struct reclaim *r, const struct discard_run *run);

/* Pages that the guest gave and that are neither gone nor parked nor held. */
uint64_t reclaim_backlog(const struct reclaim *r);

/* The stamp that tracker_inflate() gets: milliseconds, and they wrap. */
static inline uint16_t reclaim_stamp(uint64_t ns)
{
	return (uint16_t)(ns / NSEC_PER_MSEC);
}

/* Launch what is due, as the last flights; and for a caller that helps: how many. */
void reclaim_pick(struct reclaim *r, uint64_t now);
unsigned reclaim_pick_help(struct reclaim *r);

/*
 * One round: pick what is due, hand it to the backend (without the lock), take in what is done.
 * With nothing due it waits for what is in flight. False when there was neither.
 */
bool reclaim_step(struct reclaim *r);

/*
 * The backlog is full: discard a part of it in this thread, beside the engine's own, instead of
 * waiting for that. False when there is nothing to do, or someone does it already.
 */
bool reclaim_help(struct reclaim *r);

/* Wait until anything changes that a caller may wait for. */
void reclaim_await(struct reclaim *r);

/* Is any of these pages in flight? */
bool reclaim_in_flight(const struct reclaim *r, uint64_t start, uint64_t n);

void *reclaim_thread(void *reclaim);

#endif
