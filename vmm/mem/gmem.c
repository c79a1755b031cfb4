// SPDX-License-Identifier: Apache-2.0
#include "vmm/mem/gmem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/base/size.h"

int gmem_create(struct gmem *m, const struct gmem_span *spans, unsigned nspans, struct err *err)
{
	assert(nspans <= GMEM_MAX_REGIONS);
	memset(m, 0, sizeof(*m));
	for (unsigned i = 0; i < nspans; i++) {
		struct gmem_region *r = &m->region[i];
		char text[SIZE_TEXT];
		void *p;

		assert(spans[i].len && !(spans[i].len % GMEM_PAGE_SIZE));
		p = mmap(NULL, spans[i].len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED) {
			int rc = -errno;

			gmem_destroy(m);
			return err_sys(err, rc, "cannot map %s of guest memory",
				       size_format(spans[i].len, text));
		}
		/* Guest memory in a core file would be the guest's secrets, and gigabytes. */
		madvise(p, spans[i].len, MADV_DONTDUMP);
		*r = (struct gmem_region){
			.gpa = spans[i].gpa, .len = spans[i].len, .index = m->npages, .hva = p};
		m->npages += spans[i].len >> GMEM_PAGE_SHIFT;
		m->nregions++;
	}
	return 0;
}

void gmem_destroy(struct gmem *m)
{
	for (unsigned i = 0; i < m->nregions; i++)
		munmap(m->region[i].hva, m->region[i].len);
	memset(m, 0, sizeof(*m));
}

void *gmem_ptr(const struct gmem *m, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		const struct gmem_region *r = &m->region[i];

		if (gpa < r->gpa || gpa - r->gpa >= r->len)
			continue;
		if (!len || len > r->len - (gpa - r->gpa))
			return NULL;
		return r->hva + (gpa - r->gpa);
	}
	return NULL;
}

bool gmem_pfn_to_index(const struct gmem *m, uint64_t pfn, uint64_t *index)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		const struct gmem_region *r = &m->region[i];
		uint64_t first = r->gpa >> GMEM_PAGE_SHIFT;

		if (pfn >= first && pfn - first < r->len >> GMEM_PAGE_SHIFT) {
			*index = r->index + (pfn - first);
			return true;
		}
	}
	return false;
}

static const struct gmem_region *region_of(const struct gmem *m, uint64_t index)
{
	const struct gmem_region *r = m->region;

	assert(index < m->npages);
	while (index - r->index >= r->len >> GMEM_PAGE_SHIFT)
		r++;
	return r;
}

uint8_t *gmem_index_to_hva(const struct gmem *m, uint64_t index)
{
	const struct gmem_region *r = region_of(m, index);

	return r->hva + ((index - r->index) << GMEM_PAGE_SHIFT);
}

uint64_t gmem_index_span(const struct gmem *m, uint64_t index)
{
	const struct gmem_region *r = region_of(m, index);

	return (r->len >> GMEM_PAGE_SHIFT) - (index - r->index);
}

int gmem_discard_all(struct gmem *m)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		if (madvise(m->region[i].hva, m->region[i].len, MADV_DONTNEED))
			return -errno;
	}
	return 0;
}

static bool is_guest_memory(const struct gmem *m, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		uint64_t first = (uintptr_t)m->region[i].hva;

		if (start < first + m->region[i].len && end > first)
			return true;
	}
	return false;
}

uint64_t gmem_resident(const struct gmem *m)
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
