/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reclaim engine: takes pages that the guest gave up, merges them into runs, and gives the
 * runs back to the host. Knows pages by pfn, guest memory, and nothing of virtio.
 *
 * Discards are synchronous: after reclaim_flush() every page taken before is gone from the
 * host, or its discard failed: counted, logged (rate-limited), and the page kept as pending.
 * Failed pages are tried again by later flushes, at most once in RECLAIM_RETRY_MS.
 *
 * Lock: none of its own; the caller serialises (the balloon calls it under its device lock).
 */
#ifndef AEROSTAT_RECLAIM_RECLAIM_H
#define AEROSTAT_RECLAIM_RECLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem/gmem.h"
#include "vmm/reclaim/discard.h"
#include "vmm/reclaim/tracker.h"

#define RECLAIM_RETRY_MS 1000

struct reclaim;

struct reclaim_stats {
	struct tracker_counts pages;
	uint64_t discard_calls;	 /* system calls made */
	uint64_t discard_bytes;	 /* bytes given back, by the calls that succeeded */
	uint64_t discard_errors; /* calls that failed */
	uint64_t bad_pfns;	 /* pfns that are not guest RAM */
};

/* mem must outlive the engine. NULL when out of memory. */
struct reclaim *reclaim_create(const struct gmem *mem);
/* As reclaim_create, with another backend than discard_sync. opaque is passed to it. */
struct reclaim *reclaim_create_with(const struct gmem *mem, const struct discard_ops *ops,
				    void *opaque);
void reclaim_destroy(struct reclaim *r); /* NULL is fine; discards nothing */

/*
 * The guest gave this page up (inflate): pending from now on. Pages that are ballooned already
 * are counted and left alone. False when pfn isn't guest RAM (counted, nothing changes).
 */
bool reclaim_take(struct reclaim *r, uint32_t pfn);

/* The guest takes this page back (deflate). False when pfn isn't guest RAM (counted). */
bool reclaim_give(struct reclaim *r, uint32_t pfn);

/* Discard what is pending, merged into runs; cut only at region ends. */
void reclaim_flush(struct reclaim *r);

/* The guest owns everything again (device reset, reboot). Discards nothing. */
void reclaim_reset(struct reclaim *r);

void reclaim_stats(const struct reclaim *r, struct reclaim_stats *out);

#endif
