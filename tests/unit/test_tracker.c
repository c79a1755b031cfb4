// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/tracker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

static struct tracker_counts counts(const struct tracker *t)
{
	struct tracker_counts n;

	tracker_counts(t, &n);
	return n;
}

START_TEST(states)
{
	struct tracker *t = tracker_create(10);

	ck_assert_int_eq(tracker_state(t, 9), PAGE_GUEST);
	ck_assert(tracker_inflate(t, 9));
	ck_assert_int_eq(tracker_state(t, 9), PAGE_PENDING);
	ck_assert_int_eq(tracker_state(t, 8), PAGE_GUEST);
	ck_assert(!tracker_inflate(t, 9));
	tracker_discarded(t, 9, 1);
	ck_assert_int_eq(tracker_state(t, 9), PAGE_DISCARDED);
	ck_assert(!tracker_inflate(t, 9));
	ck_assert_uint_eq(counts(t).pending, 0);
	ck_assert_uint_eq(counts(t).discarded, 1);
	ck_assert_uint_eq(counts(t).double_inflates, 2);
	ck_assert_int_eq(tracker_deflate(t, 9), PAGE_DISCARDED);
	ck_assert_int_eq(tracker_deflate(t, 9), PAGE_GUEST);
	ck_assert_uint_eq(counts(t).discarded, 0);
	ck_assert_uint_eq(counts(t).stray_deflates, 1);
	tracker_inflate(t, 0);
	ck_assert_int_eq(tracker_deflate(t, 0), PAGE_PENDING);
	ck_assert_uint_eq(counts(t).pending, 0);
	ck_assert_uint_eq(counts(t).stray_deflates, 1);
	tracker_destroy(t);
	tracker_destroy(NULL);
}
END_TEST

static void check_next(const struct tracker *t, uint64_t from, uint64_t start, uint64_t len)
{
	uint64_t s, l;

	ck_assert(tracker_next_pending(t, from, &s, &l));
	ck_assert_uint_eq(s, start);
	ck_assert_uint_eq(l, len);
}

START_TEST(runs_are_maximal)
{
	const uint64_t npages = 1 << 20;
	struct tracker *t = tracker_create(npages);
	uint64_t s = 7, l = 7;

	ck_assert(!tracker_next_pending(t, 0, &s, &l));
	ck_assert(s == 7 && l == 7);
	/* Descending, over word and summary boundaries. */
	for (uint64_t i = 9000; i > 4000; i--)
		tracker_inflate(t, i);
	tracker_inflate(t, npages - 1);
	check_next(t, 0, 4001, 5000);
	check_next(t, 4001, 4001, 5000);
	check_next(t, 4500, 4500, 4501);
	check_next(t, 9001, npages - 1, 1);
	ck_assert(!tracker_next_pending(t, npages, &s, &l));
	tracker_deflate(t, 6400);
	check_next(t, 0, 4001, 2399);
	check_next(t, 6400, 6401, 2600);
	tracker_discarded(t, 4001, 2399);
	check_next(t, 0, 6401, 2600);
	tracker_discarded(t, 6401, 2600);
	check_next(t, 0, npages - 1, 1);
	/* Discarded neighbours don't belong to the run. */
	tracker_inflate(t, 6400);
	check_next(t, 0, 6400, 1);
	tracker_destroy(t);
}
END_TEST

START_TEST(everything_at_once)
{
	const uint64_t npages = 4096 * 64 + 17;
	struct tracker *t = tracker_create(npages);

	for (uint64_t i = 0; i < npages; i++)
		tracker_inflate(t, i);
	check_next(t, 0, 0, npages);
	tracker_discarded(t, 0, npages);
	ck_assert_uint_eq(counts(t).discarded, npages);
	ck_assert_uint_eq(counts(t).pending, 0);
	for (uint64_t i = 0; i < npages; i++) {
		if (tracker_deflate(t, i) != PAGE_DISCARDED)
			ck_abort_msg("page %u wasn't discarded", (unsigned)i);
	}
	ck_assert_uint_eq(counts(t).discarded, 0);
	tracker_destroy(t);
}
END_TEST

START_TEST(reset_keeps_event_counters)
{
	struct tracker *t = tracker_create(200);
	uint64_t s, l;

	tracker_inflate(t, 100);
	tracker_discarded(t, 100, 1);
	tracker_inflate(t, 100);
	tracker_inflate(t, 199);
	tracker_deflate(t, 0);
	tracker_reset(t);
	for (uint64_t i = 0; i < 200; i++)
		ck_assert_int_eq(tracker_state(t, i), PAGE_GUEST);
	ck_assert(!tracker_next_pending(t, 0, &s, &l));
	ck_assert_uint_eq(counts(t).pending, 0);
	ck_assert_uint_eq(counts(t).discarded, 0);
	ck_assert_uint_eq(counts(t).double_inflates, 1);
	ck_assert_uint_eq(counts(t).stray_deflates, 1);
	ck_assert(tracker_inflate(t, 100));
	check_next(t, 0, 100, 1);
	tracker_destroy(t);
}
END_TEST

