// SPDX-License-Identifier: Apache-2.0
/* Discarding what a set of hints names. */
#include "vmm/reclaim/internal.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/call_backend.h"
#include "tests/unit/gmem_kinds.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"
#include "vmm/reclaim/hintset.h"

/* 1024 pages at 0, a hole, 512 pages at 4 GiB. */
#define LOW_PAGES  1024u
#define HIGH_PAGES 512u
#define NPAGES	   (LOW_PAGES + HIGH_PAGES)
#define HIGH_GPA   (4ull << 30)
#define PATTERN	   0xa5
#define PAGE(n)	   ((uint64_t)(n)*GMEM_PAGE_SIZE)
#define ALL	   UINT64_MAX

static struct gmem mem;
static struct reclaim *r;
static struct hintset *set;
static struct reclaim_hinted sum;
static uint64_t at;

static const void *refused; /* a run that begins here fails */

static int discard(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	return hva == refused ? -ENOMEM : really_discard(hva, len);
}

static struct call_backend backend = {.discard = discard};

static void fill(void)
{
	for (unsigned i = 0; i < mem.nregions; i++)
		memset(mem.region[i].hva, PATTERN, mem.region[i].len);
}

static void begin(void)
{
	set = hintset_create(&mem);
	ck_assert_ptr_nonnull(set);
	sum = (struct reclaim_hinted){0};
	at = 0;
	refused = NULL;
}

/* page_shift: log2 of what the host can free at least. The backend here can do any. */
static void setup_shift(unsigned page_shift, enum reclaim_kind kind)
{
	const struct gmem_span spans[] = {{0, PAGE(LOW_PAGES)}, {HIGH_GPA, PAGE(HIGH_PAGES)}};

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	mem.region[0].page_shift = mem.region[1].page_shift = page_shift;
	fill();
	r = reclaim_create_with(&mem, &(struct reclaim_config){.kind = kind}, &call_backend_ops,
				&backend);
	ck_assert_ptr_nonnull(r);
	begin();
}

static void setup(void)
{
	setup_shift(GMEM_PAGE_SHIFT, RECLAIM_SYNC);
}

static void teardown(void)
{
	hintset_destroy(set);
	reclaim_destroy(r);
	gmem_destroy(&mem);
}

static bool step(uint64_t max)
{
	return reclaim_discard_hinted(r, set, &at, max, &sum);
}

static struct reclaim_stats stats(void)
{
	struct reclaim_stats s;

	reclaim_stats(r, &s);
	return s;
}

static void check_sum(uint64_t discarded, uint64_t ballooned, uint64_t failed)
{
	ck_assert_uint_eq(sum.discarded, PAGE(discarded));
	ck_assert_uint_eq(sum.ballooned, PAGE(ballooned));
	ck_assert_uint_eq(sum.failed, PAGE(failed));
}

/* Pages by index, of low memory: as pfns. */
static void inflate(uint32_t from, uint32_t to)
{
	struct reclaim_bad bad = {0};

	for (; from < to; from++)
		reclaim_take(r, &from, 1, &bad);
	ck_assert_uint_eq(bad.n, 0);
}

static void check(uint64_t from, uint64_t to, uint8_t byte)
{
	for (; from < to; from++) {
		const uint8_t *p = gmem_index_to_hva(&mem, from);

		ck_assert_msg(p[0] == byte && !memcmp(p, p + 1, GMEM_PAGE_SIZE - 1),
			      "page %llu does not hold 0x%x", (unsigned long long)from, byte);
	}
}

