/* SPDX-License-Identifier: Apache-2.0 */
/* A set of numbers below a fixed bound, with a summary: to find the next one is cheap. */
#ifndef AEROSTAT_RECLAIM_BLOCKSET_H
#define AEROSTAT_RECLAIM_BLOCKSET_H

#include <stdlib.h>
#include <string.h>

#include "vmm/base/bitmap.h"

struct blockset {
	uint64_t bound, n; /* members are < bound; there are n of them */
	uint64_t *map, *summary;
};

/* False when out of memory; blockset_fini() is due then, too. */
static inline bool blockset_init(struct blockset *s, uint64_t bound)
{
	s->bound = bound;
	s->n = 0;
	s->map = calloc(bitmap_words(bound), sizeof(uint64_t));
	s->summary = calloc(bitmap_words(bitmap_words(bound)), sizeof(uint64_t));
	return s->map && s->summary;
}

static inline void blockset_fini(struct blockset *s)
{
	free(s->map);
	free(s->summary);
}

static inline bool blockset_has(const struct blockset *s, uint64_t b)
{
	return bitmap_test(s->map, b);
}

static inline void blockset_put(struct blockset *s, uint64_t b, bool in)
{
	if (bitmap_test(s->map, b) == in)
		return;
	if (in) {
		bitmap_set(s->map, b);
		bitmap_set(s->summary, b / 64);
		s->n++;
	} else {
		bitmap_clear(s->map, b);
		if (!s->map[b / 64])
			bitmap_clear(s->summary, b / 64);
		s->n--;
	}
}

/* The first member at or after from, or bound. */
static inline uint64_t blockset_next(const struct blockset *s, uint64_t from)
{
	uint64_t words = bitmap_words(s->bound);
	uint64_t w = from / 64, v;

	if (!s->n || from >= s->bound)
		return s->bound;
	v = s->map[w] & (~0ull << (from % 64));
	if (!v) {
		w = bitmap_next(s->summary, words, w + 1, true);
		if (w == words)
			return s->bound;
		v = s->map[w];
	}
	return w * 64 + (uint64_t)__builtin_ctzll(v);
}

static inline void blockset_clear(struct blockset *s)
{
	if (!s->n)
		return;
	memset(s->map, 0, bitmap_words(s->bound) * sizeof(uint64_t));
	memset(s->summary, 0, bitmap_words(bitmap_words(s->bound)) * sizeof(uint64_t));
	s->n = 0;
}

#endif