/* ---- random scripts against an array of states ---- */

#define MODEL_PAGES 9000 /* more than 64 words of 64, and not a multiple of either */

struct model {
	enum page_state state[MODEL_PAGES];
	struct tracker_counts n;
};

static void model_inflate(struct model *m, struct tracker *t, uint64_t i)
{
	bool fresh = m->state[i] == PAGE_GUEST;

	if (tracker_inflate(t, i) != fresh)
		ck_abort_msg("inflate of page %u", (unsigned)i);
	m->n.double_inflates += !fresh;
	m->n.pending += fresh;
	if (fresh)
		m->state[i] = PAGE_PENDING;
}

static void model_deflate(struct model *m, struct tracker *t, uint64_t i)
{
	if (tracker_deflate(t, i) != m->state[i])
		ck_abort_msg("deflate of page %u", (unsigned)i);
	m->n.stray_deflates += m->state[i] == PAGE_GUEST;
	m->n.pending -= m->state[i] == PAGE_PENDING;
	m->n.discarded -= m->state[i] == PAGE_DISCARDED;
	m->state[i] = PAGE_GUEST;
}

/* Find the next run both ways; then discard a part of it, as a flush cut at a region would. */
static void model_discard(struct model *m, struct tracker *t, uint64_t from, unsigned cut)
{
	uint64_t start = from, end, s, l;

	while (start < MODEL_PAGES && m->state[start] != PAGE_PENDING)
		start++;
	for (end = start; end < MODEL_PAGES && m->state[end] == PAGE_PENDING;)
		end++;
	ck_assert(tracker_next_pending(t, from, &s, &l) == (start < MODEL_PAGES));
	if (start == MODEL_PAGES)
		return;
	ck_assert_uint_eq(s, start);
	ck_assert_uint_eq(l, end - start);
	l = 1 + cut % l;
	tracker_discarded(t, s, l);
	m->n.pending -= l;
	m->n.discarded += l;
	for (uint64_t i = s; i < s + l; i++)
		m->state[i] = PAGE_DISCARDED;
}

static void model_compare(const struct model *m, const struct tracker *t)
{
	struct tracker_counts n = counts(t);

	ck_assert_uint_eq(n.pending, m->n.pending);
	ck_assert_uint_eq(n.discarded, m->n.discarded);
	ck_assert_uint_eq(n.double_inflates, m->n.double_inflates);
	ck_assert_uint_eq(n.stray_deflates, m->n.stray_deflates);
	for (uint64_t i = 0; i < MODEL_PAGES; i++) {
		if (tracker_state(t, i) != m->state[i])
			ck_abort_msg("page %u differs", (unsigned)i);
	}
}

static void model_step(struct model *m, struct tracker *t, unsigned *seed)
{
	unsigned kind = (unsigned)rand_r(seed) % 16;
	unsigned r = (unsigned)rand_r(seed);
	uint64_t i = r % MODEL_PAGES;
	uint64_t end = i + r % 300 < MODEL_PAGES ? i + r % 300 : MODEL_PAGES;

	if (kind < 4) {
		model_inflate(m, t, i);
	} else if (kind < 7) {
		model_deflate(m, t, i);
	} else if (kind < 10) {
		while (end-- > i)
			model_inflate(m, t, end);
	} else if (kind < 12) {
		while (i < end)
			model_deflate(m, t, i++);
	} else if (kind < 15 || r % 64) {
		model_discard(m, t, i, (unsigned)rand_r(seed));
	} else {
		tracker_reset(t);
		memset(m->state, 0, sizeof(m->state));
		m->n.pending = m->n.discarded = 0;
	}
}

START_TEST(random_against_model)
{
	const char *env = getenv("TEST_SEED");
	unsigned seed = env ? (unsigned)strtoul(env, NULL, 0) : (unsigned)time(NULL);
	struct tracker *t = tracker_create(MODEL_PAGES);
	struct model *m = calloc(1, sizeof(*m));

	printf("tracker: TEST_SEED=%u\n", seed);
	fflush(stdout);
	for (unsigned step = 0; step < 20000; step++) {
		model_step(m, t, &seed);
		if (step % 256 == 0)
			model_compare(m, t);
	}
	model_compare(m, t);
	free(m);
	tracker_destroy(t);
}
END_TEST

UNIT_MAIN("tracker", states, runs_are_maximal, everything_at_once, reset_keeps_event_counters,
	  random_against_model)
