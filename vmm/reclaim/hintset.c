// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/hintset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base/bitmap.h"

struct hintset {
	const struct gmem *mem;
	uint64_t map[];
};

struct hintset *hintset_create(const struct gmem *mem)
{
	/* calloc takes memory of this size fresh from the kernel: untouched it costs nothing.
	 */
	struct hintset *s =
		calloc(1, sizeof(*s) + bitmap_words(mem->npages) * sizeof(uint64_t));

	if (s)
		s->mem = mem;
	return s;
}

void hintset_destroy(struct hintset *s)
{
	free(s);
}

/* The bits [from, to) of word w, of those it has. */
static uint64_t bits_of(uint64_t w, uint64_t from, uint64_t to)
{
	uint64_t mask = ~0ull;

	if (from > w * 64)
		mask &= ~0ull << (from - w * 64);
	if (to < (w + 1) * 64)
		mask &= ~0ull >> ((w + 1) * 64 - to);
	return mask;
}

uint64_t hintset_add(struct hintset *s, uint64_t gpa, uint64_t len)
{
	const uint64_t part = GMEM_PAGE_SIZE - 1;
	uint64_t head = -gpa & part;
	uint64_t pages, from, to, fresh = 0;

	if (!gmem_ptr(s->mem, gpa, len) || len < head)
		return 0;
	pages = (len - head) >> GMEM_PAGE_SHIFT;
	if (!pages || !gmem_pfn_to_index(s->mem, (gpa + head) >> GMEM_PAGE_SHIFT, &from))
		return 0;
	to = from + pages;
	for (uint64_t w = from / 64; w * 64 < to; w++) {
		uint64_t mask = bits_of(w, from, to);

		fresh += (uint64_t)__builtin_popcountll(mask & ~s->map[w]);
		s->map[w] |= mask;
	}
	return fresh;
}

void hintset_drop(struct hintset *s, const uint64_t *map)
{
	for (uint64_t w = 0; w < bitmap_words(s->mem->npages); w++) {
		/* To look at both costs less than to touch pages of the set that are zero. */
		if (s->map[w] & map[w])
			s->map[w] &= ~map[w];
	}
}

void hintset_mask(const struct hintset *s, uint64_t *map)
{
	for (uint64_t w = 0; w < bitmap_words(s->mem->npages); w++) {
		if (map[w] & ~s->map[w])
			map[w] &= s->map[w];
	}
}

static bool is_zero(const uint8_t *page)
{
	uint64_t first;

	memcpy(&first, page, sizeof(first));
	/* Each word is as the one before: the C library has the fastest loop. */
	return !first && !memcmp(page, page + sizeof(first), GMEM_PAGE_SIZE - sizeof(first));
}

bool hintset_drop_used(struct hintset *s, const uint64_t *map, uint64_t *at, uint64_t max)
{
	const uint64_t npages = s->mem->npages;

	for (; max; max--, ++*at) {
		*at = bitmap_next(map, npages, *at, true);
		if (*at == npages)
			return false;
		if (bitmap_test(s->map, *at) && !is_zero(gmem_index_to_hva(s->mem, *at)))
			bitmap_clear(s->map, *at);
	}
	return true;
}

uint64_t hintset_pages(const struct hintset *s)
{
	uint64_t n = 0;

	for (uint64_t w = 0; w < bitmap_words(s->mem->npages); w++)
		n += (uint64_t)__builtin_popcountll(s->map[w]);
	return n;
}

bool hintset_next(const struct hintset *s, uint64_t *at, uint64_t max, bool whole,
		  uint64_t *start, uint64_t *n)
{
	const uint64_t npages = s->mem->npages;

	assert(max);
	for (;;) {
		const struct gmem_region *r;
		uint64_t from = bitmap_next(s->map, npages, *at, true);
		uint64_t unit = 1, end, to;

		if (from == npages) {
			*at = npages;
			return false;
		}
		r = gmem_region_of(s->mem, from);
		if (whole)
			unit = 1ull << (r->page_shift - GMEM_PAGE_SHIFT);
		assert(!(max % unit));
		end = r->index + (r->len >> GMEM_PAGE_SHIFT);
		/* Regions begin at a page of the host. */
		from = r->index + (from - r->index + unit - 1) / unit * unit;
		if (from >= end) {
			*at = end;
			continue;
		}
		if (end - from > max)
			end = from + max;
		to = bitmap_next(s->map, end, from, false);
		*at = to;
		to -= (to - from) % unit;
		if (to == from) {
			/* This page isn't whole: on with the next, if that moves us at all. */
			*at = from + unit;
			continue;
		}
		*start = from;
		*n = to - from;
		return true;
	}
}
