// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/reclaim.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/base/log.h"

/* 64 pages at 0, a hole, 32 pages at 4 GiB. */
#define LOW_PAGES  64
#define HIGH_PAGES 32
#define HIGH_PFN   0x100000u

static struct gmem mem;

/* A backend that writes down what it was asked to do, then does it, or fails. */
struct recorder {
	struct {
		uint8_t *hva;
		size_t len;
	} call[64];
	unsigned ncalls;
	uint8_t *fail_lo, *fail_hi; /* calls that touch this range fail */
};

static int record(void *opaque, void *hva, size_t len)
{
	struct recorder *rec = opaque;
	uint8_t *p = hva;

	ck_assert_uint_lt(rec->ncalls, 64);
	rec->call[rec->ncalls].hva = p;
	rec->call[rec->ncalls++].len = len;
	if (p < rec->fail_hi && p + len > rec->fail_lo)
		return -EINVAL;
	return discard_sync.discard(NULL, hva, len);
}

static const struct discard_ops recorder_ops = {.name = "recorder", .discard = record};
static struct recorder rec;
static struct reclaim *r;

static void setup(void)
{
	const struct gmem_span spans[] = {{0, LOW_PAGES * GMEM_PAGE_SIZE},
					  {4ull << 30, HIGH_PAGES * GMEM_PAGE_SIZE}};

	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	for (unsigned i = 0; i < mem.nregions; i++)
		memset(mem.region[i].hva, 0xa5, mem.region[i].len);
	memset(&rec, 0, sizeof(rec));
	r = reclaim_create_with(&mem, &recorder_ops, &rec);
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

static void check_call(unsigned i, uint64_t index, uint64_t pages)
{
	ck_assert_uint_lt(i, rec.ncalls);
	ck_assert_ptr_eq(rec.call[i].hva, gmem_index_to_hva(&mem, index));
	ck_assert_uint_eq(rec.call[i].len, pages * GMEM_PAGE_SIZE);
}

/* Pages [from, to) by index are all zero, or all pattern. */
static void check_pages(uint64_t from, uint64_t to, uint8_t byte)
{
	for (; from < to; from++) {
		const uint8_t *p = gmem_index_to_hva(&mem, from);

		ck_assert_msg(p[0] == byte && !memcmp(p, p + 1, GMEM_PAGE_SIZE - 1),
			      "page %u does not hold 0x%x throughout", (unsigned)from, byte);
	}
}

START_TEST(descending_pages_make_one_run)
{
	setup();
	for (uint32_t pfn = 40; pfn-- > 10;)
		ck_assert(reclaim_take(r, pfn));
	ck_assert_uint_eq(rec.ncalls, 0);
	ck_assert_uint_eq(stats().pages.pending, 30);
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 1);
	check_call(0, 10, 30);
	check_pages(0, 10, 0xa5);
	check_pages(10, 40, 0);
	check_pages(40, LOW_PAGES + HIGH_PAGES, 0xa5);
	ck_assert_uint_eq(stats().pages.pending, 0);
	ck_assert_uint_eq(stats().pages.discarded, 30);
	ck_assert_uint_eq(stats().discard_calls, 1);
	ck_assert_uint_eq(stats().discard_bytes, 30 * GMEM_PAGE_SIZE);
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 1);
	teardown();
}
END_TEST

START_TEST(runs_of_several_messages_merge)
{
	setup();
	for (uint32_t pfn = 0; pfn < 60; pfn += 2)
		reclaim_take(r, pfn);
	for (uint32_t pfn = 1; pfn < 60; pfn += 2)
		reclaim_take(r, pfn);
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 1);
	check_call(0, 0, 60);
	teardown();
}
END_TEST

START_TEST(scattered_pages_are_discarded_one_by_one)
{
	setup();
	for (uint32_t pfn = 1; pfn < 20; pfn += 2)
		reclaim_take(r, pfn);
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 10);
	for (uint64_t i = 0; i < 20; i++)
		check_pages(i, i + 1, i % 2 ? 0 : 0xa5);
	teardown();
}
END_TEST

START_TEST(runs_are_cut_at_region_ends)
{
	setup();
	for (uint32_t i = 0; i < 8; i++) {
		ck_assert(reclaim_take(r, HIGH_PFN + i));
		ck_assert(reclaim_take(r, LOW_PAGES - 1 - i));
	}
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 2);
	check_call(0, LOW_PAGES - 8, 8);
	check_call(1, LOW_PAGES, 8);
	check_pages(0, LOW_PAGES - 8, 0xa5);
	check_pages(LOW_PAGES - 8, LOW_PAGES + 8, 0);
	check_pages(LOW_PAGES + 8, LOW_PAGES + HIGH_PAGES, 0xa5);
	teardown();
}
END_TEST