START_TEST(what_is_in_the_set_goes_and_nothing_else)
{
	setup();
	hintset_add(set, PAGE(10), PAGE(20));
	hintset_add(set, PAGE(LOW_PAGES - 1), PAGE(1));
	hintset_add(set, HIGH_GPA, PAGE(3));
	hintset_add(set, HIGH_GPA + PAGE(HIGH_PAGES - 1), PAGE(1));
	ck_assert(!step(ALL));
	ck_assert_uint_eq(at, NPAGES);
	check_sum(25, 0, 0);
	check(0, 10, PATTERN);
	check(10, 30, 0);
	check(30, LOW_PAGES - 1, PATTERN);
	check(LOW_PAGES - 1, LOW_PAGES + 3, 0);
	check(LOW_PAGES + 3, NPAGES - 1, PATTERN);
	check(NPAGES - 1, NPAGES, 0);
	/* They are the guest's still, and the set is as it was. */
	ck_assert_uint_eq(stats().pages.ballooned, 0);
	ck_assert_uint_eq(stats().discard_bytes, PAGE(25));
	ck_assert_uint_eq(hintset_pages(set), 25);
	/* At the end there is nothing more, however often one asks. */
	fill();
	ck_assert(!step(ALL));
	check_sum(25, 0, 0);
	check(0, NPAGES, PATTERN);
	teardown();
}
END_TEST

START_TEST(an_empty_set)
{
	setup();
	ck_assert(!step(1));
	ck_assert_uint_eq(at, NPAGES);
	check_sum(0, 0, 0);
	check(0, NPAGES, PATTERN);
	ck_assert_uint_eq(stats().discard_calls, 0);
	teardown();
}
END_TEST

/* No step takes more than it was told, and *sum adds up over them. */
START_TEST(step_by_step)
{
	setup();
	hintset_add(set, PAGE(100), PAGE(100));
	hintset_add(set, HIGH_GPA, PAGE(1));
	hintset_add(set, HIGH_GPA + PAGE(2), PAGE(7));
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert(step(30));
		check_sum(30 * i, 0, 0);
		check(100, 100 + 30 * i, 0);
		check(100 + 30 * i, NPAGES, PATTERN);
	}
	ck_assert(step(13));
	check_sum(103, 0, 0);
	ck_assert(step(1));
	check_sum(104, 0, 0);
	check(LOW_PAGES + 2, LOW_PAGES + 5, 0);
	check(LOW_PAGES + 5, NPAGES, PATTERN);
	/* Not all of a step is used up: that was the last. */
	ck_assert(!step(5));
	check_sum(108, 0, 0);
	check(LOW_PAGES + 9, NPAGES, PATTERN);
	teardown();
}
END_TEST

/* A step that ends with the set may not know it. The next one does, and does nothing. */
START_TEST(a_step_that_ends_with_the_set)
{
	setup();
	hintset_add(set, PAGE(100), PAGE(8));
	if (step(8))
		ck_assert(!step(8));
	check_sum(8, 0, 0);
	ck_assert_uint_eq(stats().discard_runs, 1);
	teardown();
}
END_TEST

START_TEST(more_runs_than_a_call_takes)
{
	setup();
	for (unsigned i = 0; i < 3 * RECLAIM_RANGES_MAX + 5; i++)
		hintset_add(set, PAGE(10 + 2 * i), PAGE(1));
	ck_assert(!step(ALL));
	check_sum(3 * RECLAIM_RANGES_MAX + 5, 0, 0);
	for (unsigned i = 0; i < 3 * RECLAIM_RANGES_MAX + 5; i++) {
		check(10 + 2 * i, 11 + 2 * i, 0);
		check(11 + 2 * i, 12 + 2 * i, PATTERN);
	}
	ck_assert_uint_eq(stats().discard_runs, 3 * RECLAIM_RANGES_MAX + 5);
	teardown();
}
END_TEST

/* ---- pages that the guest gave to its balloon meanwhile ---- */

