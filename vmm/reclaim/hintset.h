/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages that a guest said were free (free page hints, virtio 1.2 section 5.5.6.5), while
 * one session lasts: one bit per 4 KiB page, by gmem's index. 32 MiB per TiB of guest memory
 * whatever the guest says, of which only the parts that are used take memory.
 *
 * A hint is the past: the guest may have used the page again since. So nobody acts on a set
 * before the pages are taken off it that were written since the session began, by the guest
 * (vmm/kvm/dirty.h) or by a device (gmem_dirty()), while neither can write more:
 *
 *   vCPUs parked -> hintset_drop() with each log -> hintset_next() ... -> vCPUs run
 *
 * Many guests (Linux with init_on_alloc, the default of some distributions) fill every block
 * with zeros when they allocate it for the hint: all of it is written then, and nothing would
 * be left. But a page of zeros may be discarded whoever uses it. So before vCPUs are parked:
 *
 *   fetch the guest's log -> hintset_mask() -> arm just these pages anew -> hintset_drop_used()
 *
 * takes off what was written and isn't zero, and leaves to the second fetch to tell of those
 * that were written since. Nothing is added to the set any more by then: a page that was hinted
 * again in between might lose the mark of a write. If the guest goes on hinting, into another
 * set, the pages that were armed anew are dropped from that one.
 *
 * What is left has no contents that anyone will miss: a balloon discards it, a snapshot or a
 * round of a migration leaves it out.
 *
 * Not thread-safe: whoever collects and whoever uses it share a lock, or take turns.
 */
#ifndef AEROSTAT_RECLAIM_HINTSET_H
#define AEROSTAT_RECLAIM_HINTSET_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem/gmem.h"

struct hintset;

/* An empty set. mem must outlive it. NULL when out of memory. */
struct hintset *hintset_create(const struct gmem *mem);
void hintset_destroy(struct hintset *s); /* NULL is fine */

/*
 * Add the whole pages inside [gpa, gpa + len), any numbers. Returns how many weren't in the set
 * yet. A range that isn't inside one region of RAM has no such pages.
 */
uint64_t hintset_add(struct hintset *s, uint64_t gpa, uint64_t len);

/* Take off the pages whose bit is set; map has a bit for each page of gmem. */
void hintset_drop(struct hintset *s, const uint64_t *map);

/* Clear the bits of map that are no pages of the set. */
void hintset_mask(const struct hintset *s, uint64_t *map);

/*
 * Take off, of the pages whose bit is set, those that hold anything but zeros. Looks at most at
 * max of them, from index *at on, which is 0 at first and moves. True: call again. The guest
 * may run: a page that it writes meanwhile is taken off or not.
 */
bool hintset_drop_used(struct hintset *s, const uint64_t *map, uint64_t *at, uint64_t max);

/* Pages in the set. Counted anew: milliseconds per TiB. */
uint64_t hintset_pages(const struct hintset *s);

/*
 * The first run of pages of the set at or after index *at: *start and *n, at most max pages
 * (positive), inside one region; *at moves behind it. whole: only whole pages of the host, all
 * of whose 4 KiB are in the set (for discards: a huge page of the pool goes back as a whole);
 * max is a multiple of those then. False: no more.
 */
bool hintset_next(const struct hintset *s, uint64_t *at, uint64_t max, bool whole,
		  uint64_t *start, uint64_t *n);

#endif
