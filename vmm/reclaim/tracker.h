/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracker: the state of every 4 KiB page of guest RAM, by page index. It is the one truth
 * for what is to be discarded and what is accounted.
 *
 *     guest --inflate--> pending --take--> (discarding) ----> discarded
 *       ^                 |   ^                |                 |
 *       |                 |   +-----failed-----+                 |
 *       +----deflate------+-----------------------deflate--------+
 *
 * Discarding is not kept here: the engine has a short list of the runs in flight, and lets no
 * page of them be deflated.
 *
 * Pages are grouped in blocks of 2 MiB. A block whose pages are all ballooned is complete: when
 * it has pending pages it is ready to go as a whole, and no huge page is split by that. One
 * with pages of the guest in between is partial. A block of which a discard failed is parked
 * until tracker_unpark(), that is, in neither set.
 *
 * When the host's own page is larger than 4 KiB (unit > 1; 16 or 64 KiB, or a huge page of
 * hugetlb) only whole units can go: pages of an incomplete unit are held, and become pending
 * together when the last of them comes, in whatever order; a deflate of one of them makes the
 * others held again.
 *
 * Memory: a bit per page says ballooned, a bit per pair of pages says pending (a discarded page
 * whose neighbour comes is pending once more, and discarding it again costs next to nothing),
 * and 8 bytes per block: 52 MiB per TiB of guest. Marking a page is O(1), so is the next run.
 *
 * Not locked: belongs to the lock of the engine that owns it.
 */
#ifndef AEROSTAT_RECLAIM_TRACKER_H
#define AEROSTAT_RECLAIM_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#define TRACKER_BLOCK 512u /* pages: 2 MiB */

enum page_state { PAGE_GUEST, PAGE_HELD, PAGE_PENDING, PAGE_DISCARDED };

struct tracker_counts {
	uint64_t ballooned;	  /* pages now; the next four are parts of it */
	uint64_t pending;	  /* to be discarded, those of parked blocks included */
	uint64_t parked;	  /* of those, the ones in parked blocks */
	uint64_t held;		  /* of incomplete units */
	uint64_t discarded;	  /* the rest of them */
	uint64_t double_inflates; /* inflates of a page that was ballooned already */
	uint64_t stray_deflates;  /* deflates of a page that was the guest's */
};

struct tracker;

/*
 * All pages PAGE_GUEST. unit: pages in a host page, a power of two; npages is at least 1 and a
 * multiple of unit. NULL when out of memory.
 */
struct tracker *tracker_create(uint64_t npages, uint64_t unit);
void tracker_destroy(struct tracker *t); /* NULL is fine */
/* Bytes that a tracker of npages occupies when all of it is in use. */
uint64_t tracker_footprint(uint64_t npages);

/* index < npages in all of these (asserted). */
enum page_state tracker_state(const struct tracker *t, uint64_t index);

/*
 * guest -> pending or held. False (and counted) when the page was ballooned already. stamp: a
 * clock of the caller's; a block remembers that of its oldest pending page.
 */
bool tracker_inflate(struct tracker *t, uint64_t index, uint16_t stamp);

/* any -> guest; returns what it was. PAGE_GUEST is counted as stray. */
enum page_state tracker_deflate(struct tracker *t, uint64_t index);

/*
 * The first ready run from block *cursor on, wrapping around: complete blocks side by side, at
 * most max pages (or one unit when that is more), trimmed to its first and last pending page.
 * *cursor moves past it. False when there is none.
 */
bool tracker_ready_run(const struct tracker *t, uint64_t *cursor, uint64_t max, uint64_t *start,
		       uint64_t *len);

/* The first partial block at or after block, or tracker_blocks() when there is none. */
uint64_t tracker_partial_block(const struct tracker *t, uint64_t block);
uint64_t tracker_blocks(const struct tracker *t);
uint64_t tracker_partial_count(const struct tracker *t);
uint64_t tracker_ready_count(const struct tracker *t);
/* Of a block: pages pending, and the stamp of the oldest. */
unsigned tracker_block_pending(const struct tracker *t, uint64_t block);
uint16_t tracker_block_stamp(const struct tracker *t, uint64_t block);

/*
 * The first run with pending pages in the block of page from, at or after it: ballooned pages
 * only, discarded ones in between included, pending at both ends. False: none left.
 */
bool tracker_block_run(const struct tracker *t, uint64_t from, uint64_t *start, uint64_t *len);

/*
 * The run goes to the host: pending -> discarded for all of it. A run of the functions above,
 * unchanged since. Returns how many pages were pending.
 */
uint64_t tracker_take(struct tracker *t, uint64_t start, uint64_t len);

/* Its discard failed: ballooned pages of it are pending again, and its blocks are parked. */
void tracker_failed(struct tracker *t, uint64_t start, uint64_t len, uint16_t stamp);
/* Parked blocks count again. */
void tracker_unpark(struct tracker *t);

/*
 * Every page back to PAGE_GUEST; the event counters (double, stray) stay. Free when nothing is
 * ballooned, else it clears the maps.
 */
void tracker_reset(struct tracker *t);

void tracker_counts(const struct tracker *t, struct tracker_counts *out);

#endif
