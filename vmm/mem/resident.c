// SPDX-License-Identifier: Apache-2.0
/* Which guest memory is resident in the host: how much in all, and page by page. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/bitmap.h"
#include "vmm/base/size.h"
#include "vmm/mem/backing.h"
#include "vmm/mem/gmem.h"

/* ---- in all ---- */

static bool is_guest_memory(const struct gmem *m, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		uint64_t first = (uintptr_t)m->region[i].hva;

		if (start < first + m->region[i].len && end > first)
			return true;
	}
	return false;
}

static uint64_t resident_by_smaps(const struct gmem *m)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	uint64_t bytes = 0;
	bool guest = false;
	char line[512];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end, kib;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			guest = is_guest_memory(m, start, end);
		else if (guest && sscanf(line, "Rss: %lu kB", &kib) == 1)
			bytes += kib * KIB;
	}
	fclose(f);
	return bytes;
}

/* The pool's pages are not swapped, so what a file of them has allocated is resident. */
static uint64_t resident_by_blocks(const struct gmem *m)
{
	uint64_t bytes = 0;
	struct stat st;

	for (unsigned i = 0; i < m->nregions; i++) {
		if (!fstat(m->region[i].fd, &st))
			bytes += (uint64_t)st.st_blocks * 512;
	}
	return bytes;
}

uint64_t gmem_resident(const struct gmem *m)
{
	return m->config.backing == GMEM_HUGETLB ? resident_by_blocks(m) : resident_by_smaps(m);
}

uint64_t gmem_resident_in_rss(const struct gmem *m, uint64_t resident)
{
	return m->config.backing == GMEM_HUGETLB ? 0 : resident;
}

/* ---- page by page ---- */

/* A stretch of one region: its pages [first, first + n) are the bits [0, n) of map. */
struct stretch {
	const struct gmem_region *r;
	uint64_t first, n;
	uint64_t *map;
};

static uint8_t *hva_of(const struct stretch *s)
{
	return s->r->hva + (s->first << GMEM_PAGE_SHIFT);
}

/* Pages that begin within [from, to), byte offsets from the stretch's start. */
static void mark(const struct stretch *s, uint64_t from, uint64_t to)
{
	for (uint64_t i = from >> GMEM_PAGE_SHIFT; i < to >> GMEM_PAGE_SHIFT && i < s->n; i++)
		bitmap_set(s->map, i);
}

/*
 * The host addresses around the stretch: the kernel counts in pages of its own, which may be
 * larger than ours.
 */
static uint64_t host_start(const struct stretch *s)
{
	return (uintptr_t)hva_of(s) & ~(backing_host_page() - 1);
}

static uint64_t host_end(const struct stretch *s)
{
	uint64_t page = backing_host_page();

	return ((uintptr_t)hva_of(s) + (s->n << GMEM_PAGE_SHIFT) + page - 1) & ~(page - 1);
}

/* Host addresses [from, to) are there. */
static void mark_host(const struct stretch *s, uint64_t from, uint64_t to)
{
	uint64_t base = (uintptr_t)hva_of(s);

	mark(s, from > base ? from - base : 0, to > base ? to - base : 0);
}

/* PAGEMAP_SCAN of Linux 6.7, include/uapi/linux/fs.h; our headers may be older. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags;
	uint64_t start, end, walk_end;
	uint64_t vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL   _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (1ull << 3)
#define SCAN_SWAPPED (1ull << 4)
#define SCAN_PFNZERO (1ull << 5)
#define SCAN_VEC     128

/* In memory or swapped out, and not the zero page that a read of nothing maps. */
static int by_scan(const struct stretch *s)
{
	struct scan_region vec[SCAN_VEC];
	struct scan_arg arg = {
		.size = sizeof(arg),
		.start = host_start(s),
		.end = host_end(s),
		.vec = (uintptr_t)vec,
		.vec_len = SCAN_VEC,
		.category_inverted = SCAN_PFNZERO,
		.category_mask = SCAN_PFNZERO,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int n = 0;

	if (fd < 0)
		return -errno;
	while (arg.start < arg.end) {
		n = ioctl(fd, SCAN_IOCTL, &arg);
		if (n < 0) {
			n = -errno;
			break;
		}
		for (int i = 0; i < n; i++)
			mark_host(s, vec[i].start, vec[i].end);
		arg.start = arg.walk_end;
	}
	close(fd);
	return n < 0 ? n : 0;
}

static int by_mincore(const struct stretch *s)
{
	const uint64_t page = backing_host_page(), end = host_end(s);
	unsigned char vec[4096];

	for (uint64_t at = host_start(s); at < end;) {
		uint64_t n = (end - at) / page < sizeof(vec) ? (end - at) / page : sizeof(vec);

		if (mincore((void *)(uintptr_t)at, n * page, vec))
			return -errno;
		for (uint64_t k = 0; k < n; k++, at += page) {
			if (vec[k] & 1)
				mark_host(s, at, at + page);
		}
	}
	return 0;
}

/* Data and holes of the file: what is there whether we have it mapped, swapped out or not. */
static int by_seek(const struct stretch *s)
{
	off_t base = (off_t)(s->r->fd_off + (s->first << GMEM_PAGE_SHIFT));
	off_t end = base + (off_t)(s->n << GMEM_PAGE_SHIFT);
	off_t at = base;

	while (at < end) {
		off_t data = lseek(s->r->fd, at, SEEK_DATA);
		off_t hole;

		if (data < 0)
			return errno == ENXIO ? 0 : -errno; /* nothing more */
		if (data >= end)
			return 0;
		hole = lseek(s->r->fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		mark(s, (uint64_t)(data - base), (uint64_t)(hole - base));
		at = hole;
	}
	return 0;
}

int gmem_resident_map(const struct gmem *m, uint64_t index, uint64_t n, uint64_t *map,
		      enum gmem_method *method)
{
	const struct gmem_region *r;
	struct stretch s;

	assert(index < m->npages && n <= gmem_index_span(m, index));
	r = gmem_region_of(m, index);
	s = (struct stretch){.r = r, .first = index - r->index, .n = n, .map = map};
	memset(map, 0, bitmap_words(n) * sizeof(*map));
	if (r->backing == GMEM_MEMFD) {
		*method = GMEM_SEEK_DATA;
		return by_seek(&s);
	}
	*method = GMEM_PAGEMAP_SCAN;
	if (r->backing == GMEM_ANON && !by_scan(&s))
		return 0;
	memset(map, 0, bitmap_words(n) * sizeof(*map));
	*method = GMEM_MINCORE;
	return by_mincore(&s);
}

const char *gmem_method_name(enum gmem_method method)
{
	static const char *const name[] = {
		[GMEM_PAGEMAP_SCAN] = "pagemap-scan",
		[GMEM_MINCORE] = "mincore",
		[GMEM_SEEK_DATA] = "seek-data",
	};

	return name[method];
}
