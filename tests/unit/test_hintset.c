// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/hintset.h"

#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/size.h"

/* Low memory, a hole, high memory of an odd number of pages. */
#define LOW_PAGES  2048u
#define HIGH_PAGES 1100u
#define NPAGES	   (LOW_PAGES + HIGH_PAGES)

static const struct gmem_span spans[] = {{0, LOW_PAGES *GMEM_PAGE_SIZE},
					 {4 * GIB, HIGH_PAGES *GMEM_PAGE_SIZE}};

static struct gmem mem;
static struct hintset *set;

static void setup(void)
{
	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	set = hintset_create(&mem);
	ck_assert_ptr_nonnull(set);
}

static void teardown(void)
{
	hintset_destroy(set);
	hintset_destroy(NULL);
	gmem_destroy(&mem);
}

/* The next run from *at on is [start, start + n). */
static void check_run(uint64_t *at, uint64_t max, bool whole, uint64_t start, uint64_t n)
{
	uint64_t s = 0, k = 0;

	ck_assert(hintset_next(set, at, max, whole, &s, &k));
	ck_assert_uint_eq(s, start);
	ck_assert_uint_eq(k, n);
}

static void check_no_more(uint64_t at, bool whole)
{
	uint64_t s, k;

	ck_assert(!hintset_next(set, &at, 512, whole, &s, &k));
	ck_assert(!hintset_next(set, &at, 512, whole, &s, &k));
}

START_TEST(only_whole_pages_of_ram_get_in)
{
	static const struct {
		uint64_t gpa, len, start, n;
	} cases[] = {
		{0, 4096, 0, 1},
		{4096, 4 * MIB, 1, 1024},
		{0, 8 * MIB, 0, 2048},
		{4 * GIB, HIGH_PAGES * 4096, LOW_PAGES, HIGH_PAGES},
		{4 * GIB + (HIGH_PAGES - 1) * 4096, 4096, NPAGES - 1, 1},
		/* Parts of pages are left out. */
		{1, 4096, 0, 0},
		{1, 8191, 1, 1},
		{4095, 4097, 1, 1},
		{4095, 2, 0, 0},
		{0, 4095, 0, 0},
		{0, 4, 0, 0},
		{8192, 8191, 2, 1},
		/* Not RAM, or not all of it. */
		{0, 0, 0, 0},
		{8 * MIB, 4096, 0, 0},
		{8 * MIB - 4096, 8192, 0, 0},
		{4 * GIB - 4096, 8192, 0, 0},
		{4 * GIB, (HIGH_PAGES + 1) * 4096, 0, 0},
		{0, 4 * GIB + MIB, 0, 0},
		{0, UINT64_MAX, 0, 0},
		{UINT64_MAX, 1, 0, 0},
		{UINT64_MAX, UINT64_MAX, 0, 0},
		{4096, UINT64_MAX - 4095, 0, 0},
		{UINT64_MAX - 4095, 4096, 0, 0},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t at = 0;

		setup();
		ck_assert_uint_eq(hintset_add(set, cases[i].gpa, cases[i].len), cases[i].n);
		ck_assert_uint_eq(hintset_pages(set), cases[i].n);
		if (cases[i].n)
			check_run(&at, NPAGES, false, cases[i].start, cases[i].n);
		check_no_more(at, false);
		/* Again: nothing is new. */
		ck_assert_uint_eq(hintset_add(set, cases[i].gpa, cases[i].len), 0);
		ck_assert_uint_eq(hintset_pages(set), cases[i].n);
		teardown();
	}
}
END_TEST

START_TEST(what_is_new_is_counted_once)
{
	setup();
	ck_assert_uint_eq(hintset_add(set, 60 * 4096, 10 * 4096), 10);
	ck_assert_uint_eq(hintset_add(set, 50 * 4096, 100 * 4096), 90);
	ck_assert_uint_eq(hintset_add(set, 149 * 4096, 2 * 4096), 1);
	ck_assert_uint_eq(hintset_pages(set), 101);
	teardown();
}
END_TEST

START_TEST(runs_end_at_regions_and_at_the_most_that_was_asked_for)
{
	uint64_t at = 0;

	setup();
	hintset_add(set, 0, 8 * MIB);
	hintset_add(set, 4 * GIB, 10 * 4096);
	hintset_add(set, 4 * GIB + 20 * 4096, 4096);
	check_run(&at, 2000, false, 0, 2000);
	check_run(&at, 2000, false, 2000, 48);
	check_run(&at, 2000, false, LOW_PAGES, 10);
	check_run(&at, 1, false, LOW_PAGES + 20, 1);
	check_no_more(at, false);
	at = LOW_PAGES + 5;
	check_run(&at, 1, false, LOW_PAGES + 5, 1);
	teardown();
}
END_TEST

