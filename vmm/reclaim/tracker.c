// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/tracker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/reclaim/blockset.h"

struct block {
	uint16_t ballooned, pending; /* pages */
	uint16_t stamp;		     /* of the oldest pending page */
};

struct tracker {
	uint64_t npages, nblocks;
	uint64_t unit;	     /* pages in a host page */
	uint64_t *ballooned; /* a bit per page */
	uint64_t *pairs;     /* a bit per two pages: those of them that are ballooned, pend */
	struct block *block;
	struct blockset ready, partial, parked;
	struct tracker_counts n;
};

struct tracker *tracker_create(uint64_t npages, uint64_t unit)
{
	struct tracker *t = calloc(1, sizeof(*t));

	assert(npages && unit && !(npages % unit) && !(unit & (unit - 1)));
	if (!t)
		return NULL;
	t->npages = npages;
	t->nblocks = (npages + TRACKER_BLOCK - 1) / TRACKER_BLOCK;
	t->unit = unit;
	/* Whole blocks: eight words of a block are looked at without a question. */
	t->ballooned = calloc(t->nblocks * (TRACKER_BLOCK / 64), sizeof(uint64_t));
	t->pairs = calloc(t->nblocks * (TRACKER_BLOCK / 128), sizeof(uint64_t));
	t->block = calloc(t->nblocks, sizeof(struct block));
	if (!blockset_init(&t->ready, t->nblocks) || !blockset_init(&t->partial, t->nblocks) ||
	    !blockset_init(&t->parked, t->nblocks) || !t->ballooned || !t->pairs || !t->block) {
		tracker_destroy(t);
		return NULL;
	}
	return t;
}

void tracker_destroy(struct tracker *t)
{
	if (!t)
		return;
	blockset_fini(&t->ready);
	blockset_fini(&t->partial);
	blockset_fini(&t->parked);
	free(t->ballooned);
	free(t->pairs);
	free(t->block);
	free(t);
}

uint64_t tracker_footprint(uint64_t npages)
{
	uint64_t blocks = (npages + TRACKER_BLOCK - 1) / TRACKER_BLOCK;
	uint64_t set = bitmap_words(blocks) + bitmap_words(bitmap_words(blocks));

	return sizeof(struct tracker) + blocks * (TRACKER_BLOCK / 8 + TRACKER_BLOCK / 16) +
	       blocks * sizeof(struct block) + 3 * set * sizeof(uint64_t);
}

static bool pair_pending(const struct tracker *t, uint64_t index)
{
	return bitmap_test(t->pairs, index / 2);
}

/* The first page of the unit around index. */
static uint64_t unit_start(const struct tracker *t, uint64_t index)
{
	return index & ~(t->unit - 1);
}

static bool unit_complete(const struct tracker *t, uint64_t index)
{
	uint64_t first = unit_start(t, index), b = first / TRACKER_BLOCK;

	if (t->unit < TRACKER_BLOCK)
		return bitmap_next(t->ballooned, first + t->unit, first, false) ==
		       first + t->unit;
	for (uint64_t n = t->unit / TRACKER_BLOCK; n; n--, b++) {
		if (t->block[b].ballooned != TRACKER_BLOCK)
			return false;
	}
	return true;
}

enum page_state tracker_state(const struct tracker *t, uint64_t index)
{
	assert(index < t->npages);
	if (!bitmap_test(t->ballooned, index))
		return PAGE_GUEST;
	if (pair_pending(t, index))
		return PAGE_PENDING;
	return t->unit > 1 && !unit_complete(t, index) ? PAGE_HELD : PAGE_DISCARDED;
}

/* Put block b into the set that it belongs to now. */
static void file_block(struct tracker *t, uint64_t b)
{
	const struct block *k = &t->block[b];
	bool parked = k->pending && blockset_has(&t->parked, b);
	bool live = k->pending && !parked;

	blockset_put(&t->parked, b, parked);
	blockset_put(&t->ready, b, live && k->ballooned == TRACKER_BLOCK);
	blockset_put(&t->partial, b, live && k->ballooned != TRACKER_BLOCK);
}

