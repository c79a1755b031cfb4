// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/tracker.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/base/clock.h"

#define B TRACKER_BLOCK

static struct tracker_counts counts(const struct tracker *t)
{
	struct tracker_counts n;

	tracker_counts(t, &n);
	return n;
}

static void inflate(struct tracker *t, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		ck_assert(tracker_inflate(t, from, 7));
}

START_TEST(states)
{
	struct tracker *t = tracker_create(1000, 1);

	ck_assert_int_eq(tracker_state(t, 9), PAGE_GUEST);
	ck_assert(tracker_inflate(t, 9, 0));
	ck_assert(!tracker_inflate(t, 9, 0));
	ck_assert_int_eq(tracker_state(t, 9), PAGE_PENDING);
	ck_assert_int_eq(tracker_state(t, 8), PAGE_GUEST);
	ck_assert_uint_eq(tracker_take(t, 9, 1), 1);
	ck_assert_int_eq(tracker_state(t, 9), PAGE_DISCARDED);
	/* The other page of a pair makes a discarded one pending again. */
	ck_assert(tracker_inflate(t, 8, 0));
	ck_assert_int_eq(tracker_state(t, 9), PAGE_PENDING);
	ck_assert_uint_eq(counts(t).pending, 2);
	ck_assert_int_eq(tracker_deflate(t, 9), PAGE_PENDING);
	ck_assert_int_eq(tracker_deflate(t, 9), PAGE_GUEST);
	ck_assert_int_eq(tracker_state(t, 8), PAGE_PENDING);
	ck_assert_uint_eq(counts(t).pending, 1);
	ck_assert_uint_eq(counts(t).double_inflates, 1);
	ck_assert_uint_eq(counts(t).stray_deflates, 1);
	tracker_destroy(t);
	tracker_destroy(NULL);
}
END_TEST

START_TEST(complete_blocks_are_one_run)
{
	struct tracker *t = tracker_create(8 * B + 3, 1);
	uint64_t cursor = 0, s, l;

	inflate(t, B, 3 * B);
	inflate(t, 3 * B + 1, 4 * B);
	ck_assert_uint_eq(tracker_ready_count(t), 2);
	ck_assert_uint_eq(tracker_partial_count(t), 1);
	ck_assert_uint_eq(tracker_partial_block(t, 0), 3);
	ck_assert(tracker_ready_run(t, &cursor, 100 * B, &s, &l));
	ck_assert_uint_eq(s, B);
	ck_assert_uint_eq(l, 2 * B);
	ck_assert_uint_eq(tracker_take(t, s, l), 2 * B);
	ck_assert(!tracker_ready_run(t, &cursor, 100 * B, &s, &l));
	/* The last page makes the third block complete, and found although the cursor passed.
	 */
	inflate(t, 3 * B, 3 * B + 1);
	cursor = 7;
	ck_assert(tracker_ready_run(t, &cursor, 100 * B, &s, &l));
	ck_assert_uint_eq(s, 3 * B);
	ck_assert_uint_eq(l, B);
	/* One that goes back and comes again is a run of its pair alone. */
	tracker_take(t, s, l);
	tracker_deflate(t, B + 10);
	inflate(t, B + 10, B + 11);
	cursor = 0;
	ck_assert(tracker_ready_run(t, &cursor, 100 * B, &s, &l));
	ck_assert_uint_eq(s, B + 10);
	ck_assert_uint_eq(l, 2);
	tracker_destroy(t);
}
END_TEST

START_TEST(runs_of_a_partial_block)
{
	struct tracker *t = tracker_create(2 * B, 1);
	uint64_t s, l;

	inflate(t, 10, 20);
	ck_assert_uint_eq(tracker_take(t, 10, 10), 10);
	inflate(t, 6, 10);
	inflate(t, 20, 24);
	inflate(t, 100, 101);
	ck_assert_uint_eq(tracker_block_pending(t, 0), 9);
	ck_assert_uint_eq(tracker_block_stamp(t, 0), 7);
	/* The discarded pages in between belong to the run. */
	ck_assert(tracker_block_run(t, 0, &s, &l));
	ck_assert_uint_eq(s, 6);
	ck_assert_uint_eq(l, 18);
	ck_assert_uint_eq(tracker_take(t, s, l), 8);
	ck_assert(tracker_block_run(t, s + l, &s, &l));
	ck_assert_uint_eq(s, 100);
	ck_assert_uint_eq(l, 1);
	tracker_take(t, s, l);
	ck_assert(!tracker_block_run(t, 0, &s, &l));
	ck_assert_uint_eq(tracker_partial_count(t), 0);
	tracker_destroy(t);
}
END_TEST