START_TEST(ballooned_pages_are_left_alone)
{
	setup();
	inflate(110, 120);
	reclaim_barrier(r);
	inflate(130, 133);
	fill(); /* no guest may; here it shows who is discarded */
	hintset_add(set, PAGE(100), PAGE(40));
	ck_assert(step(20));
	check_sum(10, 10, 0);
	ck_assert(!step(ALL));
	check_sum(27, 13, 0);
	check(100, 110, 0);
	check(110, 120, PATTERN);
	check(120, 130, 0);
	check(130, 133, PATTERN);
	check(133, 140, 0);
	check(140, 200, PATTERN);
	ck_assert_uint_eq(stats().pages.ballooned, 13);
	ck_assert_uint_eq(stats().pages.pending, 3);
	ck_assert_uint_eq(stats().released, 0);
	/* They go their own way. */
	reclaim_barrier(r);
	check(130, 133, 0);
	check(110, 120, PATTERN);
	teardown();
}
END_TEST

START_TEST(nothing_but_ballooned_pages)
{
	setup();
	inflate(0, LOW_PAGES);
	hintset_add(set, 0, PAGE(LOW_PAGES));
	ck_assert(!step(ALL));
	check_sum(0, LOW_PAGES, 0);
	ck_assert_uint_eq(stats().pages.ballooned, LOW_PAGES);
	check(LOW_PAGES, NPAGES, PATTERN);
	teardown();
}
END_TEST

/* Beside a thread that discards them: neither is in the other's way. */
START_TEST(beside_the_engine)
{
	setup_shift(GMEM_PAGE_SHIFT, RECLAIM_THREAD);
	hintset_add(set, 0, PAGE(LOW_PAGES));
	for (uint32_t i = 0; i < LOW_PAGES; i += 2)
		inflate(i, i + 1);
	while (step(10))
		;
	check_sum(LOW_PAGES / 2, LOW_PAGES / 2, 0);
	ck_assert_uint_eq(stats().pages.ballooned, LOW_PAGES / 2);
	ck_assert_uint_eq(stats().released, 0);
	reclaim_barrier(r);
	check(0, LOW_PAGES, 0);
	teardown();
}
END_TEST

/* ---- what the kernel refuses ---- */

START_TEST(failures_are_counted)
{
	setup();
	refused = gmem_index_to_hva(&mem, 50);
	hintset_add(set, PAGE(10), PAGE(5));
	hintset_add(set, PAGE(50), PAGE(6));
	hintset_add(set, PAGE(80), PAGE(7));
	ck_assert(!step(ALL));
	check_sum(12, 0, 6);
	check(10, 15, 0);
	check(50, 56, PATTERN);
	check(80, 87, 0);
	ck_assert_uint_eq(stats().discard_errors, 1);
	teardown();
}
END_TEST

/* ---- the host's pages are larger ---- */

START_TEST(parts_of_the_hosts_pages)
{
	setup_shift(21, RECLAIM_SYNC);
	hintset_add(set, PAGE(1), PAGE(1023)); /* of the first all but one */
	hintset_add(set, HIGH_GPA, PAGE(511));
	ck_assert(!step(ALL));
	check_sum(512, 0, 0);
	check(0, 512, PATTERN);
	check(512, 1024, 0);
	check(1024, NPAGES, PATTERN);
	teardown();
}
END_TEST

START_TEST(at_least_one_of_the_hosts_pages)
{
	setup_shift(21, RECLAIM_SYNC);
	hintset_add(set, 0, PAGE(LOW_PAGES));
	hintset_add(set, HIGH_GPA, PAGE(HIGH_PAGES));
	ck_assert(step(1));
	check_sum(512, 0, 0);
	check(512, NPAGES, PATTERN);
	ck_assert(step(1023));
	check_sum(1024, 0, 0);
	check(1024, NPAGES, PATTERN);
	while (step(513))
		;
	check_sum(NPAGES, 0, 0);
	check(0, NPAGES, 0);
	teardown();
}
END_TEST

/* One page of it in the balloon: the engine will discard all of it, or none. */
START_TEST(one_of_its_pages_is_ballooned)
{
	setup_shift(21, RECLAIM_SYNC);
	inflate(700, 701);
	hintset_add(set, 0, PAGE(LOW_PAGES));
	hintset_add(set, HIGH_GPA, PAGE(HIGH_PAGES));
	ck_assert(!step(ALL));
	check_sum(1024, 512, 0);
	check(0, 512, 0);
	check(512, 1024, PATTERN);
	check(1024, NPAGES, 0);
	ck_assert_uint_eq(stats().pages.held, 1);
	teardown();
}
END_TEST

