// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/engine.h"
#include "vmm/base/clock.h"
#include "vmm/base/size.h"
#include "vmm/mem/gmem.h"
#include "vmm/reclaim/tracker.h"

#define BATCH	   4096u	 /* pages between two looks at the clock */
#define SAMPLE_MAX (64ull << 18) /* pages of a stream: 64 GiB of them */
#define FINDS	   200000u
#define RUN_MAX	   4096u /* pages: the engine's longest run */

static uint64_t npages;

/* ---- in which order pages come: the i-th of n, spread over all of npages ---- */

static uint64_t ascending(uint64_t i)
{
	return i;
}

static uint64_t descending(uint64_t i)
{
	return npages - 1 - i;
}

/* A guest of several processors and zones: four rows, each descending, in turn. */
static uint64_t interleaved(uint64_t i)
{
	return (i % 4 + 1) * (npages / 4) - 1 - i / 4;
}

/* First every second page, then those in between. */
static uint64_t halves(uint64_t i)
{
	return i < npages / 2 ? 2 * i : 2 * (i - npages / 2) + 1;
}

/* npages is a power of two, so that each of these steps has an inverse. */
static uint64_t shuffled(uint64_t i)
{
	uint64_t mask = npages - 1;
	unsigned half = (unsigned)__builtin_ctzll(npages) / 2;

	for (unsigned k = 0; k < 3; k++) {
		i = (i * 0x9e3779b97f4a7c15ull + 0x7f4a7c15) & mask;
		i ^= i >> half;
	}
	return i;
}

static const struct {
	const char *name;
	uint64_t (*page)(uint64_t i);
} orders[] = {
	{"ascending", ascending}, {"descending", descending}, {"interleaved", interleaved},
	{"halves", halves},	  {"shuffled", shuffled},
};

static struct tracker *create(void)
{
	struct tracker *t = tracker_create(npages, 1);

	if (!t) {
		fprintf(stderr, "engine: out of memory\n");
		exit(1);
	}
	return t;
}

/*
 * The number of a page that is sent. Of more pages than SAMPLE_MAX whole batches are left out;
 * what is sent is spread over all of the memory.
 */
static uint64_t sampled(uint64_t i)
{
	uint64_t sparse = npages > SAMPLE_MAX ? npages / SAMPLE_MAX : 1;

	return i / BATCH * sparse * BATCH + i % BATCH;
}

/* ns per page of doing it in this order. */
static double mark(struct tracker *t, uint64_t (*page)(uint64_t), uint64_t n, bool inflate)
{
	static uint64_t list[BATCH];
	uint64_t took = 0;

	for (uint64_t i = 0; i < n; i += BATCH) {
		uint64_t start;

		for (uint64_t k = 0; k < BATCH; k++)
			list[k] = page(sampled(i + k));
		start = clock_now_ns();
		for (uint64_t k = 0; k < BATCH; k++) {
			if (inflate)
				tracker_inflate(t, list[k], 0);
			else
				tracker_deflate(t, list[k]);
		}
		took += clock_now_ns() - start;
	}
	return (double)took / (double)n;
}

/* Everything that is pending goes; ns per page. */
static double take_all(struct tracker *t, uint64_t n)
{
	uint64_t start = clock_now_ns(), cursor = 0, from, len, b = 0, taken = 0;

	while (tracker_ready_run(t, &cursor, RUN_MAX, &from, &len))
		taken += tracker_take(t, from, len);
	while ((b = tracker_partial_block(t, b)) < tracker_blocks(t)) {
		uint64_t at = b * TRACKER_BLOCK, end = at + TRACKER_BLOCK;

		for (; at < end && tracker_block_run(t, at, &from, &len); at = from + len)
			taken += tracker_take(t, from, len);
	}
	assert(taken == n);
	return (double)(clock_now_ns() - start) / (double)n;
}

