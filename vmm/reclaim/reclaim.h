/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reclaim engine: takes pages that the guest gave up, merges them into runs, and gives the
 * runs back to the host, later and on a thread of its own. Knows pages by pfn, guest memory,
 * and nothing of virtio.
 *
 * When a page goes:
 *   - A 2 MiB block all of whose pages are ballooned goes at the thread's next look, 1 ms at
 *     most, in one run with such blocks beside it.
 *   - Pages of other blocks wait for their neighbours. They go when nothing more came for
 *     RECLAIM_IDLE_MS or will come, when the backlog is three quarters full, and at the latest
 * when the oldest page of their block is RECLAIM_AGE_MS old and the thread gets to it. With
 *     transparent huge pages, which a discard of a part would split, RECLAIM_IDLE_HUGE_MS and
 *     RECLAIM_AGE_HUGE_MS.
 *   - With host pages larger than 4 KiB only whole ones go; parts are held until then.
 *
 * The backlog (pending pages and those being discarded) is bounded: while it is full
 * reclaim_take() discards some of it, in its own thread beside the engine's. Pages that the
 * kernel refused to discard are parked: no part of the backlog, waited for by nobody, tried
 * again every RECLAIM_RETRY_MS.
 *
 * The one rule: no page is discarded after it was given back. reclaim_give() cancels what is
 * pending and waits for what is in flight. Whoever lets the guest use a page without that (no
 * MUST_TELL_HOST, free page reporting) must have it discarded first: reclaim_barrier(),
 * reclaim_discard(). A guest that uses pages of its balloon without a word, such as a kernel
 * started by kexec without a reset of the device, may see them become zeros until the backlog
 * is gone: about RECLAIM_IDLE_MS after its last message, and what discarding a full backlog
 * takes. RECLAIM_SYNC has none of this: there every message is a barrier.
 *
 * Threads: every function may be called by any thread; reclaim_destroy() by the last. The
 * engine's lock is a leaf: it is never held around a call into anything else, nor around a
 * system call that discards. A caller that waits here may hold its own locks.
 */
#ifndef AEROSTAT_RECLAIM_RECLAIM_H
#define AEROSTAT_RECLAIM_RECLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/config/vm_config.h"
#include "vmm/mem/gmem.h"
#include "vmm/reclaim/audit.h"
#include "vmm/reclaim/tracker.h"

#define RECLAIM_IDLE_MS	     3
#define RECLAIM_IDLE_HUGE_MS 20
#define RECLAIM_AGE_MS	     250
#define RECLAIM_AGE_HUGE_MS  1000
#define RECLAIM_RETRY_MS     1000
#define RECLAIM_BACKLOG_MIN  (8ull << 20) /* bytes */

struct reclaim;
struct backend_ops;

struct reclaim_config {
	enum reclaim_kind kind;
	/*
	 * Bytes, at least RECLAIM_BACKLOG_MIN. 0: 1536 MiB, which is gone in a sixth of a
	 * second; with transparent huge pages, which go thirty times as fast when they are left
	 * to become complete, all of memory.
	 */
	uint64_t backlog_max;
};

struct reclaim_stats {
	const char *backend;		    /* "thread", "uring", "none", ... */
	bool sync;			    /* messages wait for their discards */
	struct tracker_counts pages;	    /* discarded: those in flight aren't counted */
	uint64_t discarding;		    /* pages in flight that were pending */
	uint64_t backlog_max, backlog_peak; /* pages */
	uint64_t discard_runs;		    /* ranges discarded, by reclaim_discard(), too */
	uint64_t discard_bytes;		    /* of those */
	uint64_t discard_errors;	    /* ranges that the kernel refused in every way */
	uint64_t discard_calls; /* system calls and ring requests made for all that */
	uint64_t fallbacks;	/* ranges for which the first way was refused */
	uint64_t full_waits;	/* times that reclaim_take() found the backlog full */
	uint64_t give_waits;	/* times that reclaim_give() met a page in flight */
	uint64_t bad_pfns;	/* pfns that are not guest RAM */
	uint64_t released;	/* ballooned pages that reclaim_discard() met */
};

/* Of a list of pfns, those that are not guest RAM: counted, and nothing else happens to them.
 */
struct reclaim_bad {
	size_t n;
	uint32_t first;
};

