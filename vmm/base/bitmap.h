/* SPDX-License-Identifier: Apache-2.0 */
/* Bitmaps over 64-bit words. Not atomic: the owner's lock protects them. */
#ifndef AEROSTAT_BASE_BITMAP_H
#define AEROSTAT_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t bitmap_words(uint64_t bits)
{
	return (size_t)((bits + 63) / 64);
}

static inline bool bitmap_test(const uint64_t *map, uint64_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(uint64_t *map, uint64_t bit)
{
	map[bit / 64] |= 1ull << (bit % 64);
}

static inline void bitmap_clear(uint64_t *map, uint64_t bit)
{
	map[bit / 64] &= ~(1ull << (bit % 64));
}

/*
 * First set (or clear) bit at or after from, or bits when there is none. Costs one word read
 * per 64 bits passed.
 */
static inline uint64_t bitmap_next(const uint64_t *map, uint64_t bits, uint64_t from, bool set)
{
	uint64_t flip = set ? 0 : ~0ull;
	uint64_t w = from / 64;
	uint64_t v;

	if (from >= bits)
		return bits;
	v = (map[w] ^ flip) & (~0ull << (from % 64));
	while (!v) {
		if (++w >= bitmap_words(bits))
			return bits;
		v = map[w] ^ flip;
	}
	from = w * 64 + (uint64_t)__builtin_ctzll(v);
	return from < bits ? from : bits;
}

#endif
