/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory: a few regions of RAM, each a stretch of guest physical addresses (gpa) backed
 * by one host mapping (hva). Everything that touches guest memory by address goes through
 * gmem_ptr(), the one length-aware translator.
 *
 * Pages are 4 KiB whatever the host's page size. Besides its pfn (gpa >> 12) a RAM page has an
 * index: its number when the holes between regions are left out. The tracker works on indices.
 *
 * Regions never change after gmem_create(), so any thread may call the functions below without
 * a lock. The contents belong to the guest and change at any time: read a field once.
 */
#ifndef AEROSTAT_MEM_GMEM_H
#define AEROSTAT_MEM_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"

#define GMEM_PAGE_SHIFT	 12
#define GMEM_PAGE_SIZE	 4096ull
#define GMEM_MAX_REGIONS 4

struct gmem_region {
	uint64_t gpa;
	uint64_t len;	/* bytes, a multiple of 4 KiB */
	uint64_t index; /* index of the first page */
	uint8_t *hva;
};

struct gmem {
	struct gmem_region region[GMEM_MAX_REGIONS]; /* ascending gpa, not overlapping */
	unsigned nregions;
	uint64_t npages; /* of all regions */
};

struct gmem_span {
	uint64_t gpa;
	uint64_t len;
};

/*
 * Map private anonymous memory for each span (ascending, page-aligned, non-empty). Nothing is
 * populated. 0, or a negative errno with *err filled and *m empty.
 */
int gmem_create(struct gmem *m, const struct gmem_span *spans, unsigned nspans,
		struct err *err);
/* Unmap everything. An all-zero *m is fine. */
void gmem_destroy(struct gmem *m);

/*
 * The hva of [gpa, gpa + len), or NULL unless all of it lies inside one region. len 0 gives
 * NULL. The only way from an address of the guest to memory of ours.
 */
void *gmem_ptr(const struct gmem *m, uint64_t gpa, uint64_t len);

/* pfn -> index; false when the pfn isn't RAM. */
bool gmem_pfn_to_index(const struct gmem *m, uint64_t pfn, uint64_t *index);
/* index -> hva of that page. index < m->npages (asserted). */
uint8_t *gmem_index_to_hva(const struct gmem *m, uint64_t index);
/* How many pages from index on lie in the same region, so are contiguous in gpa and hva. */
uint64_t gmem_index_span(const struct gmem *m, uint64_t index);

/* Give all of it back to the host; it reads as zeros afterwards. Guest must not run. */
int gmem_discard_all(struct gmem *m);

/*
 * Bytes of guest memory that are resident in the host now, as /proc/self/smaps counts them; 0
 * when that can't be read. The kernel walks all of the mapping: milliseconds per resident GiB.
 */
uint64_t gmem_resident(const struct gmem *m);

#endif
