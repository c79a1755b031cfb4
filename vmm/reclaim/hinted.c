// SPDX-License-Identifier: Apache-2.0
/* Discarding what a set of hints names. */
#include "vmm/reclaim/hintset.h"
#include "vmm/reclaim/internal.h"

/* Ranges that wait to be discarded together. */
struct batch {
	struct reclaim_range range[RECLAIM_RANGES_MAX];
	unsigned n;
	uint64_t bytes;
};

static void flush(struct reclaim *r, struct batch *b, struct reclaim_hinted *sum)
{
	uint64_t gone;

	if (!b->n)
		return;
	gone = reclaim_discard(r, b->range, b->n);
	sum->discarded += gone;
	sum->failed += b->bytes - gone;
	b->n = 0;
	b->bytes = 0;
}

/* Lock held. Did the guest give up any page of this one of the host's? */
static bool given_up(const struct reclaim *r, uint64_t page, uint64_t unit)
{
	for (uint64_t i = page; i < page + unit; i++) {
		if (tracker_state(r->tracker, i) != PAGE_GUEST)
			return true;
	}
	return false;
}

/* How many pages from `page` on, of n, are ballooned, or not, like the first. */
static uint64_t alike(struct reclaim *r, uint64_t page, uint64_t n, uint64_t unit, bool *given)
{
	uint64_t k = unit;

	pthread_mutex_lock(&r->lock);
	*given = given_up(r, page, unit);
	while (k < n && given_up(r, page + k, unit) == *given)
		k += unit;
	pthread_mutex_unlock(&r->lock);
	return k;
}

static void discard_run(struct reclaim *r, uint64_t page, uint64_t n, struct batch *b,
			struct reclaim_hinted *sum)
{
	const struct gmem_region *g = gmem_region_of(r->mem, page);
	uint64_t unit = 1ull << (g->page_shift - GMEM_PAGE_SHIFT);
	uint64_t k;
	bool given;

	for (; n; n -= k, page += k) {
		uint64_t bytes;

		k = alike(r, page, n, unit, &given);
		bytes = k << GMEM_PAGE_SHIFT;
		if (given) {
			sum->ballooned += bytes;
			continue;
		}
		if (b->n == RECLAIM_RANGES_MAX)
			flush(r, b, sum);
		b->range[b->n++] = (struct reclaim_range){
			g->gpa + ((page - g->index) << GMEM_PAGE_SHIFT), bytes};
		b->bytes += bytes;
	}
}

bool reclaim_discard_hinted(struct reclaim *r, const struct hintset *set, uint64_t *at,
			    uint64_t max, struct reclaim_hinted *sum)
{
	uint64_t unit = 1ull << (r->mem->region[0].page_shift - GMEM_PAGE_SHIFT);
	struct batch b = {.n = 0};
	uint64_t left = max > unit ? max / unit * unit : unit;
	uint64_t page, n;
	bool more = true;

	while (left && (more = hintset_next(set, at, left, true, &page, &n))) {
		discard_run(r, page, n, &b, sum);
		left -= n;
	}
	flush(r, &b, sum);
	return more;
}
