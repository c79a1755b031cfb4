/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One region of guest memory and the host memory behind it. For gmem.c only; everything else
 * uses gmem.h. Not for the time a guest runs, but backing_discard().
 */
#ifndef AEROSTAT_MEM_BACKING_H
#define AEROSTAT_MEM_BACKING_H

#include "vmm/mem/gmem.h"

/* What hva and gpa have in common below this: a huge page of the host's page tables. */
#define BACKING_ALIGN (2ull << 20)

/*
 * Bytes of the host's own page: 4 KiB, on arm64 also 16 or 64. Less than that of any memory
 * can't go back to the host. Any thread.
 */
uint64_t backing_host_page(void);

/*
 * Map r, of which gpa, len and index are set; the first two are multiples of the page that
 * memory of this kind has (asserted). 0, or a negative errno with *err filled and nothing
 * mapped. -ENOMEM of GMEM_HUGETLB: the host's pool has not enough pages.
 */
int backing_map(struct gmem_region *r, const struct gmem_config *cfg, struct err *err);
void backing_unmap(struct gmem_region *r);

/* Lock pages as they are touched, and find the advice that frees them all the same. */
int backing_lock(struct gmem_region *r, struct err *err);
/* Have all of it in memory now. 0 or a negative errno; contents stay. */
int backing_populate(const struct gmem_region *r);

/* Free all of it. `unlock`: it is locked, and the kernel has no advice for that. */
int backing_discard(const struct gmem_region *r, bool unlock);

/*
 * Take back the promise of the host's pool that a discard of huge pages gave up, for all of
 * the region. 0 (always, for other memory), or -ENOMEM: the pool has not enough.
 */
int backing_reserve(const struct gmem_region *r);

/* Huge pages of this size that nobody has reserved; -1: the host has none of this size. */
int64_t backing_hugepages_free(uint64_t size);

/* May a mapping have transparent huge pages when it asks for them? Else *path is why. */
bool backing_thp_allowed(enum gmem_backing backing, const char **path);
/* Does every such mapping get them, without asking? */
bool backing_thp_default(enum gmem_backing backing);

#endif
