// SPDX-License-Identifier: Apache-2.0
#include "vmm/mem/gmem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/base/bitmap.h"
#include "vmm/base/log.h"
#include "vmm/base/size.h"
#include "vmm/mem/backing.h"

static int check_thp(const struct gmem_config *cfg, struct err *err)
{
	const char *path;

	if (cfg->thp != GMEM_THP_ON || backing_thp_allowed(cfg->backing, &path))
		return 0;
	return err_set(err, -EOPNOTSUPP,
		       "-m/--mem: thp=on: this host gives no transparent huge pages to %s "
		       "memory; see %s",
		       cfg->backing == GMEM_MEMFD ? "shared" : "private", path);
}

static int too_few_hugepages(uint64_t size, uint64_t bytes, struct err *err)
{
	int64_t free = backing_hugepages_free(size);
	char text[SIZE_TEXT];

	size_format(size, text);
	if (free < 0)
		return err_set(err, -EOPNOTSUPP,
			       "-m/--mem: backing=hugetlb: this host has no huge pages of %s",
			       text);
	return err_set(err, -ENOMEM,
		       "-m/--mem: backing=hugetlb needs %llu huge pages of %s, and %lld are "
		       "free; add some in /sys/kernel/mm/hugepages/hugepages-%llukB/"
		       "nr_hugepages",
		       (unsigned long long)(bytes / size), text, (long long)free,
		       (unsigned long long)(size / KIB));
}

static int check_host_pages(const struct gmem_span *spans, unsigned nspans, struct err *err)
{
	uint64_t page = backing_host_page();
	char text[SIZE_TEXT];

	for (unsigned i = 0; i < nspans; i++) {
		if (spans[i].gpa % page || spans[i].len % page)
			return err_set(err, -EINVAL,
				       "-m/--mem: size: give a multiple of %s, this host's "
				       "page",
				       size_format(page, text));
	}
	return 0;
}

static int check_pages(const struct gmem_config *cfg, const struct gmem_span *spans,
		       unsigned nspans, struct err *err)
{
	uint64_t bytes = 0;
	char text[SIZE_TEXT];

	if (cfg->backing != GMEM_HUGETLB)
		return check_host_pages(spans, nspans, err);
	for (unsigned i = 0; i < nspans; i++) {
		if (spans[i].gpa % cfg->hugepage || spans[i].len % cfg->hugepage)
			return err_set(err, -EINVAL,
				       "-m/--mem: size: give a multiple of %s for "
				       "backing=hugetlb",
				       size_format(cfg->hugepage, text));
		bytes += spans[i].len;
	}
	if (backing_hugepages_free(cfg->hugepage) < 0)
		return too_few_hugepages(cfg->hugepage, bytes, err);
	return 0;
}

static int create_region(struct gmem *m, const struct gmem_span *span, struct err *err)
{
	struct gmem_region *r = &m->region[m->nregions];
	int rc;

	assert(span->len && !(span->len % GMEM_PAGE_SIZE));
	*r = (struct gmem_region){.gpa = span->gpa, .len = span->len, .index = m->npages};
	rc = backing_map(r, &m->config, err);
	if (rc)
		return rc;
	m->npages += r->len >> GMEM_PAGE_SHIFT;
	m->nregions++;
	return m->config.lock ? backing_lock(r, err) : 0;
}

static int populate(const struct gmem *m, struct err *err)
{
	for (unsigned i = 0; i < m->nregions && m->config.prealloc; i++) {
		const struct gmem_region *r = &m->region[i];
		int rc = backing_populate(r);
		char text[SIZE_TEXT];

		if (rc)
			return err_sys(err, rc, "-m/--mem: prealloc=on: cannot populate %s",
				       size_format(r->len, text));
	}
	return 0;
}

/* Private memory that is locked needs an advice of its own, which Linux has since 5.18. */
static bool can_discard(const struct gmem *m)
{
	const struct gmem_region *r = &m->region[0];

	return !m->config.lock || r->backing != GMEM_ANON || r->dontneed != MADV_DONTNEED;
}

int gmem_create_with(struct gmem *m, const struct gmem_span *spans, unsigned nspans,
		     const struct gmem_config *cfg, struct err *err)
{
	uint64_t bytes = 0;
	int rc;

	assert(nspans && nspans <= GMEM_MAX_REGIONS);
	memset(m, 0, sizeof(*m));
	rc = check_thp(cfg, err);
	if (!rc)
		rc = check_pages(cfg, spans, nspans, err);
	if (rc)
		return rc;
	m->config = *cfg;
	for (unsigned i = 0; i < nspans && !rc; i++) {
		rc = create_region(m, &spans[i], err);
		bytes += spans[i].len;
	}
	if (!rc)
		rc = populate(m, err);
	if (!rc) {
		m->discards = can_discard(m);
		return 0;
	}
	gmem_destroy(m);
	if (cfg->backing == GMEM_HUGETLB && rc == -ENOMEM)
		return too_few_hugepages(cfg->hugepage, bytes, err);
	return rc;
}

int gmem_create(struct gmem *m, const struct gmem_span *spans, unsigned nspans, struct err *err)
{
	static const struct gmem_config plain = {.backing = GMEM_ANON};

	return gmem_create_with(m, spans, nspans, &plain, err);
}