START_TEST(pfns_that_are_not_ram)
{
	const uint32_t bad[] = {LOW_PAGES, HIGH_PFN - 1, HIGH_PFN + HIGH_PAGES, 0xfee00,
				UINT32_MAX};

	setup();
	for (unsigned i = 0; i < 5; i++) {
		ck_assert(!reclaim_take(r, bad[i]));
		ck_assert(!reclaim_give(r, bad[i]));
	}
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 0);
	ck_assert_uint_eq(stats().bad_pfns, 10);
	ck_assert_uint_eq(stats().pages.stray_deflates, 0);
	check_pages(0, LOW_PAGES + HIGH_PAGES, 0xa5);
	teardown();
}
END_TEST

START_TEST(given_back_before_the_flush)
{
	setup();
	for (uint32_t pfn = 10; pfn < 20; pfn++)
		reclaim_take(r, pfn);
	ck_assert(reclaim_give(r, 15));
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 2);
	check_call(0, 10, 5);
	check_call(1, 16, 4);
	check_pages(15, 16, 0xa5);
	teardown();
}
END_TEST

START_TEST(given_back_after_the_flush)
{
	setup();
	reclaim_take(r, 5);
	reclaim_flush(r);
	reclaim_give(r, 5);
	memset(gmem_index_to_hva(&mem, 5), 0xa5, GMEM_PAGE_SIZE);
	reclaim_flush(r);
	check_pages(5, 6, 0xa5);
	/* And round again. */
	reclaim_take(r, 5);
	reclaim_flush(r);
	check_pages(5, 6, 0);
	ck_assert_uint_eq(stats().discard_calls, 2);
	teardown();
}
END_TEST

START_TEST(doubles_and_strays_are_counted)
{
	setup();
	reclaim_take(r, 3);
	reclaim_take(r, 3);
	reclaim_flush(r);
	reclaim_take(r, 3);
	reclaim_give(r, 4);
	reclaim_flush(r);
	ck_assert_uint_eq(stats().pages.double_inflates, 2);
	ck_assert_uint_eq(stats().pages.stray_deflates, 1);
	ck_assert_uint_eq(stats().pages.discarded, 1);
	ck_assert_uint_eq(rec.ncalls, 1);
	teardown();
}
END_TEST

START_TEST(reset_forgets_without_discarding)
{
	setup();
	reclaim_take(r, 7);
	reclaim_flush(r);
	reclaim_take(r, 8);
	reclaim_reset(r);
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 1);
	check_pages(8, 9, 0xa5);
	ck_assert_uint_eq(stats().pages.pending + stats().pages.discarded, 0);
	ck_assert(reclaim_take(r, 7));
	ck_assert_uint_eq(stats().pages.pending, 1);
	teardown();
}
END_TEST

START_TEST(failed_discard_stays_pending_and_is_retried)
{
	log_set_level(LOG_ERROR);
	setup();
	rec.fail_lo = gmem_index_to_hva(&mem, 20);
	rec.fail_hi = rec.fail_lo + 2 * GMEM_PAGE_SIZE;
	for (uint32_t pfn = 20; pfn < 22; pfn++)
		reclaim_take(r, pfn);
	reclaim_take(r, 30);
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 2);
	ck_assert_uint_eq(stats().discard_errors, 1);
	ck_assert_uint_eq(stats().discard_calls, 2);
	ck_assert_uint_eq(stats().discard_bytes, GMEM_PAGE_SIZE);
	ck_assert_uint_eq(stats().pages.pending, 2);
	ck_assert_uint_eq(stats().pages.discarded, 1);
	check_pages(20, 22, 0xa5);

	/* Not again for every message. */
	reclaim_take(r, 40);
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 3);
	check_call(2, 40, 1);

	/* One of them goes back to the guest meanwhile; the other is discarded later. */
	rec.fail_hi = rec.fail_lo;
	reclaim_give(r, 20);
	usleep(RECLAIM_RETRY_MS * 1000 + 50000);
	reclaim_flush(r);
	ck_assert_uint_eq(rec.ncalls, 4);
	check_call(3, 21, 1);
	check_pages(20, 21, 0xa5);
	check_pages(21, 22, 0);
	ck_assert_uint_eq(stats().pages.pending, 0);
	ck_assert_uint_eq(stats().discard_errors, 1);
	teardown();
}
END_TEST

START_TEST(default_backend_discards)
{
	setup();
	reclaim_destroy(r);
	r = reclaim_create(&mem);
	reclaim_take(r, 2);
	reclaim_flush(r);
	check_pages(1, 2, 0xa5);
	check_pages(2, 3, 0);
	check_pages(3, 4, 0xa5);
	reclaim_destroy(NULL);
	teardown();
}
END_TEST

UNIT_MAIN("reclaim", descending_pages_make_one_run, runs_of_several_messages_merge,
	  scattered_pages_are_discarded_one_by_one, runs_are_cut_at_region_ends,
	  pfns_that_are_not_ram, given_back_before_the_flush, given_back_after_the_flush,
	  doubles_and_strays_are_counted, reset_forgets_without_discarding,
	  failed_discard_stays_pending_and_is_retried, default_backend_discards)