/* n more pages of block b are pending, or fewer. */
static void add_pending(struct tracker *t, uint64_t b, int n)
{
	t->block[b].pending = (uint16_t)(t->block[b].pending + n);
	t->n.pending = (uint64_t)((int64_t)t->n.pending + n);
	if (t->parked.n && blockset_has(&t->parked, b))
		t->n.parked = (uint64_t)((int64_t)t->n.parked + n);
}

/* mark_unit() of one that is a part of block b. */
static void mark_part(struct tracker *t, uint64_t b, uint64_t first, bool pending,
		      uint16_t stamp)
{
	bool was = pair_pending(t, first);

	for (uint64_t p = first / 2; p < (first + t->unit) / 2; p++) {
		if (pending)
			bitmap_set(t->pairs, p);
		else
			bitmap_clear(t->pairs, p);
	}
	if (pending && !t->block[b].pending)
		t->block[b].stamp = stamp;
	if (pending != was)
		add_pending(t, b, pending ? (int)t->unit : -(int)t->unit);
	file_block(t, b);
}

/*
 * All pages of the unit around index become pending, or none of them is any more: those of a
 * complete unit are always in the same state.
 */
static void mark_unit(struct tracker *t, uint64_t index, bool pending, uint16_t stamp)
{
	uint64_t first = unit_start(t, index), b = first / TRACKER_BLOCK;

	if (t->unit < TRACKER_BLOCK) {
		mark_part(t, b, first, pending, stamp);
		return;
	}
	for (uint64_t n = t->unit / TRACKER_BLOCK; n; n--, b++) {
		int want = pending ? (int)TRACKER_BLOCK : 0;

		memset(&t->pairs[b * (TRACKER_BLOCK / 128)], pending ? 0xff : 0,
		       TRACKER_BLOCK / 16);
		add_pending(t, b, want - t->block[b].pending);
		t->block[b].stamp = stamp;
		file_block(t, b);
	}
}

static void inflate_held(struct tracker *t, uint64_t index, uint16_t stamp)
{
	t->n.held++;
	/* Amortised: the other blocks are looked at once in 512 pages. */
	if (t->unit >= TRACKER_BLOCK &&
	    t->block[index / TRACKER_BLOCK].ballooned != TRACKER_BLOCK)
		return;
	if (!unit_complete(t, index))
		return;
	t->n.held -= t->unit;
	mark_unit(t, index, true, stamp);
}

bool tracker_inflate(struct tracker *t, uint64_t index, uint16_t stamp)
{
	uint64_t b = index / TRACKER_BLOCK;
	struct block *k = &t->block[b];
	bool filled, first;

	assert(index < t->npages);
	if (bitmap_test(t->ballooned, index)) {
		t->n.double_inflates++;
		return false;
	}
	bitmap_set(t->ballooned, index);
	t->n.ballooned++;
	filled = ++k->ballooned == TRACKER_BLOCK;
	if (t->unit > 1) {
		inflate_held(t, index, stamp);
		return true;
	}
	first = !k->pending;
	/* Its neighbour in the pair, if discarded, is pending once more. */
	if (!pair_pending(t, index)) {
		bitmap_set(t->pairs, index / 2);
		add_pending(t, b, 1 + bitmap_test(t->ballooned, index ^ 1));
	} else {
		add_pending(t, b, 1);
	}
	if (first)
		k->stamp = stamp;
	if (first || filled)
		file_block(t, b);
	return true;
}

static void deflate_unit(struct tracker *t, uint64_t index)
{
	if (!unit_complete(t, index)) {
		t->n.held--;
		return;
	}
	t->n.held += t->unit - 1;
	mark_unit(t, index, false, 0);
}

