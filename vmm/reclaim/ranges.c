// SPDX-License-Identifier: Apache-2.0
/* Discarding memory that is the guest's and stays so. */
#include <assert.h>

#include "vmm/reclaim/internal.h"

static const struct gmem_region *region_of(const struct gmem *mem,
					   const struct reclaim_range *range)
{
	const struct gmem_region *g = mem->region;
	uint64_t unit = 1ull << g->page_shift;

	while (range->gpa - g->gpa >= g->len) {
		g++;
		assert(g < mem->region + mem->nregions);
	}
	assert(range->len && range->len <= g->len - (range->gpa - g->gpa));
	assert(!(range->gpa % unit) && !(range->len % unit));
	return g;
}

/* Lock held. Nothing of these pages will be discarded by anyone else until they are taken. */
static void release_some(struct reclaim *r, uint64_t page, uint64_t n)
{
	while (reclaim_in_flight(r, page, n))
		reclaim_await(r);
	for (; n; n--, page++) {
		if (tracker_state(r->tracker, page) == PAGE_GUEST)
			continue;
		tracker_deflate(r->tracker, page);
		r->released++;
	}
}

/* A block at a time, so that others get the lock. */
static void release(struct reclaim *r, uint64_t page, uint64_t n)
{
	while (n) {
		uint64_t k = n < TRACKER_BLOCK ? n : TRACKER_BLOCK;

		pthread_mutex_lock(&r->lock);
		release_some(r, page, k);
		pthread_mutex_unlock(&r->lock);
		page += k;
		n -= k;
	}
}

uint64_t reclaim_discard(struct reclaim *r, const struct reclaim_range *range, unsigned n)
{
	struct discard_run run[RECLAIM_RANGES_MAX], *list[RECLAIM_RANGES_MAX];
	uint64_t bytes = 0;

	assert(n && n <= RECLAIM_RANGES_MAX);
	for (unsigned i = 0; i < n; i++) {
		const struct gmem_region *g = region_of(r->mem, &range[i]);
		uint64_t off = range[i].gpa - g->gpa;

		release(r, g->index + (off >> GMEM_PAGE_SHIFT),
			range[i].len >> GMEM_PAGE_SHIFT);
		run[i] = reclaim_run(g, off, range[i].len);
		list[i] = &run[i];
	}
	r->ops->now(r->backend, list, n);
	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < n; i++) {
		if (run[i].rc) {
			reclaim_refused(r, &run[i]);
			continue;
		}
		r->runs++;
		r->bytes += run[i].len;
		bytes += run[i].len;
	}
	pthread_mutex_unlock(&r->lock);
	return bytes;
}
