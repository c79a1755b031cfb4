// SPDX-License-Identifier: Apache-2.0
/* What the engine picks, seen in the flights that a backend gets and doesn't finish by itself.
 */
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/base/clock.h"
#include "vmm/reclaim/internal.h"

#define BLOCKS 64u /* 128 MiB of which nothing is ever touched */
#define PAGES  (BLOCKS * TRACKER_BLOCK)

static struct gmem mem;
static struct reclaim *r;
static struct discard_run *given[FLIGHTS_MAX];
static unsigned ngiven;

static void keep(void *backend, struct discard_run *const run[], unsigned n)
{
	(void)backend;
	ck_assert_uint_le(ngiven + n, FLIGHTS_MAX);
	memcpy(given + ngiven, run, n * sizeof(run[0]));
	ngiven += n;
}

static void finish_all(void *backend)
{
	(void)backend;
	for (unsigned i = 0; i < ngiven; i++)
		given[i]->done = true;
	ngiven = 0;
}

/* A helper's runs are done when it is back. */
static unsigned nhelped, helped_first;
static void now(void *backend, struct discard_run *const run[], unsigned n)
{
	(void)backend;
	helped_first = (unsigned)((uint64_t)(run[0]->hva - mem.region[0].hva) / GMEM_PAGE_SIZE);
	nhelped += n;
	for (unsigned i = 0; i < n; i++)
		run[i]->done = true;
}

static void nothing(void *backend)
{
	(void)backend;
}

static const struct backend_ops ops = {
	.name = "keep", .submit = keep, .reap = finish_all, .now = now, .destroy = nothing};

static void setup(bool huge)
{
	const struct gmem_span span = {0, PAGES * GMEM_PAGE_SIZE};
	const struct reclaim_config cfg = {.kind = RECLAIM_SYNC, .backlog_max = 64 << 20};

	ck_assert_int_eq(gmem_create(&mem, &span, 1, NULL), 0);
	r = reclaim_create_with(&mem, &cfg, &ops, NULL);
	ck_assert_ptr_nonnull(r);
	r->huge = huge;
	ngiven = nhelped = 0;
}

static void step(void)
{
	pthread_mutex_lock(&r->lock);
	reclaim_step(r);
	pthread_mutex_unlock(&r->lock);
}

static void teardown(void)
{
	while (r->nflights)
		step();
	reclaim_destroy(r);
	gmem_destroy(&mem);
}

/* Every step-th page of n, from one on; past the bound of the backlog. */
static void give(uint64_t from, uint64_t n, unsigned step)
{
	for (uint64_t i = from; i < from + n; i += step)
		tracker_inflate(r->tracker, i, reclaim_stamp(clock_now_ns()));
	r->take_ns = clock_now_ns();
}

START_TEST(complete_blocks_go_at_once_in_long_runs)
{
	setup(false);
	give(0, 10 * TRACKER_BLOCK, 1);
	give(20 * TRACKER_BLOCK + 1, TRACKER_BLOCK - 1, 1);
	step();
	ck_assert_uint_eq(ngiven, 2);
	ck_assert_uint_eq(given[0]->len, RUN_MAX * GMEM_PAGE_SIZE);
	ck_assert_uint_eq(given[1]->len, (10 * TRACKER_BLOCK - RUN_MAX) * GMEM_PAGE_SIZE);
	teardown();
}
END_TEST

START_TEST(in_flight_is_bounded)
{
	setup(false);
	give(0, 40 * TRACKER_BLOCK, 1);
	step();
	ck_assert_uint_eq(r->discarding, FLYING_MAX);
	ck_assert(r->more);
	step();
	ck_assert_uint_eq(ngiven, 0);
	step();
	ck_assert_uint_ge(ngiven, 1);
	teardown();
}
END_TEST

START_TEST(parts_of_blocks_wait_until_the_guest_is_silent)
{
	setup(false);
	give(0, 100, 1);
	step();
	ck_assert_uint_eq(ngiven, 0);
	r->take_ns -= RECLAIM_IDLE_MS * NSEC_PER_MSEC;
	step();
	ck_assert_uint_eq(ngiven, 1);
	ck_assert_uint_eq(given[0]->len, 100 * GMEM_PAGE_SIZE);
	teardown();
}
END_TEST

