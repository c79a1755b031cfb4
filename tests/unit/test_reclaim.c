// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/reclaim.h"

#include <string.h>
#include <unistd.h>

#include "tests/unit/call_backend.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"
#include "vmm/reclaim/internal.h"

/* 64 pages at 0, a hole, 32 pages at 4 GiB. */
#define LOW_PAGES  64
#define HIGH_PAGES 32
#define HIGH_PFN   0x100000u

static struct gmem mem;
static struct reclaim *r;

/* Writes down what it is asked to do, then does it, or fails. */
static struct recorder {
	struct {
		uint8_t *hva;
		size_t len;
	} call[64];
	unsigned ncalls;
	bool fail;
} rec;

static int record(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	ck_assert_uint_lt(rec.ncalls, 64);
	rec.call[rec.ncalls].hva = hva;
	rec.call[rec.ncalls++].len = len;
	return rec.fail ? -EINVAL : really_discard(hva, len);
}

static struct call_backend backend = {.discard = record};

static void setup(void)
{
	const struct gmem_span spans[] = {{0, LOW_PAGES * GMEM_PAGE_SIZE},
					  {4ull << 30, HIGH_PAGES * GMEM_PAGE_SIZE}};
	const struct reclaim_config cfg = {.kind = RECLAIM_SYNC};

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	for (unsigned i = 0; i < mem.nregions; i++)
		memset(mem.region[i].hva, 0xa5, mem.region[i].len);
	memset(&rec, 0, sizeof(rec));
	r = reclaim_create_with(&mem, &cfg, &call_backend_ops, &backend);
	ck_assert_ptr_nonnull(r);
}

static void teardown(void)
{
	reclaim_destroy(r);
	gmem_destroy(&mem);
}

static struct reclaim_stats stats(void)
{
	struct reclaim_stats s;

	reclaim_stats(r, &s);
	return s;
}

static void take(uint32_t pfn)
{
	struct reclaim_bad bad = {0};

	reclaim_take(r, &pfn, 1, &bad);
	ck_assert_uint_eq(bad.n, 0);
}

static void give(uint32_t pfn)
{
	struct reclaim_bad bad = {0};

	reclaim_give(r, &pfn, 1, &bad);
	ck_assert_uint_eq(bad.n, 0);
}

static void check_call(unsigned i, uint64_t index, uint64_t pages)
{
	ck_assert_uint_lt(i, rec.ncalls);
	ck_assert_ptr_eq(rec.call[i].hva, gmem_index_to_hva(&mem, index));
	ck_assert_uint_eq(rec.call[i].len, pages * GMEM_PAGE_SIZE);
}

static void check_pages(uint64_t from, uint64_t to, uint8_t byte)
{
	for (; from < to; from++) {
		const uint8_t *p = gmem_index_to_hva(&mem, from);

		ck_assert_msg(p[0] == byte && !memcmp(p, p + 1, GMEM_PAGE_SIZE - 1),
			      "page %u does not hold 0x%x throughout", (unsigned)from, byte);
	}
}

START_TEST(pages_of_several_messages_make_one_run)
{
	setup();
	for (uint32_t pfn = 40; pfn > 10; pfn -= 2)
		take(pfn);
	for (uint32_t pfn = 11; pfn < 40; pfn += 2)
		take(pfn);
	ck_assert_uint_eq(rec.ncalls, 0);
	ck_assert_uint_eq(stats().pages.pending, 30);
	reclaim_settle(r, true);
	ck_assert_uint_eq(rec.ncalls, 1);
	check_call(0, 11, 30);
	check_pages(0, 11, 0xa5);
	check_pages(11, 41, 0);
	check_pages(41, LOW_PAGES + HIGH_PAGES, 0xa5);
	ck_assert_uint_eq(stats().pages.pending, 0);
	ck_assert_uint_eq(stats().pages.discarded, 30);
	ck_assert_uint_eq(stats().discard_runs, 1);
	ck_assert_uint_eq(stats().discard_bytes, 30 * GMEM_PAGE_SIZE);
	teardown();
}
END_TEST

START_TEST(runs_end_where_regions_do)
{
	setup();
	for (uint32_t i = 0; i < 10; i++) {
		take(HIGH_PFN + i);
		take(LOW_PAGES - 1 - i);
	}
	reclaim_barrier(r);
	ck_assert_uint_eq(rec.ncalls, 2);
	check_call(0, LOW_PAGES - 10, 10);
	check_call(1, LOW_PAGES, 10);
	teardown();
}
END_TEST