START_TEST(every_kind_of_memory)
{
	const struct gmem_span span = {0, 16 * MIB};

	for (size_t i = 0; i < GMEM_KINDS; i++) {
		struct err err;

		if (!gmem_kind_possible(i, span.len) ||
		    gmem_create_with(&mem, &span, 1, &gmem_kinds[i].config, &err))
			continue;
		if (!mem.discards) {
			gmem_destroy(&mem);
			continue;
		}
		fill();
		r = reclaim_create(&mem, &(struct reclaim_config){.kind = RECLAIM_AUTO}, &err);
		ck_assert_ptr_nonnull(r);
		begin();
		hintset_add(set, 2 * MIB, 4 * MIB);
		hintset_add(set, 10 * MIB, 2 * MIB);
		while (step(700))
			;
		check_sum(1536, 0, 0);
		check(0, 512, PATTERN);
		check(512, 1536, 0);
		check(1536, 2560, PATTERN);
		check(2560, 3072, 0);
		check(3072, 4096, PATTERN);
		teardown();
	}
}
END_TEST

/* ---- any set, any balloon, any steps: against what each page must hold ---- */

/* That there was any of it, with small pages and with large ones. */
static struct {
	uint64_t discarded, ballooned;
} seen[2];

static void check_random(unsigned *rng, unsigned shift)
{
	bool hinted[NPAGES] = {0}, given[NPAGES] = {0};
	const uint64_t unit = 1u << shift;
	uint64_t discarded = 0, ballooned = 0;

	for (unsigned i = 0; i < (shift ? 6 : 60); i++) {
		uint64_t from = (uint64_t)rand_r(rng) % LOW_PAGES;
		uint64_t n = 1 + (uint64_t)rand_r(rng) % (shift ? 700 : 60);

		if (from + n > LOW_PAGES)
			n = LOW_PAGES - from;
		if (i % 6) {
			hintset_add(set, PAGE(from), PAGE(n));
			memset(hinted + from, true, n);
		} else {
			inflate((uint32_t)from, (uint32_t)(from + n / 8));
			memset(given + from, true, n / 8);
		}
	}
	while (step(1 + (uint64_t)rand_r(rng) % 100))
		;
	for (uint64_t p = 0; p < NPAGES; p += unit) {
		bool whole = !memchr(hinted + p, false, unit);
		bool any_given = memchr(given + p, true, unit);

		discarded += whole && !any_given ? unit : 0;
		ballooned += whole && any_given ? unit : 0;
		check(p, p + unit, whole && !any_given ? 0 : PATTERN);
	}
	check_sum(discarded, ballooned, 0);
	seen[!!shift].discarded |= discarded;
	seen[!!shift].ballooned |= ballooned;
}

START_TEST(random_sets)
{
	unsigned rng = 1;

	for (unsigned round = 0; round < 60; round++) {
		unsigned shift = round % 2 ? 9 : 0;

		setup_shift(GMEM_PAGE_SHIFT + shift, RECLAIM_SYNC);
		check_random(&rng, shift);
		teardown();
	}
	for (unsigned i = 0; i < 2; i++)
		ck_assert(seen[i].discarded && seen[i].ballooned);
}
END_TEST

UNIT_MAIN("hinted", what_is_in_the_set_goes_and_nothing_else, an_empty_set, step_by_step,
	  a_step_that_ends_with_the_set, more_runs_than_a_call_takes,
	  ballooned_pages_are_left_alone, nothing_but_ballooned_pages, beside_the_engine,
	  failures_are_counted, parts_of_the_hosts_pages, at_least_one_of_the_hosts_pages,
	  one_of_its_pages_is_ballooned, every_kind_of_memory, random_sets)
