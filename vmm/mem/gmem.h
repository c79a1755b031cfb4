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
 * a lock, where they don't say otherwise. The contents belong to the guest and change at any
 * time: read a field once.
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

/* Where guest memory comes from, and so how it goes back to the host. */
enum gmem_backing {
	GMEM_ANON,    /* private anonymous memory: madvise with region.dontneed */
	GMEM_MEMFD,   /* shared memory of a memfd: a hole in the file */
	GMEM_HUGETLB, /* a memfd of hugetlb pages: a hole of whole huge pages */
};

/* Transparent huge pages for anon and memfd: as the host has it, MADV_HUGEPAGE, or never. */
enum gmem_thp { GMEM_THP_DEFAULT, GMEM_THP_ON, GMEM_THP_OFF };

struct gmem_config {
	enum gmem_backing backing;
	uint64_t hugepage; /* bytes, for GMEM_HUGETLB: a size this host has pages of */
	enum gmem_thp thp;
	bool prealloc; /* populate now, so that it can't run out later */
	bool lock;     /* never swapped: each page is locked when it's first touched */
};

struct gmem_region {
	uint64_t gpa;
	uint64_t len;	/* bytes, a multiple of 4 KiB and of the host page */
	uint64_t index; /* index of the first page */
	/*
	 * Congruent to gpa modulo 2 MiB (and modulo the host page): only then can KVM map a
	 * guest's huge page by a host's, and only then is a block of the one a block of the
	 * other.
	 */
	uint8_t *hva;
	enum gmem_backing backing;
	unsigned page_shift; /* log2 of the least that can be discarded, at multiples of it */
	int dontneed;	     /* GMEM_ANON: the advice that frees pages (differs when locked) */
	int fd;		     /* the memfd, or -1 for GMEM_ANON */
	uint64_t fd_off;     /* where in it the region begins */
	void *reserved;	     /* the address range around hva: the rest of it faults */
	size_t reserved_len;
};

struct gmem {
	struct gmem_region region[GMEM_MAX_REGIONS]; /* ascending gpa, not overlapping */
	unsigned nregions;
	uint64_t npages; /* of all regions */
	struct gmem_config config;
	bool discards; /* false: the kernel can't free parts of it (locked, before 5.18) */

	uint64_t *dirty;     /* while gmem_dirty_start() holds: dirty_map; else NULL */
	uint64_t *dirty_map; /* kept for the next time */
};

struct gmem_span {
	uint64_t gpa;
	uint64_t len;
};

/*
 * Map memory for each span (ascending, page-aligned, non-empty; what isn't aligned to the
 * host's page, or a huge page for GMEM_HUGETLB, is an error of the user's). Nothing is
 * populated unless the config says so. Huge pages are reserved in the host's pool: a VM that
 * gets through here has them, until it gives some back. 0, or a negative errno with *err filled
 * and *m empty.
 */
int gmem_create_with(struct gmem *m, const struct gmem_span *spans, unsigned nspans,
		     const struct gmem_config *cfg, struct err *err);
/* The same with private anonymous memory and all else at its default. */
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
/* index -> its region; index -> hva of that page. index < m->npages (asserted). */
const struct gmem_region *gmem_region_of(const struct gmem *m, uint64_t index);
uint8_t *gmem_index_to_hva(const struct gmem *m, uint64_t index);
/* How many pages from index on lie in the same region, so are contiguous in gpa and hva. */
uint64_t gmem_index_span(const struct gmem *m, uint64_t index);

/*
 * Give all of it back to the host; it reads as zeros afterwards (and is populated again, when
 * the config says so and the host can). Guest must not run. 0 or a negative errno.
 */
int gmem_discard_all(struct gmem *m);

/*
 * The devices' dirty log: which pages did this process write? KVM's own (vmm/kvm/dirty.h)
 * doesn't see that. Whoever writes guest memory while a guest runs calls gmem_dirty() after the
 * write; while no log is on that costs one branch. Loading a guest and discarding need none.
 *
 * gmem_dirty_start() begins with an empty log: 0 or a negative errno. It, gmem_dirty_stop() and
 * readers of the map are the main thread's, one log at a time. Devices may go on meanwhile: a
 * write that races with the start may be missed, so start it before you ask the guest for
 * anything, and a page may be marked that wasn't written since. A map is exact when vCPUs are
 * parked, and what the main thread and others do for devices has come to rest. 32 MiB per TiB,
 * of which only the parts that are used take memory.
 */
int gmem_dirty_start(struct gmem *m);
void gmem_dirty_stop(struct gmem *m); /* also without a log */

/* Bit i: the page of index i was written. NULL: no log is on. */
static inline const uint64_t *gmem_dirty_map(const struct gmem *m)
{
	return __atomic_load_n(&m->dirty, __ATOMIC_ACQUIRE);
}

/* For gmem_dirty(). The range is RAM, in one region. */
void gmem_dirty_mark(const struct gmem *m, uint64_t *map, uint64_t gpa, uint64_t len);

/* [gpa, gpa + len), which lies in one region of RAM (asserted), was written. Any thread. */
static inline void gmem_dirty(const struct gmem *m, uint64_t gpa, uint64_t len)
{
	uint64_t *map = __atomic_load_n(&m->dirty, __ATOMIC_ACQUIRE);

	if (__builtin_expect(map != NULL, 0))
		gmem_dirty_mark(m, map, gpa, len);
}

/*
 * Bytes of guest memory that are resident in the host now, as /proc/self/smaps counts them, or
 * for GMEM_HUGETLB as the file does; 0 when that can't be read. The kernel walks all of the
 * mapping: milliseconds per resident GiB.
 */
uint64_t gmem_resident(const struct gmem *m);

/* What /proc/self/statm counts of it: huge pages of the pool are no part of a process's RSS. */
uint64_t gmem_resident_in_rss(const struct gmem *m, uint64_t resident);

/* Who counted resident pages. By what a kernel has; the answers differ in what they call so. */
enum gmem_method {
	GMEM_PAGEMAP_SCAN, /* anon, Linux 6.7: in memory or swapped out, but no zero page */
	GMEM_MINCORE,	   /* anon: in memory, also a shared zero page; hugetlb */
	GMEM_SEEK_DATA,	   /* memfd: in memory or swapped out */
};
const char *gmem_method_name(enum gmem_method method); /* "pagemap-scan", ... */

/*
 * Which of the pages [index, index + n) are resident: the bits [0, n) of map, which is written
 * as a whole. n is within gmem_index_span(index) (asserted). Sets *method. 0 or a negative
 * errno. Costs little where nothing is resident.
 */
int gmem_resident_map(const struct gmem *m, uint64_t index, uint64_t n, uint64_t *map,
		      enum gmem_method *method);

#define GMEM_WARNINGS_MAX 4

/* What a user may want to know. Texts are static. */
struct gmem_info {
	const char *backing; /* "anon", "memfd", "hugetlb" */
	const char *thp;     /* "default", "on", "off"; "none" for hugetlb */
	uint64_t host_page;  /* bytes: the least that goes back */
	bool prealloc, lock;
	const char *warning[GMEM_WARNINGS_MAX];
	unsigned nwarnings;
};
void gmem_query(const struct gmem *m, struct gmem_info *out);

#endif