START_TEST(bad_pfns_touch_nothing)
{
	const uint32_t pfn[] = {LOW_PAGES, HIGH_PFN - 1, HIGH_PFN + HIGH_PAGES, UINT32_MAX, 3};
	struct reclaim_bad bad = {0};

	setup();
	reclaim_take(r, pfn, 5, &bad);
	ck_assert_uint_eq(bad.n, 4);
	ck_assert_uint_eq(bad.first, LOW_PAGES);
	reclaim_give(r, pfn, 5, &bad);
	ck_assert_uint_eq(bad.n, 8);
	reclaim_barrier(r);
	ck_assert_uint_eq(rec.ncalls, 0);
	ck_assert_uint_eq(stats().bad_pfns, 8);
	teardown();
}
END_TEST

START_TEST(given_back_in_time)
{
	setup();
	for (uint32_t pfn = 10; pfn < 20; pfn++)
		take(pfn);
	give(15);
	reclaim_barrier(r);
	check_pages(10, 15, 0);
	check_pages(15, 16, 0xa5);
	check_pages(16, 20, 0);
	give(10);
	memset(gmem_index_to_hva(&mem, 10), 0x11, GMEM_PAGE_SIZE);
	reclaim_barrier(r);
	check_pages(10, 11, 0x11);
	ck_assert_uint_eq(reclaim_ballooned(r), 8);
	teardown();
}
END_TEST

START_TEST(reset_cancels)
{
	setup();
	take(7);
	reclaim_barrier(r);
	take(9);
	reclaim_reset(r);
	reclaim_barrier(r);
	ck_assert_uint_eq(rec.ncalls, 1);
	check_pages(9, 10, 0xa5);
	ck_assert_uint_eq(reclaim_ballooned(r), 0);
	take(7);
	ck_assert_uint_eq(stats().pages.pending, 1);
	teardown();
}
END_TEST

static void step(void)
{
	pthread_mutex_lock(&r->lock);
	reclaim_step(r);
	pthread_mutex_unlock(&r->lock);
}

START_TEST(with_no_more_to_come_nothing_waits)
{
	setup();
	take(20);
	step();
	ck_assert_uint_eq(rec.ncalls, 0);
	reclaim_no_more(r);
	step();
	ck_assert_uint_eq(rec.ncalls, 1);
	check_pages(20, 21, 0);
	teardown();
}
END_TEST

START_TEST(refused_pages_are_tried_again_later)
{
	setup();
	rec.fail = true;
	take(20);
	reclaim_barrier(r);
	reclaim_barrier(r);
	ck_assert_uint_eq(rec.ncalls, 1);
	ck_assert_uint_eq(stats().discard_errors, 1);
	ck_assert_uint_eq(stats().pages.parked, 1);
	/* The same block waits along; it's tried as soon as the time has come. */
	take(22);
	rec.fail = false;
	reclaim_barrier(r);
	ck_assert_uint_eq(rec.ncalls, 1);
	r->parked_ns = 0;
	take(HIGH_PFN);
	reclaim_barrier(r);
	ck_assert_uint_eq(stats().pages.pending, 0);
	check_pages(20, 21, 0);
	check_pages(21, 22, 0xa5);
	teardown();
}
END_TEST

START_TEST(populate_makes_resident)
{
	const uint32_t pfn[] = {12, 11, 10, 30, 9999, 31};
	unsigned char present[LOW_PAGES];

	setup();
	for (uint32_t i = 0; i < LOW_PAGES; i++)
		take(i);
	reclaim_barrier(r);
	reclaim_populate(r, pfn, 6);
	ck_assert_int_eq(mincore(mem.region[0].hva, mem.region[0].len, present), 0);
	for (unsigned i = 0; i < LOW_PAGES; i++)
		ck_assert_int_eq(present[i] & 1, (i >= 10 && i <= 12) || i == 30 || i == 31);
	teardown();
}
END_TEST

/* As on a host with pages of 16 KiB: a page of the guest's brings a whole one of the host's. */
START_TEST(populate_takes_whole_host_pages)
{
	const uint32_t pfn[] = {13, 14, 30, LOW_PAGES - 1, HIGH_PFN};
	unsigned char present[LOW_PAGES];

	setup();
	for (uint32_t i = 0; i < LOW_PAGES; i++)
		take(i);
	reclaim_barrier(r);
	for (unsigned i = 0; i < mem.nregions; i++)
		mem.region[i].page_shift = 14;
	reclaim_populate(r, pfn, 5);
	ck_assert_int_eq(mincore(mem.region[0].hva, mem.region[0].len, present), 0);
	for (unsigned i = 0; i < LOW_PAGES; i++)
		ck_assert_int_eq(present[i] & 1, i / 4 == 3 || i / 4 == 7 || i / 4 == 15);
	teardown();
}
END_TEST

UNIT_MAIN("reclaim", pages_of_several_messages_make_one_run, runs_end_where_regions_do,
	  bad_pfns_touch_nothing, given_back_in_time, reset_cancels,
	  with_no_more_to_come_nothing_waits, refused_pages_are_tried_again_later,
	  populate_makes_resident, populate_takes_whole_host_pages)