enum page_state tracker_deflate(struct tracker *t, uint64_t index)
{
	enum page_state was = tracker_state(t, index);
	uint64_t b = index / TRACKER_BLOCK;

	if (was == PAGE_GUEST) {
		t->n.stray_deflates++;
		return was;
	}
	if (t->unit > 1)
		deflate_unit(t, index);
	else if (was == PAGE_PENDING)
		add_pending(t, b, -1);
	bitmap_clear(t->ballooned, index);
	if (t->unit == 1 && !bitmap_test(t->ballooned, index ^ 1))
		bitmap_clear(t->pairs, index / 2);
	t->block[b].ballooned--;
	t->n.ballooned--;
	file_block(t, b);
	return was;
}

/* Repeat every bit of the low half: 0b10 -> 0b1100. */
static uint64_t double_bits(uint64_t v)
{
	v &= 0xffffffff;
	v = (v | v << 16) & 0x0000ffff0000ffffull;
	v = (v | v << 8) & 0x00ff00ff00ff00ffull;
	v = (v | v << 4) & 0x0f0f0f0f0f0f0f0full;
	v = (v | v << 2) & 0x3333333333333333ull;
	v = (v | v << 1) & 0x5555555555555555ull;
	return v | v << 1;
}

/* The pending pages among the 64 of word w. */
static uint64_t pending_word(const struct tracker *t, uint64_t w)
{
	uint64_t half = t->pairs[w / 2] >> (w % 2 * 32);

	return double_bits(half) & t->ballooned[w];
}

/* First pending page of [from, end), or end. end is the end of a block. */
static uint64_t first_pending(const struct tracker *t, uint64_t from, uint64_t end)
{
	while (from < end) {
		uint64_t v = pending_word(t, from / 64) & (~0ull << (from % 64));

		if (v)
			return (from & ~63ull) + (uint64_t)__builtin_ctzll(v);
		from = (from & ~63ull) + 64;
	}
	return end;
}

/* The last pending page below end; there is one. */
static uint64_t last_pending(const struct tracker *t, uint64_t end)
{
	uint64_t w = (end - 1) / 64;
	uint64_t v = pending_word(t, w) & (~0ull >> (63 - (end - 1) % 64));

	while (!v)
		v = pending_word(t, --w);
	return w * 64 + 63 - (uint64_t)__builtin_clzll(v);
}

bool tracker_ready_run(const struct tracker *t, uint64_t *cursor, uint64_t max, uint64_t *start,
		       uint64_t *len)
{
	uint64_t blocks = max / TRACKER_BLOCK;
	uint64_t b = blockset_next(&t->ready, *cursor);
	uint64_t e;

	if (b == t->nblocks)
		b = blockset_next(&t->ready, 0);
	if (b == t->nblocks)
		return false;
	if (blocks < t->unit / TRACKER_BLOCK)
		blocks = t->unit / TRACKER_BLOCK;
	if (!blocks)
		blocks = 1;
	/* A run begins and ends with a unit, because all blocks of a unit are ready together.
	 */
	for (e = b + 1; e < t->nblocks && e - b < blocks && blockset_has(&t->ready, e);)
		e++;
	*cursor = e;
	*start = first_pending(t, b * TRACKER_BLOCK, (b + 1) * TRACKER_BLOCK);
	*len = last_pending(t, e * TRACKER_BLOCK) + 1 - *start;
	return true;
}

uint64_t tracker_partial_block(const struct tracker *t, uint64_t block)
{
	return blockset_next(&t->partial, block);
}

uint64_t tracker_blocks(const struct tracker *t)
{
	return t->nblocks;
}

uint64_t tracker_partial_count(const struct tracker *t)
{
	return t->partial.n;
}

uint64_t tracker_ready_count(const struct tracker *t)
{
	return t->ready.n;
}

unsigned tracker_block_pending(const struct tracker *t, uint64_t block)
{
	return t->block[block].pending;
}

