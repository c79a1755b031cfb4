// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/reclaim.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/base/clock.h"
#include "vmm/reclaim/internal.h"

static void note_bad(struct reclaim *r, struct reclaim_bad *bad, uint32_t pfn)
{
	r->bad_pfns++;
	if (!bad->n++)
		bad->first = pfn;
}

/* Wait until n more pages fit, and n neighbours of theirs that become pending once more. */
static void await_room(struct reclaim *r, size_t n)
{
	uint64_t backlog = reclaim_backlog(r);

	n *= 2;
	if (backlog + n <= r->backlog_max)
		return;
	r->full_waits++;
	while (backlog && backlog + n > r->backlog_max) {
		if (!reclaim_help(r))
			reclaim_await(r);
		backlog = reclaim_backlog(r);
	}
}

static void take_some(struct reclaim *r, const uint32_t *pfn, size_t n, struct reclaim_bad *bad)
{
	uint64_t page, backlog;
	uint16_t stamp;

	pthread_mutex_lock(&r->lock);
	await_room(r, n);
	r->take_ns = clock_now_ns();
	stamp = reclaim_stamp(r->take_ns);
	for (size_t i = 0; i < n; i++) {
		if (gmem_pfn_to_index(r->mem, pfn[i], &page))
			tracker_inflate(r->tracker, page, stamp);
		else
			note_bad(r, bad, pfn[i]);
	}
	backlog = reclaim_backlog(r);
	if (backlog > r->backlog_peak)
		r->backlog_peak = backlog;
	if (r->idle && backlog) {
		r->idle = false;
		pthread_cond_signal(&r->wake);
	}
	pthread_mutex_unlock(&r->lock);
}

#define TAKE_MAX 256 /* pages under one hold of the lock, and for one wait for room */

void reclaim_take(struct reclaim *r, const uint32_t *pfn, size_t n, struct reclaim_bad *bad)
{
	while (n) {
		size_t k = n < TAKE_MAX ? n : TAKE_MAX;

		take_some(r, pfn, k, bad);
		pfn += k;
		n -= k;
	}
}

void reclaim_give(struct reclaim *r, const uint32_t *pfn, size_t n, struct reclaim_bad *bad)
{
	uint64_t page;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < n; i++) {
		if (!gmem_pfn_to_index(r->mem, pfn[i], &page)) {
			note_bad(r, bad, pfn[i]);
			continue;
		}
		if (reclaim_in_flight(r, page, 1)) {
			r->give_waits++;
			do
				reclaim_await(r);
			while (reclaim_in_flight(r, page, 1));
		}
		tracker_deflate(r->tracker, page);
	}
	pthread_mutex_unlock(&r->lock);
}

void reclaim_settle(struct reclaim *r, bool promised)
{
	if (!promised || r->sync)
		reclaim_barrier(r);
}

void reclaim_no_more(struct reclaim *r)
{
	pthread_mutex_lock(&r->lock);
	r->take_ns = 0;
	pthread_mutex_unlock(&r->lock);
}

void reclaim_barrier(struct reclaim *r)
{
	pthread_mutex_lock(&r->lock);
	r->barriers++;
	/* Also a look at what is parked, which is nobody's business otherwise. */
	if (!r->threaded && !r->stepping)
		reclaim_step(r);
	while (reclaim_backlog(r) || r->nflights)
		reclaim_await(r);
	r->barriers--;
	pthread_mutex_unlock(&r->lock);
}

void reclaim_reset(struct reclaim *r)
{
	pthread_mutex_lock(&r->lock);
	/* From here on nothing is pending, so nothing more gets in flight. */
	tracker_reset(r->tracker);
	while (r->nflights)
		reclaim_await(r);
	pthread_mutex_unlock(&r->lock);
}

/*
 * By whole pages of the host, as it takes nothing else. The ones at the ends are no more than
 * what their first touch would bring.
 */
static void populate(const struct reclaim *r, uint64_t page, uint64_t n)
{
	while (n) {
		uint64_t span = gmem_index_span(r->mem, page);
		uint64_t k = n < span ? n : span;
		uint64_t unit = 1ull
				<< (gmem_region_of(r->mem, page)->page_shift - GMEM_PAGE_SHIFT);
		uint64_t first = page & ~(unit - 1), end = (page + k + unit - 1) & ~(unit - 1);

		/*
		 * It only spares the guest some waiting: that Linux before 5.14 can't do it is
		 * no error.
		 */
		madvise(gmem_index_to_hva(r->mem, first), (end - first) << GMEM_PAGE_SHIFT,
			MADV_POPULATE_WRITE);
		page += k;
		n -= k;
	}
}

void reclaim_populate(struct reclaim *r, const uint32_t *pfn, size_t n)
{
	uint64_t start = 0, len = 0, page;

	/* Linux gives back what came last, so neighbours come in descending order, too. */
	for (size_t i = 0; i < n; i++) {
		if (!gmem_pfn_to_index(r->mem, pfn[i], &page))
			continue;
		if (len && page == start + len) {
			len++;
		} else if (len && page + 1 == start) {
			start--;
			len++;
		} else {
			if (len)
				populate(r, start, len);
			start = page;
			len = 1;
		}
	}
	if (len)
		populate(r, start, len);
}

uint64_t reclaim_ballooned(struct reclaim *r)
{
	struct tracker_counts n;

	pthread_mutex_lock(&r->lock);
	tracker_counts(r->tracker, &n);
	pthread_mutex_unlock(&r->lock);
	return n.ballooned;
}

void reclaim_stats(struct reclaim *r, struct reclaim_stats *out)
{
	uint64_t flying;

	pthread_mutex_lock(&r->lock);
	*out = (struct reclaim_stats){
		.backend = r->ops->name,
		.sync = r->sync,
		.discarding = r->discarding,
		.backlog_max = r->backlog_max,
		.backlog_peak = r->backlog_peak,
		.discard_runs = r->runs,
		.discard_bytes = r->bytes,
		.discard_errors = r->errors,
		.discard_calls = r->counters.calls,
		.fallbacks = r->counters.fallbacks,
		.full_waits = r->full_waits,
		.give_waits = r->give_waits,
		.bad_pfns = r->bad_pfns,
		.released = r->released,
	};
	tracker_counts(r->tracker, &out->pages);
	pthread_mutex_unlock(&r->lock);
	/* A page may be in flight and pending once more, because of its neighbour. */
	flying =
		out->discarding < out->pages.discarded ? out->discarding : out->pages.discarded;
	out->pages.discarded -= flying;
}

static bool is_gone(void *reclaim, uint64_t page)
{
	const struct reclaim *r = reclaim;

	return tracker_state(r->tracker, page) == PAGE_DISCARDED &&
	       !reclaim_in_flight(r, page, 1);
}

int reclaim_audit(struct reclaim *r, uint64_t *at, struct audit *a)
{
	struct tracker_counts n;
	int rc;

	pthread_mutex_lock(&r->lock);
	tracker_counts(r->tracker, &n);
	a->pages = n.discarded;
	rc = audit_step(r->mem, is_gone, r, at, a);
	pthread_mutex_unlock(&r->lock);
	return rc;
}
