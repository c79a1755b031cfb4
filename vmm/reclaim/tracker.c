// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/tracker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bitmap.h"

struct tracker {
	uint64_t npages;
	uint64_t *ballooned; /* a bit per page: pending or discarded */
	uint64_t *pending;   /* a bit per page: a subset of ballooned */
	uint64_t *summary;   /* a bit per word of pending: the word isn't 0 */
	struct tracker_counts n;
};

struct tracker *tracker_create(uint64_t npages)
{
	struct tracker *t = calloc(1, sizeof(*t));
	size_t words = bitmap_words(npages);

	assert(npages);
	if (!t)
		return NULL;
	t->npages = npages;
	t->ballooned = calloc(words, sizeof(uint64_t));
	t->pending = calloc(words, sizeof(uint64_t));
	t->summary = calloc(bitmap_words(words), sizeof(uint64_t));
	if (!t->ballooned || !t->pending || !t->summary) {
		tracker_destroy(t);
		return NULL;
	}
	return t;
}

void tracker_destroy(struct tracker *t)
{
	if (!t)
		return;
	free(t->ballooned);
	free(t->pending);
	free(t->summary);
	free(t);
}

enum page_state tracker_state(const struct tracker *t, uint64_t index)
{
	assert(index < t->npages);
	if (!bitmap_test(t->ballooned, index))
		return PAGE_GUEST;
	return bitmap_test(t->pending, index) ? PAGE_PENDING : PAGE_DISCARDED;
}

bool tracker_inflate(struct tracker *t, uint64_t index)
{
	assert(index < t->npages);
	if (bitmap_test(t->ballooned, index)) {
		t->n.double_inflates++;
		return false;
	}
	bitmap_set(t->ballooned, index);
	bitmap_set(t->pending, index);
	bitmap_set(t->summary, index / 64);
	t->n.pending++;
	return true;
}

enum page_state tracker_deflate(struct tracker *t, uint64_t index)
{
	enum page_state was = tracker_state(t, index);

	switch (was) {
	case PAGE_GUEST:
		t->n.stray_deflates++;
		return was;
	case PAGE_PENDING:
		bitmap_clear(t->pending, index);
		if (!t->pending[index / 64])
			bitmap_clear(t->summary, index / 64);
		t->n.pending--;
		break;
	case PAGE_DISCARDED:
		t->n.discarded--;
		break;
	}
	bitmap_clear(t->ballooned, index);
	return was;
}

/* First pending page at or after from, or npages. */
static uint64_t first_pending(const struct tracker *t, uint64_t from)
{
	uint64_t words = bitmap_words(t->npages);
	uint64_t w = from / 64;
	uint64_t v;

	if (from >= t->npages)
		return t->npages;
	v = t->pending[w] & (~0ull << (from % 64));
	if (!v) {
		w = bitmap_next(t->summary, words, w + 1, true);
		if (w == words)
			return t->npages;
		v = t->pending[w];
	}
	return w * 64 + (uint64_t)__builtin_ctzll(v);
}

bool tracker_next_pending(const struct tracker *t, uint64_t from, uint64_t *start,
			  uint64_t *len)
{
	uint64_t first = first_pending(t, from);

	if (first == t->npages)
		return false;
	*start = first;
	*len = bitmap_next(t->pending, t->npages, first, false) - first;
	return true;
}

void tracker_discarded(struct tracker *t, uint64_t start, uint64_t len)
{
	assert(start <= t->npages && len <= t->npages - start);
	t->n.pending -= len;
	t->n.discarded += len;
	while (len) {
		uint64_t w = start / 64;
		uint64_t n = 64 - start % 64 < len ? 64 - start % 64 : len;
		uint64_t mask = (~0ull >> (64 - n)) << (start % 64);

		assert((t->pending[w] & mask) == mask);
		t->pending[w] &= ~mask;
		if (!t->pending[w])
			bitmap_clear(t->summary, w);
		start += n;
		len -= n;
	}
}

void tracker_reset(struct tracker *t)
{
	size_t words = bitmap_words(t->npages);

	/*
	 * A boot resets a device several times before it is ever used; writing zeros over maps
	 * that were never touched would only make them resident.
	 */
	if (!t->n.pending && !t->n.discarded)
		return;
	memset(t->ballooned, 0, words * sizeof(uint64_t));
	memset(t->pending, 0, words * sizeof(uint64_t));
	memset(t->summary, 0, bitmap_words(words) * sizeof(uint64_t));
	t->n.pending = 0;
	t->n.discarded = 0;
}

void tracker_counts(const struct tracker *t, struct tracker_counts *out)
{
	*out = t->n;
}