static void bench_orders(unsigned round)
{
	uint64_t n = npages < SAMPLE_MAX ? npages : SAMPLE_MAX;

	for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++) {
		struct tracker *t = create();
		double in, take, out;

		/* The second time: memory for the maps is there. */
		mark(t, orders[o].page, n, true);
		mark(t, orders[o].page, n, false);
		in = mark(t, orders[o].page, n, true);
		take = take_all(t, n);
		out = mark(t, orders[o].page, n, false);
		printf("{\"case\": \"mark\", \"round\": %u, \"gib\": %llu, \"order\": \"%s\", "
		       "\"pages\": %llu, \"inflate_ns\": %.2f, \"take_ns\": %.3f, "
		       "\"deflate_ns\": %.2f}\n",
		       round, (unsigned long long)(npages >> 18), orders[o].name,
		       (unsigned long long)n, in, take, out);
		fflush(stdout);
		tracker_destroy(t);
	}
}

/* ---- where to go on, in memory of which every step-th block has work ---- */

static uint64_t next_cursor(uint64_t *rng)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return *rng % (npages / TRACKER_BLOCK);
}

static double find_ready(const struct tracker *t)
{
	uint64_t rng = 1, start = clock_now_ns(), at, len, found = 0;

	for (unsigned i = 0; i < FINDS; i++) {
		uint64_t cursor = next_cursor(&rng);

		found += tracker_ready_run(t, &cursor, RUN_MAX, &at, &len);
	}
	assert(found == FINDS);
	return (double)(clock_now_ns() - start) / FINDS;
}

static double find_partial(const struct tracker *t)
{
	uint64_t rng = 1, start = clock_now_ns(), at, len, found = 0;

	for (unsigned i = 0; i < FINDS; i++) {
		uint64_t b = tracker_partial_block(t, next_cursor(&rng));

		if (b == tracker_blocks(t))
			b = tracker_partial_block(t, 0);
		found += tracker_block_run(t, b * TRACKER_BLOCK, &at, &len);
	}
	assert(found == FINDS);
	return (double)(clock_now_ns() - start) / FINDS;
}

static void fill_blocks(struct tracker *t, uint64_t step, unsigned pages)
{
	for (uint64_t b = step / 2; b < npages / TRACKER_BLOCK; b += step) {
		for (unsigned i = 0; i < pages; i++)
			tracker_inflate(t, b * TRACKER_BLOCK + i, 0);
	}
}

static void bench_find(unsigned round)
{
	const struct {
		const char *name;
		uint64_t step;
	} fill[] = {{"one block", npages / TRACKER_BLOCK}, {"half", 2}, {"full", 1}};

	for (size_t f = 0; f < sizeof(fill) / sizeof(fill[0]); f++) {
		struct tracker *t = create();
		double ready, partial;

		fill_blocks(t, fill[f].step, TRACKER_BLOCK);
		ready = find_ready(t);
		tracker_reset(t);
		fill_blocks(t, fill[f].step, 3);
		partial = find_partial(t);
		printf("{\"case\": \"find\", \"round\": %u, \"gib\": %llu, \"fill\": \"%s\", "
		       "\"ready_ns\": %.1f, \"partial_ns\": %.1f}\n",
		       round, (unsigned long long)(npages >> 18), fill[f].name, ready, partial);
		fflush(stdout);
		tracker_destroy(t);
	}
}

/* ---- memory ---- */

static double resident_mib(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2) {
		fprintf(stderr, "engine: cannot read statm\n");
		exit(1);
	}
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / (double)MIB;
}

static void bench_memory(unsigned round)
{
	double before, created, marked;
	struct tracker *t;

	/* What earlier trackers left in the heap would not be counted. */
	malloc_trim(0);
	before = resident_mib();
	t = create();
	created = resident_mib() - before;
	for (uint64_t i = 0; i < npages; i++)
		tracker_inflate(t, i, 0);
	marked = resident_mib() - before;
	printf("{\"case\": \"memory\", \"round\": %u, \"gib\": %llu, \"allowed_mib\": %.4f, "
	       "\"footprint_mib\": %.4f, \"created_mib\": %.2f, \"marked_mib\": %.2f}\n",
	       round, (unsigned long long)(npages >> 18),
	       64.0 * (double)npages / (double)(TIB / GMEM_PAGE_SIZE),
	       (double)tracker_footprint(npages) / (double)MIB, created, marked);
	fflush(stdout);
	tracker_destroy(t);
}

void bench_tracker(unsigned round)
{
	static const uint64_t sizes[] = {1, 64, 1024}; /* GiB */

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		npages = sizes[i] << 18;
		bench_memory(round);
		bench_orders(round);
		bench_find(round);
	}
}