uint16_t tracker_block_stamp(const struct tracker *t, uint64_t block)
{
	return t->block[block].stamp;
}

bool tracker_block_run(const struct tracker *t, uint64_t from, uint64_t *start, uint64_t *len)
{
	uint64_t end = (from / TRACKER_BLOCK + 1) * TRACKER_BLOCK;
	uint64_t s = first_pending(t, from, end);
	uint64_t e;

	if (s == end)
		return false;
	e = bitmap_next(t->ballooned, end, s, false);
	*start = s;
	*len = last_pending(t, e) + 1 - s;
	return true;
}

uint64_t tracker_take(struct tracker *t, uint64_t start, uint64_t len)
{
	uint64_t end = start + len;
	uint64_t total = 0;

	assert(len && end <= t->npages);
	while (start < end) {
		uint64_t w = start / 64, b = start / TRACKER_BLOCK;
		uint64_t stop = (w + 1) * 64 < end ? (w + 1) * 64 : end;
		uint64_t mask = (~0ull >> (64 - (stop - start))) << (start % 64);
		int n;

		assert((t->ballooned[w] & mask) == mask);
		n = __builtin_popcountll(pending_word(t, w) & mask);
		/* Of a pair that is cut by the run's end, the other page is the guest's. */
		for (uint64_t p = start / 2; p <= (stop - 1) / 2;) {
			uint64_t in = p % 64, upto = (stop - 1) / 2 - p + 1;

			if (upto > 64 - in)
				upto = 64 - in;
			t->pairs[p / 64] &= ~((~0ull >> (64 - upto)) << in);
			p += upto;
		}
		add_pending(t, b, -n);
		total += (uint64_t)n;
		if (!(stop % TRACKER_BLOCK) || stop == end)
			file_block(t, b);
		start = stop;
	}
	return total;
}

void tracker_failed(struct tracker *t, uint64_t start, uint64_t len, uint16_t stamp)
{
	uint64_t end = start + len;

	assert(len && end <= t->npages);
	for (uint64_t i = start; i < end; i++) {
		uint64_t b = i / TRACKER_BLOCK;

		if (i == start || !(i % TRACKER_BLOCK)) {
			if (!blockset_has(&t->parked, b))
				t->n.parked += t->block[b].pending;
			blockset_put(&t->parked, b, true);
			if (!t->block[b].pending)
				t->block[b].stamp = stamp;
		}
		if (bitmap_test(t->ballooned, i) && !pair_pending(t, i)) {
			bitmap_set(t->pairs, i / 2);
			add_pending(t, b, 1 + bitmap_test(t->ballooned, i ^ 1));
		}
		if (i + 1 == end || !((i + 1) % TRACKER_BLOCK))
			file_block(t, b);
	}
}

void tracker_unpark(struct tracker *t)
{
	uint64_t b = 0;

	while ((b = blockset_next(&t->parked, b)) < t->nblocks) {
		blockset_put(&t->parked, b, false);
		file_block(t, b);
	}
	t->n.parked = 0;
}

void tracker_reset(struct tracker *t)
{
	/*
	 * A boot resets a device several times before it is ever used; writing zeros over maps
	 * that were never touched would only make them resident.
	 */
	if (!t->n.ballooned)
		return;
	memset(t->ballooned, 0, t->nblocks * (TRACKER_BLOCK / 8));
	memset(t->pairs, 0, t->nblocks * (TRACKER_BLOCK / 16));
	memset(t->block, 0, t->nblocks * sizeof(struct block));
	blockset_clear(&t->ready);
	blockset_clear(&t->partial);
	blockset_clear(&t->parked);
	t->n.ballooned = t->n.pending = t->n.parked = t->n.held = 0;
}

void tracker_counts(const struct tracker *t, struct tracker_counts *out)
{
	*out = t->n;
	out->discarded = t->n.ballooned - t->n.pending - t->n.held;
}