START_TEST(with_huge_pages_they_wait_longer)
{
	setup(true);
	give(0, 100, 1);
	r->take_ns -= RECLAIM_IDLE_MS * NSEC_PER_MSEC;
	step();
	ck_assert_uint_eq(ngiven, 0);
	r->take_ns -= RECLAIM_IDLE_HUGE_MS * NSEC_PER_MSEC;
	step();
	ck_assert_uint_eq(ngiven, 1);
	teardown();
}
END_TEST

/* The guest goes on, but this block has had its time. */
static void make_older(unsigned ms)
{
	for (unsigned i = 0; i < 100; i++)
		tracker_deflate(r->tracker, i);
	for (unsigned i = 0; i < 100; i++)
		tracker_inflate(r->tracker, i, (uint16_t)(reclaim_stamp(clock_now_ns()) - ms));
	r->take_ns = clock_now_ns();
	r->age_round_ns = 0;
	r->ageing = false;
	step();
}

START_TEST(old_pages_go_though_the_guest_goes_on)
{
	const unsigned age[] = {RECLAIM_AGE_MS, RECLAIM_AGE_HUGE_MS};

	for (unsigned huge = 0; huge < 2; huge++) {
		setup(huge);
		make_older(age[huge] / 2);
		ck_assert_uint_eq(ngiven, 0);
		make_older(age[huge]);
		ck_assert_uint_eq(ngiven, 1);
		teardown();
	}
}
END_TEST

START_TEST(under_pressure_the_dense_blocks_go)
{
	setup(false);
	for (uint64_t b = 0; b < BLOCKS; b++)
		give(b * TRACKER_BLOCK, TRACKER_BLOCK - 1, b % 2 ? 1 : 2);
	step();
	ck_assert_uint_gt(ngiven, 0);
	for (unsigned i = 0; i < ngiven; i++)
		ck_assert_uint_eq(given[i]->len, (TRACKER_BLOCK - 1) * GMEM_PAGE_SIZE);
	teardown();
}
END_TEST

START_TEST(a_helper_takes_what_the_thread_has_not)
{
	setup(false);
	give(0, 30 * TRACKER_BLOCK, 1);
	step();
	ck_assert_uint_eq(r->discarding, FLYING_MAX);
	pthread_mutex_lock(&r->lock);
	ck_assert(reclaim_help(r));
	pthread_mutex_unlock(&r->lock);
	ck_assert_uint_eq(nhelped, 1);
	ck_assert_uint_eq(helped_first, FLYING_MAX);
	/* Those of the thread are still on their way, and only those. */
	ck_assert_uint_eq(r->discarding, FLYING_MAX);
	ck_assert_uint_eq(r->nhelped, 0);
	ck_assert_uint_eq(r->nflights, ngiven);
	teardown();
}
END_TEST

START_TEST(a_helper_takes_parts_when_nothing_is_complete)
{
	setup(false);
	pthread_mutex_lock(&r->lock);
	ck_assert(!reclaim_help(r));
	for (uint64_t b = 0; b < BLOCKS; b++)
		give(b * TRACKER_BLOCK, TRACKER_BLOCK - 1, 2);
	ck_assert(reclaim_help(r));
	ck_assert_uint_ge(nhelped, HELP_FLIGHTS / 2);
	ck_assert_uint_le(nhelped, HELP_FLIGHTS);
	ck_assert_uint_eq(r->discarding, 0);
	pthread_mutex_unlock(&r->lock);
	teardown();
}
END_TEST

UNIT_MAIN("pick", complete_blocks_go_at_once_in_long_runs, in_flight_is_bounded,
	  parts_of_blocks_wait_until_the_guest_is_silent, with_huge_pages_they_wait_longer,
	  old_pages_go_though_the_guest_goes_on, under_pressure_the_dense_blocks_go,
	  a_helper_takes_what_the_thread_has_not, a_helper_takes_parts_when_nothing_is_complete)