static size_t dirty_bytes(const struct gmem *m)
{
	return bitmap_words(m->npages) * sizeof(uint64_t);
}

void gmem_destroy(struct gmem *m)
{
	if (m->dirty_map)
		munmap(m->dirty_map, dirty_bytes(m));
	for (unsigned i = 0; i < m->nregions; i++)
		backing_unmap(&m->region[i]);
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

const struct gmem_region *gmem_region_of(const struct gmem *m, uint64_t index)
{
	const struct gmem_region *r = m->region;

	assert(index < m->npages);
	while (index - r->index >= r->len >> GMEM_PAGE_SHIFT)
		r++;
	return r;
}

uint8_t *gmem_index_to_hva(const struct gmem *m, uint64_t index)
{
	const struct gmem_region *r = gmem_region_of(m, index);

	return r->hva + ((index - r->index) << GMEM_PAGE_SHIFT);
}

uint64_t gmem_index_span(const struct gmem *m, uint64_t index)
{
	const struct gmem_region *r = gmem_region_of(m, index);

	return (r->len >> GMEM_PAGE_SHIFT) - (index - r->index);
}

int gmem_discard_all(struct gmem *m)
{
	struct err err;

	for (unsigned i = 0; i < m->nregions; i++) {
		int rc = backing_discard(&m->region[i], !m->discards);

		if (rc)
			return rc;
		/* A guest that reboots is better served with a warning than with its end. */
		if (backing_reserve(&m->region[i]))
			log_warn("memory: the host's pool has not enough huge pages any more; "
				 "the guest hangs, or the VM ends, when it needs one that "
				 "isn't there");
	}
	if (populate(m, &err))
		log_warn("%s", err.msg);
	return 0;
}

int gmem_dirty_start(struct gmem *m)
{
	void *p;

	assert(!m->dirty);
	if (!m->dirty_map) {
		p = mmap(NULL, dirty_bytes(m), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			return -ENOMEM;
		m->dirty_map = p;
	} else if (madvise(m->dirty_map, dirty_bytes(m), MADV_DONTNEED)) {
		return -errno;
	}
	__atomic_store_n(&m->dirty, m->dirty_map, __ATOMIC_RELEASE);
	return 0;
}

void gmem_dirty_stop(struct gmem *m)
{
	if (!m->dirty)
		return;
	__atomic_store_n(&m->dirty, NULL, __ATOMIC_RELEASE);
	/* Not unmapped: a device may have seen the log a moment ago, and mark a page now. */
	madvise(m->dirty_map, dirty_bytes(m), MADV_DONTNEED);
}

void gmem_dirty_mark(const struct gmem *m, uint64_t *map, uint64_t gpa, uint64_t len)
{
	uint64_t index, last;

	assert(len);
	if (!gmem_pfn_to_index(m, gpa >> GMEM_PAGE_SHIFT, &index))
		assert(!"a device wrote what isn't RAM");
	last = index + ((gpa + len - 1) >> GMEM_PAGE_SHIFT) - (gpa >> GMEM_PAGE_SHIFT);
	for (; index <= last; index++)
		__atomic_fetch_or(&map[index / 64], 1ull << index % 64, __ATOMIC_RELAXED);
}

static void warn(struct gmem_info *out, const char *text)
{
	assert(out->nwarnings < GMEM_WARNINGS_MAX);
	out->warning[out->nwarnings++] = text;
}

/* With pages of 16 KiB a transparent huge page has 32 MiB, with 64 KiB 512. */
static bool very_huge(const struct gmem *m)
{
	return m->config.backing != GMEM_HUGETLB && m->region[0].page_shift > GMEM_PAGE_SHIFT &&
	       (m->config.thp == GMEM_THP_ON ||
		(m->config.thp == GMEM_THP_DEFAULT && backing_thp_default(m->config.backing)));
}

void gmem_query(const struct gmem *m, struct gmem_info *out)
{
	static const char *const backing[] = {
		[GMEM_ANON] = "anon", [GMEM_MEMFD] = "memfd", [GMEM_HUGETLB] = "hugetlb"};
	static const char *const thp[] = {
		[GMEM_THP_DEFAULT] = "default", [GMEM_THP_ON] = "on", [GMEM_THP_OFF] = "off"};
	bool hugetlb = m->config.backing == GMEM_HUGETLB;

	*out = (struct gmem_info){
		.backing = backing[m->config.backing],
		.thp = hugetlb ? "none" : thp[m->config.thp],
		.host_page = 1ull << m->region[0].page_shift,
		.prealloc = m->config.prealloc,
		.lock = m->config.lock,
	};
	if (!m->discards)
		warn(out, "locked memory: this kernel cannot free parts of it");
	if (hugetlb)
		warn(out, "huge pages go back only as a whole, when all of one is given up");
	if (hugetlb)
		warn(out, "huge pages that went back are no longer reserved: if the host's "
			  "pool is empty when the guest uses them again, it hangs until there "
			  "are some, or the VM ends");
	if (very_huge(m))
		warn(out,
		     "a touch of the guest brings back all of a transparent huge page, which "
		     "on this host has 32 MiB or more: give thp=off");
	if (m->config.prealloc && !hugetlb)
		warn(out, "memory that went back is not preallocated any more");
}