START_TEST(written_pages_are_taken_off)
{
	uint64_t dirty[NPAGES / 64 + 1] = {0};
	uint64_t at = 0;

	setup();
	hintset_add(set, 100 * 4096, 200 * 4096);
	bitmap_set(dirty, 0);
	bitmap_set(dirty, 100);
	bitmap_set(dirty, 128);
	bitmap_set(dirty, 299);
	bitmap_set(dirty, 300);
	bitmap_set(dirty, NPAGES - 1);
	hintset_drop(set, dirty);
	ck_assert_uint_eq(hintset_pages(set), 197);
	check_run(&at, NPAGES, false, 101, 27);
	check_run(&at, NPAGES, false, 129, 170);
	check_no_more(at, false);
	memset(dirty, 0xff, sizeof(dirty));
	hintset_drop(set, dirty);
	ck_assert_uint_eq(hintset_pages(set), 0);
	check_no_more(0, false);
	teardown();
}
END_TEST

/* Pages that were written with zeros stay; so do those that weren't written, whatever is in
 * them; others go, and pages that aren't in the set stay out. */
START_TEST(written_pages_of_zeros_stay)
{
	static const unsigned offset[] = {0, 1, 7, 8, 2048, 4088, 4095};
	uint64_t map[NPAGES / 64 + 1] = {0};
	uint64_t at = 0, run = 0;
	unsigned calls = 1;

	setup();
	hintset_add(set, 100 * 4096, 20 * 4096);
	hintset_add(set, 4 * GIB + (HIGH_PAGES - 2) * 4096, 2 * 4096);
	for (uint64_t i = 90; i < 118; i++)
		bitmap_set(map, i);
	bitmap_set(map, NPAGES - 1);
	hintset_mask(set, map);
	ck_assert_uint_eq(bitmap_next(map, NPAGES, 0, true), 100);
	ck_assert_uint_eq(bitmap_next(map, NPAGES, 118, true), NPAGES - 1);
	/* 100..106 have one byte that isn't zero, wherever; 119 and the last but one aren't in
	 * map. */
	for (unsigned i = 0; i < sizeof(offset) / sizeof(offset[0]); i++)
		gmem_index_to_hva(&mem, 100 + i)[offset[i]] = 1;
	*gmem_index_to_hva(&mem, 119) = *gmem_index_to_hva(&mem, NPAGES - 2) = 1;
	*gmem_index_to_hva(&mem, NPAGES - 1) = 1;
	while (hintset_drop_used(set, map, &at, 5))
		calls++;
	ck_assert_uint_eq(calls, 4); /* 19 pages by five */
	check_run(&run, NPAGES, false, 107, 13);
	check_run(&run, NPAGES, false, NPAGES - 2, 1);
	check_no_more(run, false);
	/* A page that left the set meanwhile isn't looked at, nor put back. */
	memset(map, 0xff, sizeof(map));
	at = 0;
	hintset_drop_used(set, map, &at, NPAGES);
	ck_assert_uint_eq(hintset_pages(set), 12);
	teardown();
}
END_TEST

/* A host page of 2 MiB goes back only when all of it is free. */
START_TEST(whole_pages_of_the_host)
{
	uint64_t at = 0;

	setup();
	mem.region[0].page_shift = mem.region[1].page_shift = 21;
	hintset_add(set, 4096, 6 * MIB);		 /* parts of 0 and 3, all of 1 and 2 */
	hintset_add(set, 8 * MIB - 4096, 4096);		 /* the end of 3 */
	hintset_add(set, 4 * GIB + 2 * MIB, 512 * 4096); /* block 1 of the other region */
	check_run(&at, 512, true, 512, 512);
	check_run(&at, 512, true, 1024, 512);
	check_run(&at, 512, true, LOW_PAGES + 512, 512);
	check_no_more(at, true);
	at = 0;
	check_run(&at, 1024, true, 512, 1024);
	/* By 4 KiB it is all there. */
	at = 0;
	check_run(&at, NPAGES, false, 1, 1536);
	teardown();
}
END_TEST

/* Runs of any kind, against a plain count of bits. */
START_TEST(random_sets)
{
	unsigned rng = 1;

	for (unsigned round = 0; round < 200; round++) {
		unsigned shift = round % 5;
		uint64_t unit = 1u << shift, at = 0, s, k, expect = 0;
		bool in[LOW_PAGES] = {0};

		setup();
		mem.region[0].page_shift = GMEM_PAGE_SHIFT + shift;
		for (unsigned i = 0; i < 40; i++) {
			uint64_t from = rand_r(&rng) % LOW_PAGES;
			uint64_t n = 1 + (uint64_t)rand_r(&rng) % 100;

			if (from + n > LOW_PAGES)
				n = LOW_PAGES - from;
			hintset_add(set, from * 4096, n * 4096);
			memset(in + from, true, n);
		}
		while (hintset_next(set, &at, 64, true, &s, &k)) {
			ck_assert(k && k <= 64 && !(s % unit) && !(k % unit));
			/* Between the runs no page of the host is whole. */
			for (; expect < s; expect += unit)
				ck_assert(memchr(in + expect, false, unit));
			ck_assert(!memchr(in + s, false, k));
			expect = s + k;
		}
		for (; expect < LOW_PAGES; expect += unit)
			ck_assert(memchr(in + expect, false, unit));
		teardown();
	}
}
END_TEST

UNIT_MAIN("hintset", only_whole_pages_of_ram_get_in, what_is_new_is_counted_once,
	  runs_end_at_regions_and_at_the_most_that_was_asked_for, written_pages_are_taken_off,
	  written_pages_of_zeros_stay, whole_pages_of_the_host, random_sets)
