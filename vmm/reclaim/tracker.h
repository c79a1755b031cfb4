/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inflate-page tracker: the state of every 4 KiB page of guest RAM, by page index
 * (see gmem.h). It is the one truth for what is to be discarded and what is accounted.
 *
 *     guest --inflate--> pending --discarded--> discarded
 *       ^                   |                       |
 *       +------deflate------+-----------deflate-----+
 *
 * Kept as bitmaps with a summary (one bit per word of the pending bitmap), so that marking a
 * page is O(1) and finding the next pending run skips 4096 pages a word (the run itself is
 * measured 64 pages a word).
 * Memory: a little over 2 bits per page, 64 MiB per TiB of guest.
 *
 * Not locked: belongs to the lock of the engine that owns it.
 */
#ifndef AEROSTAT_RECLAIM_TRACKER_H
#define AEROSTAT_RECLAIM_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

enum page_state { PAGE_GUEST, PAGE_PENDING, PAGE_DISCARDED };

struct tracker_counts {
	uint64_t pending, discarded; /* pages now; ballooned is their sum */
	uint64_t double_inflates;    /* inflates of a page that was ballooned already */
	uint64_t stray_deflates;     /* deflates of a page that was the guest's */
};

struct tracker;

/* All pages PAGE_GUEST. NULL when out of memory. npages at least 1. */
struct tracker *tracker_create(uint64_t npages);
void tracker_destroy(struct tracker *t); /* NULL is fine */

/* index < npages in all of these (asserted). */
enum page_state tracker_state(const struct tracker *t, uint64_t index);

/* guest -> pending. False (and counted) when the page was ballooned already. */
bool tracker_inflate(struct tracker *t, uint64_t index);

/* any -> guest; returns what it was. PAGE_GUEST is counted as stray. */
enum page_state tracker_deflate(struct tracker *t, uint64_t index);

/*
 * The first run of pending pages at or after from: [*start, *start + *len). False when there
 * is none. Runs are maximal; the caller cuts them at region ends.
 */
bool tracker_next_pending(const struct tracker *t, uint64_t from, uint64_t *start,
			  uint64_t *len);

/* pending -> discarded for [start, start + len), all of which must be pending (asserted). */
void tracker_discarded(struct tracker *t, uint64_t start, uint64_t len);

/*
 * Every page back to PAGE_GUEST; the event counters (double, stray) stay. Free when nothing is
 * ballooned, else it clears the maps.
 */
void tracker_reset(struct tracker *t);

void tracker_counts(const struct tracker *t, struct tracker_counts *out);

#endif