START_TEST(failed_runs_are_parked)
{
	struct tracker *t = tracker_create(4 * B, 1);
	uint64_t cursor = 0, s, l;

	inflate(t, 0, 2 * B);
	tracker_take(t, 0, 2 * B);
	tracker_failed(t, 0, 2 * B, 0);
	ck_assert_uint_eq(counts(t).pending, 2 * B);
	ck_assert_uint_eq(counts(t).parked, 2 * B);
	ck_assert(!tracker_ready_run(t, &cursor, B, &s, &l));
	tracker_deflate(t, 5);
	ck_assert_uint_eq(counts(t).parked, 2 * B - 1);
	tracker_unpark(t);
	ck_assert_uint_eq(counts(t).parked, 0);
	ck_assert_uint_eq(tracker_ready_count(t), 1);
	ck_assert_uint_eq(tracker_partial_count(t), 1);
	tracker_destroy(t);
}
END_TEST

/* Parts of a host page of 2 MiB or 1 GiB come in any order, over any number of messages. */
static void check_unit(uint64_t unit)
{
	struct tracker *t = tracker_create(3 * unit, unit);
	uint64_t cursor = 0, s, l;

	for (uint64_t i = 0; i < unit; i++) {
		ck_assert(!tracker_ready_run(t, &cursor, B, &s, &l));
		/* 77 is odd: every page once. */
		tracker_inflate(t, unit + i * 77 % unit, 0);
		if (i + 1 < unit && counts(t).held != i + 1)
			ck_abort_msg("%u pages held", (unsigned)counts(t).held);
	}
	ck_assert_uint_eq(counts(t).held, 0);
	ck_assert_uint_eq(counts(t).pending, unit);
	/* One of them goes back before the discard: all stay. */
	ck_assert_int_eq(tracker_deflate(t, unit + 3), PAGE_PENDING);
	ck_assert_uint_eq(counts(t).held, unit - 1);
	ck_assert_uint_eq(counts(t).pending, 0);
	ck_assert(!tracker_ready_run(t, &cursor, B, &s, &l));
	tracker_inflate(t, unit + 3, 0);
	ck_assert(tracker_ready_run(t, &cursor, B, &s, &l));
	ck_assert_uint_eq(s, unit);
	ck_assert_uint_eq(l, unit);
	ck_assert_uint_eq(tracker_take(t, s, l), unit);
	ck_assert_int_eq(tracker_state(t, unit), PAGE_DISCARDED);
	/* And after it: the guest brings the whole page back by touching the one. */
	tracker_deflate(t, unit + 9);
	ck_assert_int_eq(tracker_state(t, unit), PAGE_HELD);
	tracker_inflate(t, unit + 9, 0);
	ck_assert_uint_eq(counts(t).pending, unit);
	tracker_destroy(t);
}

START_TEST(whole_host_pages_only)
{
	check_unit(B);
	check_unit(B * 512);
}
END_TEST

