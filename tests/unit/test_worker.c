// SPDX-License-Identifier: Apache-2.0
/*
 * The engine with its thread and real backends, used by two threads at once as two guests' CPUs
 * would. Also run under ThreadSanitizer.
 */
#include "vmm/reclaim/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/clock.h"

#define PAGES	 8192u /* 32 MiB, half of it for each thread */
#define HALF	 (PAGES / 2)
#define MESSAGES 400
#define LIST	 256u

static struct gmem mem;
static struct reclaim *r;

static volatile uint64_t *word_of(uint32_t page)
{
	return (volatile uint64_t *)gmem_index_to_hva(&mem, page);
}

static bool init(enum reclaim_kind kind)
{
	const struct gmem_span span = {0, PAGES * GMEM_PAGE_SIZE};
	const struct reclaim_config cfg = {.kind = kind, .backlog_max = RECLAIM_BACKLOG_MIN};
	struct err err;

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(gmem_create(&mem, &span, 1, NULL), 0);
	memset(mem.region[0].hva, 1, mem.region[0].len);
	r = reclaim_create(&mem, &cfg, &err);
	if (r)
		return true;
	/* Only the ring may be missing on a host. */
	ck_assert_int_eq(kind, RECLAIM_URING);
	printf("skipped: %s\n", err.msg);
	gmem_destroy(&mem);
	return false;
}

static void fini(void)
{
	reclaim_destroy(r);
	gmem_destroy(&mem);
}

static void *guest(void *arg)
{
	uint32_t base = arg ? HALF : 0;
	unsigned seed = base + 1;
	uint32_t *pfn = malloc(LIST * sizeof(*pfn));
	bool *mine = malloc(HALF);
	uint64_t *value = calloc(HALF, sizeof(*value));
	void *lost = NULL;

	memset(mine, true, HALF);
	for (uint32_t i = 0; i < HALF; i++)
		*word_of(base + i) = value[i] = seed + i;
	for (unsigned n = 0; n < MESSAGES; n++) {
		uint32_t at = (uint32_t)rand_r(&seed) % HALF,
			 step = 1 + (uint32_t)rand_r(&seed) % 3;
		bool take = rand_r(&seed) % 3;
		struct reclaim_bad bad = {0};

		for (uint32_t i = 0; i < LIST; i++)
			pfn[i] = base + (at + i * step) % HALF;
		for (uint32_t i = 0; i < LIST; i++)
			mine[pfn[i] - base] &= !take;
		if (take)
			reclaim_take(r, pfn, LIST, &bad);
		else
			reclaim_give(r, pfn, LIST, &bad);
		for (uint32_t i = 0; i < LIST && !take; i++) {
			uint32_t p = pfn[i] - base;

			if (!mine[p])
				*word_of(pfn[i]) = value[p] = (uint64_t)n << 32 | p;
			mine[p] = true;
		}
		if (!(n % 32))
			reclaim_barrier(r);
		for (uint32_t i = 0; i < HALF; i++) {
			if (mine[i] && *word_of(base + i) != value[i])
				lost = &mem;
		}
	}
	free(pfn);
	free(mine);
	free(value);
	return lost;
}

static void two_guests(enum reclaim_kind kind)
{
	pthread_t t[2];
	struct reclaim_stats s;
	void *lost;

	if (!init(kind))
		return;
	for (uintptr_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, guest, (void *)i), 0);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(t[i], &lost);
		ck_assert_msg(!lost, "a page of the guest was discarded");
	}
	reclaim_barrier(r);
	reclaim_stats(r, &s);
	ck_assert_uint_eq(s.pages.pending + s.discarding, 0);
	ck_assert_uint_eq(s.pages.discarded, s.pages.ballooned);
	ck_assert_uint_eq(s.discard_errors, 0);
	ck_assert_uint_le(s.backlog_peak, s.backlog_max);
	ck_assert_uint_gt(s.discard_runs, 0);
	fini();
}

START_TEST(two_guests_and_a_thread)
{
	two_guests(RECLAIM_THREAD);
}
END_TEST

START_TEST(two_guests_and_a_ring)
{
	two_guests(RECLAIM_URING);
}
END_TEST

START_TEST(two_guests_at_once_without_a_thread)
{
	two_guests(RECLAIM_SYNC);
}
END_TEST

static void take_all(uint32_t from, uint32_t to, uint32_t step)
{
	struct reclaim_bad bad = {0};

	for (; from < to; from += step)
		reclaim_take(r, &from, 1, &bad);
}

static bool gone_within(unsigned ms)
{
	uint64_t until = clock_now_ns() + ms * NSEC_PER_MSEC;
	struct reclaim_stats s;

	do {
		usleep(500);
		reclaim_stats(r, &s);
	} while (s.pages.discarded < s.pages.ballooned && clock_now_ns() < until);
	return s.pages.discarded == s.pages.ballooned;
}

/* Nobody asks, and no barrier: pages go by themselves. Times are generous for a busy host. */
START_TEST(pages_go_by_themselves)
{
	init(RECLAIM_THREAD);
	take_all(0, 1024, 1);
	ck_assert(gone_within(2000));
	take_all(2048, 3000, 7);
	ck_assert(gone_within(2000));
	/* The thread sleeps by now, and has to be woken. */
	usleep(30000);
	take_all(4000, 4001, 1);
	ck_assert(gone_within(2000));
	for (uint32_t i = 0; i < 1024; i++)
		ck_assert(!*word_of(i));
	ck_assert(*word_of(2049));
	fini();
}
END_TEST

START_TEST(none_discards_nothing)
{
	init(RECLAIM_NONE);
	take_all(0, PAGES, 1);
	reclaim_barrier(r);
	for (uint32_t i = 0; i < PAGES; i++)
		ck_assert(*word_of(i));
	fini();
}
END_TEST

START_TEST(destroyed_with_work_left)
{
	for (unsigned i = 0; i < 20; i++) {
		init(i % 2 ? RECLAIM_THREAD : RECLAIM_URING);
		take_all(0, PAGES, 3);
		usleep(i * 100);
		fini();
	}
}
END_TEST

UNIT_MAIN("worker", two_guests_and_a_thread, two_guests_and_a_ring,
	  two_guests_at_once_without_a_thread, pages_go_by_themselves, none_discards_nothing,
	  destroyed_with_work_left)
