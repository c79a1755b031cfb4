// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/reclaim.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/clock.h"
#include "vmm/base/log.h"

/* Page indices [lo, hi); empty when hi is 0. */
struct window {
	uint64_t lo, hi;
};

struct reclaim {
	const struct gmem *mem;
	struct tracker *tracker;
	const struct discard_ops *ops;
	void *opaque;

	/*
	 * Where pending pages can be: those taken since the last flush, and those whose discard
	 * failed. A flush looks only there, not through all of a guest's memory.
	 */
	struct window taken, failed;
	uint64_t failed_ns; /* when the first of those failed */

	uint64_t discard_calls, discard_bytes, discard_errors, bad_pfns;
	struct log_limit log;
};

static void window_add(struct window *w, uint64_t lo, uint64_t hi)
{
	if (!w->hi) {
		*w = (struct window){lo, hi};
		return;
	}
	if (lo < w->lo)
		w->lo = lo;
	if (hi > w->hi)
		w->hi = hi;
}

struct reclaim *reclaim_create_with(const struct gmem *mem, const struct discard_ops *ops,
				    void *opaque)
{
	struct reclaim *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->mem = mem;
	r->ops = ops;
	r->opaque = opaque;
	r->tracker = tracker_create(mem->npages);
	if (!r->tracker) {
		free(r);
		return NULL;
	}
	return r;
}

struct reclaim *reclaim_create(const struct gmem *mem)
{
	return reclaim_create_with(mem, &discard_sync, NULL);
}

void reclaim_destroy(struct reclaim *r)
{
	if (!r)
		return;
	tracker_destroy(r->tracker);
	free(r);
}

bool reclaim_take(struct reclaim *r, uint32_t pfn)
{
	uint64_t index;

	if (!gmem_pfn_to_index(r->mem, pfn, &index)) {
		r->bad_pfns++;
		return false;
	}
	if (tracker_inflate(r->tracker, index))
		window_add(&r->taken, index, index + 1);
	return true;
}

bool reclaim_give(struct reclaim *r, uint32_t pfn)
{
	uint64_t index;

	if (!gmem_pfn_to_index(r->mem, pfn, &index)) {
		r->bad_pfns++;
		return false;
	}
	/* A flush leaves no discard in flight, so there is nothing to wait for. */
	tracker_deflate(r->tracker, index);
	return true;
}

/* Discard pages [start, start + n) of one region; they stay pending if that fails. */
static void discard_run(struct reclaim *r, uint64_t start, uint64_t n)
{
	size_t bytes = (size_t)(n << GMEM_PAGE_SHIFT);
	uint8_t *hva = gmem_index_to_hva(r->mem, start);
	int rc = r->ops->discard(r->opaque, hva, bytes);
	uint64_t now;

	r->discard_calls++;
	if (!rc) {
		r->discard_bytes += bytes;
		tracker_discarded(r->tracker, start, n);
		return;
	}
	now = clock_now_ns();
	r->discard_errors++;
	if (!r->failed.hi)
		r->failed_ns = now;
	window_add(&r->failed, start, start + n);
	if (log_limit_ok(&r->log, now))
		log_warn("reclaim: %s discard of %zu KiB failed: %s; the memory stays with us",
			 r->ops->name, bytes / 1024, strerror(-rc));
}

void reclaim_flush(struct reclaim *r)
{
	struct window w = r->taken;
	uint64_t start, len;

	/*
	 * What makes a discard fail (locked memory, say) usually lasts, so failed pages don't
	 * make every message after them slower.
	 */
	if (r->failed.hi && clock_now_ns() - r->failed_ns >= RECLAIM_RETRY_MS * NSEC_PER_MSEC) {
		window_add(&w, r->failed.lo, r->failed.hi);
		r->failed = (struct window){0, 0};
	}
	r->taken = (struct window){0, 0};
	while (tracker_next_pending(r->tracker, w.lo, &start, &len) && start < w.hi) {
		uint64_t span = gmem_index_span(r->mem, start);
		uint64_t n = len < span ? len : span;

		discard_run(r, start, n);
		w.lo = start + n;
	}
}

void reclaim_reset(struct reclaim *r)
{
	tracker_reset(r->tracker);
	r->taken = (struct window){0, 0};
	r->failed = (struct window){0, 0};
}

void reclaim_stats(const struct reclaim *r, struct reclaim_stats *out)
{
	tracker_counts(r->tracker, &out->pages);
	out->discard_calls = r->discard_calls;
	out->discard_bytes = r->discard_bytes;
	out->discard_errors = r->discard_errors;
	out->bad_pfns = r->bad_pfns;
}