/* Host pages of 16 and 64 KiB, say: several of them in a block of 2 MiB. */
static void check_part(uint64_t unit)
{
	struct tracker *t = tracker_create(2 * B, unit);
	uint64_t cursor = 0, s, l;

	/* The second and third of block 0; the first in part. */
	inflate(t, 1, 3 * unit);
	ck_assert_uint_eq(counts(t).held, unit - 1);
	ck_assert_uint_eq(counts(t).pending, 2 * unit);
	ck_assert_int_eq(tracker_state(t, 1), PAGE_HELD);
	ck_assert_int_eq(tracker_state(t, unit), PAGE_PENDING);
	ck_assert_uint_eq(tracker_partial_block(t, 0), 0);
	ck_assert_uint_eq(tracker_block_pending(t, 0), 2 * unit);
	ck_assert_uint_eq(tracker_block_stamp(t, 0), 7);
	ck_assert(!tracker_ready_run(t, &cursor, B, &s, &l));
	/* A page of the third goes back before the discard, and comes again after it. */
	ck_assert_int_eq(tracker_deflate(t, 3 * unit - 1), PAGE_PENDING);
	ck_assert_uint_eq(counts(t).held, 2 * (unit - 1));
	ck_assert(tracker_block_run(t, 0, &s, &l));
	ck_assert_uint_eq(s, unit);
	ck_assert_uint_eq(l, unit);
	ck_assert_uint_eq(tracker_take(t, s, l), unit);
	ck_assert(!tracker_block_run(t, 0, &s, &l));
	ck_assert_uint_eq(tracker_partial_count(t), 0);
	ck_assert_int_eq(tracker_state(t, unit), PAGE_DISCARDED);
	tracker_inflate(t, 3 * unit - 1, 8);
	ck_assert_uint_eq(tracker_block_stamp(t, 0), 8);
	ck_assert(tracker_block_run(t, 0, &s, &l));
	ck_assert_uint_eq(s, 2 * unit);
	ck_assert_uint_eq(l, unit);
	/* The guest brings a discarded one back by one page. */
	ck_assert_int_eq(tracker_deflate(t, 2 * unit - 1), PAGE_DISCARDED);
	ck_assert_int_eq(tracker_state(t, unit), PAGE_HELD);
	ck_assert_uint_eq(counts(t).pending, unit);
	ck_assert_uint_eq(counts(t).discarded, 0);
	/* A failed discard parks it. */
	tracker_take(t, s, l);
	tracker_failed(t, s, l, 9);
	ck_assert_uint_eq(counts(t).parked, unit);
	tracker_unpark(t);
	ck_assert_uint_eq(counts(t).parked, 0);
	/* All of the block: it goes as a whole. */
	tracker_inflate(t, 0, 0);
	tracker_inflate(t, 2 * unit - 1, 0);
	inflate(t, 3 * unit, B);
	ck_assert_uint_eq(counts(t).held, 0);
	ck_assert(tracker_ready_run(t, &cursor, B, &s, &l));
	ck_assert_uint_eq(s, 0);
	ck_assert_uint_eq(l, B);
	ck_assert_uint_eq(tracker_take(t, s, l), B);
	ck_assert_uint_eq(counts(t).discarded, B);
	tracker_destroy(t);
}

START_TEST(several_host_pages_in_a_block)
{
	check_part(2);
	check_part(4);
	check_part(16);
	check_part(128);
}
END_TEST

START_TEST(reset_keeps_event_counters)
{
	struct tracker *t = tracker_create(4 * B, 1);
	uint64_t cursor = 0, s, l;

	inflate(t, 0, B + 5);
	tracker_inflate(t, 0, 0);
	tracker_deflate(t, 3 * B);
	tracker_reset(t);
	for (uint64_t i = 0; i < 2 * B; i++)
		ck_assert(tracker_state(t, i) == PAGE_GUEST);
	ck_assert_uint_eq(counts(t).ballooned + counts(t).pending + counts(t).discarded, 0);
	ck_assert_uint_eq(counts(t).double_inflates, 1);
	ck_assert_uint_eq(counts(t).stray_deflates, 1);
	ck_assert(!tracker_ready_run(t, &cursor, B, &s, &l));
	ck_assert_uint_eq(tracker_partial_count(t), 0);
	tracker_destroy(t);
}
END_TEST

/* A TiB, no memory behind it: one page in a block far up is found at once. */
START_TEST(a_tebibyte)
{
	const uint64_t npages = 1ull << 28;
	struct tracker *t = tracker_create(npages, 1);
	uint64_t began, s, l, ns;

	ck_assert_uint_le(tracker_footprint(npages), 64 << 20);
	ck_assert_ptr_nonnull(t);
	began = clock_now_ns();
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t page = (i * 2654435761ull) % npages;

		tracker_inflate(t, page, 0);
		ck_assert(tracker_block_run(t, tracker_partial_block(t, 0) * B, &s, &l));
		tracker_take(t, s, l);
	}
	ns = (clock_now_ns() - began) / 10000;
	printf("a TiB: %u ns a page, marked, found and taken\n", (unsigned)ns);
	/* Generous, for sanitizers; a scan of the map would be milliseconds. */
	ck_assert_uint_lt(ns, 100000);
	tracker_destroy(t);
}
END_TEST

UNIT_MAIN("tracker", states, complete_blocks_are_one_run, runs_of_a_partial_block,
	  failed_runs_are_parked, whole_host_pages_only, several_host_pages_in_a_block,
	  reset_keeps_event_counters, a_tebibyte)