/*
 * mem must outlive the engine. NULL with *err when out of memory, or when RECLAIM_URING is
 * asked for and the kernel has no ring for us.
 */
struct reclaim *reclaim_create(const struct gmem *mem, const struct reclaim_config *cfg,
			       struct err *err);
/*
 * As reclaim_create(), with a backend of the caller's (backend.h), destroyed with the engine.
 * RECLAIM_SYNC: there is no thread, discards happen in the calls. NULL when out of memory; the
 * backend is then the caller's still.
 */
struct reclaim *reclaim_create_with(const struct gmem *mem, const struct reclaim_config *cfg,
				    const struct backend_ops *ops, void *backend);
/* NULL is fine. Waits for discards in flight; discards nothing more. */
void reclaim_destroy(struct reclaim *r);

/*
 * The guest gave these pages up (inflate): pending from now on. Pages that are ballooned
 * already are counted and left alone. While the backlog is full it makes room.
 */
void reclaim_take(struct reclaim *r, const uint32_t *pfn, size_t n, struct reclaim_bad *bad);

/*
 * A message of the guest is taken in and is about to be acknowledged. promised: the guest will
 * ask before it uses the pages again, so that those pending may stay so
 * (MUST_TELL_HOST). When it will not, or the kind is RECLAIM_SYNC, this is reclaim_barrier().
 */
void reclaim_settle(struct reclaim *r, bool promised);

/* The guest has given what it was asked for: parts of blocks don't wait for more any longer. */
void reclaim_no_more(struct reclaim *r);

/*
 * The guest takes these pages back (deflate). After return none of them is pending or being
 * discarded.
 */
void reclaim_give(struct reclaim *r, const uint32_t *pfn, size_t n, struct reclaim_bad *bad);

/*
 * A range of guest memory: whole pages of the host, at least one, inside one region of RAM.
 */
struct reclaim_range {
	uint64_t gpa, len;
};

#define RECLAIM_RANGES_MAX 64

/*
 * The guest has no use for what these n ranges hold (free page reporting), but they are its
 * own: when this returns they are discarded, and may be used again at once. n is at most
 * RECLAIM_RANGES_MAX. All is done in the calling thread, in as few system calls as it takes,
 * whatever the engine is at meanwhile. Returns the bytes that were discarded; what the kernel
 * refused keeps its contents, or a part of them, and is counted and logged.
 *
 * No page should be ballooned that is the guest's own. One that is becomes the guest's here,
 * for otherwise it could be discarded when the guest uses it again: as if given back, that is,
 * and counted as released.
 */
uint64_t reclaim_discard(struct reclaim *r, const struct reclaim_range *range, unsigned n);

struct hintset;

/* What became of hinted pages, in bytes. */
struct reclaim_hinted {
	uint64_t discarded;
	uint64_t ballooned; /* left alone: they have gone that way, or will */
	uint64_t failed;    /* refused by the kernel */
};

/*
 * reclaim_discard() for the next pages of a set (hintset.h), from index *at on, which moves: at
 * most max of them, but at least one page of the host. Parts of the host's pages are passed
 * over, and ballooned pages stay so. Adds to *sum. False: no more. Whoever might write these
 * pages, inflate or deflate them stands still.
 */
bool reclaim_discard_hinted(struct reclaim *r, const struct hintset *set, uint64_t *at,
			    uint64_t max, struct reclaim_hinted *sum);

/* Have the host back these pages now, so that the guest doesn't wait for each of them. */
void reclaim_populate(struct reclaim *r, const uint32_t *pfn, size_t n);

/* Returns when every page that was taken before is discarded, parked or held. */
void reclaim_barrier(struct reclaim *r);

/*
 * The guest owns everything again (device reset, reboot). Waits for discards in flight, cancels
 * the others.
 */
void reclaim_reset(struct reclaim *r);

/* Pages that the guest gave, whatever became of them. */
uint64_t reclaim_ballooned(struct reclaim *r);
void reclaim_stats(struct reclaim *r, struct reclaim_stats *out);

/*
 * A step of counting the pages that went back to the host and are resident in it again: see
 * audit_step(), whose arguments these are.
 */
int reclaim_audit(struct reclaim *r, uint64_t *at, struct audit *a);

#endif
