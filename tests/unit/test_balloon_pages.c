// SPDX-License-Identifier: Apache-2.0
/* The inflate and deflate queues: devices/balloon/balloon_pages.c. */
#include <errno.h>

#include "tests/unit/balloon_fixture.h"

static struct fixture f;

#define INF BALLOON_VQ_INFLATE
#define DEF BALLOON_VQ_DEFLATE

static struct reclaim_stats stats(void)
{
	return fix_query(&f).reclaim;
}

static void up(void)
{
	fix_init(&f, 0);
	fix_up(&f);
}

START_TEST(descending_message_is_one_discard)
{
	up();
	lx_fill_balloon(&f, 256);
	ck_assert_uint_eq(stats().discard_runs, 1);
	ck_assert_uint_eq(stats().discard_bytes, 256 * GMEM_PAGE_SIZE);
	fix_check_pages(&f, DATA_PFN, DATA_PFN + 256, 0);
	fix_check_pages(&f, DATA_PFN + 256, LOW_PAGES, PATTERN);
	fix_check_pages(&f, HIGH_PFN, HIGH_PFN + HIGH_PAGES, PATTERN);
	lx_fill_balloon(&f, 256);
	lx_fill_balloon(&f, 256);
	lx_fill_balloon(&f, 100);
	/* A run in blocks that aren't complete ends where its block does. */
	ck_assert_uint_eq(stats().discard_runs, 5);
	ck_assert_uint_eq(fix_query(&f).inflate_msgs, 4);
	ck_assert_uint_eq(fix_query(&f).ballooned, 868 * GMEM_PAGE_SIZE);
	ck_assert_uint_eq(fix_query(&f).notifies, 4);
	fix_check_pages(&f, DATA_PFN, DATA_PFN + 868, 0);
	fix_check_pages(&f, DATA_PFN + 868, LOW_PAGES, PATTERN);
	fix_fini(&f);
}
END_TEST

/* A backend that looks whether the message whose pages it gets was returned already. */
static int check_not_returned(void *opaque, void *hva, size_t len)
{
	unsigned *calls = opaque;

	++*calls;
	ck_assert_uint_eq(ring_used_pending(&f.ring[INF]), 0);
	return really_discard(hva, len);
}

START_TEST(discarded_before_returned)
{
	unsigned calls = 0;
	struct call_backend backend = {.discard = check_not_returned, .opaque = &calls};

	fix_init_with(&f, 0, &backend);
	fix_up(&f);
	for (unsigned i = 0; i < 8; i++)
		fix_queue(&f, INF, PFNS_GPA + 4 * i, (const uint32_t[]){500 + 2 * i}, 1);
	fix_kick(&f, INF);
	ck_assert_uint_eq(calls, 8);
	ck_assert_uint_eq(ring_used_pending(&f.ring[INF]), 8);
	fix_fini(&f);
}
END_TEST

/* A host that can't discard keeps the memory; the guest doesn't notice. */
static int refuse(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	(void)hva;
	(void)len;
	return -EINVAL;
}

START_TEST(failed_discard_is_the_hosts_affair)
{
	struct call_backend backend = {.discard = refuse};

	fix_init_with(&f, 0, &backend);
	fix_up(&f);
	lx_fill_balloon(&f, 100);
	ck_assert(!fix_latched(&f));
	ck_assert_uint_eq(stats().pages.pending, 100);
	ck_assert_uint_eq(stats().discard_errors, 1);
	ck_assert_uint_eq(fix_query(&f).ballooned, 100 * GMEM_PAGE_SIZE);
	lx_leak_balloon(&f, 100);
	ck_assert_uint_eq(stats().pages.pending, 0);
	fix_check_pages(&f, DATA_PFN, LOW_PAGES, PATTERN);
	fix_fini(&f);
}
END_TEST

START_TEST(neighbours_of_scattered_pages_live)
{
	const uint32_t pfn[] = {1000, 900, 902, 901, 1999, HIGH_PFN + 5, 500};

	up();
	fix_tell(&f, INF, pfn, 7);
	ck_assert_uint_eq(stats().discard_runs, 5);
	fix_check_pages(&f, DATA_PFN, 500, PATTERN);
	fix_check_pages(&f, 500, 501, 0);
	fix_check_pages(&f, 501, 900, PATTERN);
	fix_check_pages(&f, 900, 903, 0);
	fix_check_pages(&f, 903, 1000, PATTERN);
	fix_check_pages(&f, 1000, 1001, 0);
	fix_check_pages(&f, 1001, 1999, PATTERN);
	fix_check_pages(&f, 1999, 2000, 0);
	fix_check_pages(&f, 2000, LOW_PAGES, PATTERN);
	fix_check_pages(&f, HIGH_PFN, HIGH_PFN + 5, PATTERN);
	fix_check_pages(&f, HIGH_PFN + 5, HIGH_PFN + 6, 0);
	fix_check_pages(&f, HIGH_PFN + 6, HIGH_PFN + HIGH_PAGES, PATTERN);
	fix_fini(&f);
}
END_TEST

START_TEST(a_run_stops_at_the_end_of_its_region)
{
	const uint32_t pfn[] = {HIGH_PFN + 1, HIGH_PFN, LOW_PAGES - 1, LOW_PAGES - 2};

	up();
	fix_tell(&f, INF, pfn, 4);
	ck_assert_uint_eq(stats().discard_runs, 2);
	fix_check_pages(&f, LOW_PAGES - 3, LOW_PAGES - 2, PATTERN);
	fix_check_pages(&f, LOW_PAGES - 2, LOW_PAGES, 0);
	fix_check_pages(&f, HIGH_PFN, HIGH_PFN + 2, 0);
	fix_check_pages(&f, HIGH_PFN + 2, HIGH_PFN + 3, PATTERN);
	fix_fini(&f);
}
END_TEST

START_TEST(duplicates)
{
	const uint32_t twice[] = {300, 301, 300, 300};

	up();
	fix_tell(&f, INF, twice, 4);
	ck_assert_uint_eq(stats().pages.discarded, 2);
	ck_assert_uint_eq(stats().pages.double_inflates, 2);
	ck_assert_uint_eq(stats().discard_runs, 1);
	fix_tell(&f, INF, twice, 2);
	ck_assert_uint_eq(stats().pages.double_inflates, 4);
	ck_assert_uint_eq(stats().discard_runs, 1);
	fix_tell(&f, DEF, twice, 4);
	ck_assert_uint_eq(stats().pages.discarded, 0);
	ck_assert_uint_eq(stats().pages.stray_deflates, 2);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(pfns_that_are_not_ram_are_ignored)
{
	const uint32_t pfn[] = {LOW_PAGES, HIGH_PFN - 1, 400, 0xffffffff, HIGH_PFN + HIGH_PAGES,
				0xfee00,   0x80000000,	 401};

	up();
	fix_tell(&f, INF, pfn, 8);
	ck_assert(!fix_latched(&f));
	ck_assert_uint_eq(stats().bad_pfns, 6);
	ck_assert_uint_eq(stats().pages.discarded, 2);
	fix_check_pages(&f, 399, 400, PATTERN);
	fix_check_pages(&f, 400, 402, 0);
	fix_check_pages(&f, 402, LOW_PAGES, PATTERN);
	fix_check_pages(&f, HIGH_PFN, HIGH_PFN + HIGH_PAGES, PATTERN);
	fix_tell(&f, DEF, pfn, 8);
	ck_assert_uint_eq(stats().bad_pfns, 12);
	ck_assert_uint_eq(fix_query(&f).ballooned, 0);
	ck_assert_uint_eq(fix_query(&f).violations, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(deflated_pages_keep_new_contents)
{
	const uint32_t pfn[] = {600, 601};

	up();
	fix_tell(&f, INF, pfn, 2);
	fix_tell(&f, DEF, pfn, 1);
	ck_assert_uint_eq(stats().discard_runs, 1);
	memset(gmem_ptr(&f.mem, 600 * GMEM_PAGE_SIZE, GMEM_PAGE_SIZE), 0x77, GMEM_PAGE_SIZE);
	fix_tell(&f, INF, pfn + 1, 1);
	fix_check_pages(&f, 600, 601, 0x77);
	ck_assert_uint_eq(fix_query(&f).deflate_msgs, 1);
	/* A deflate of what was never inflated touches nothing either. */
	fix_tell(&f, DEF, (const uint32_t[]){700}, 1);
	fix_check_pages(&f, 700, 701, PATTERN);
	ck_assert_uint_eq(stats().pages.stray_deflates, 1);
	fix_fini(&f);
}
END_TEST

/* virtballoon_migratepage(): the new page in, the old one out. */
START_TEST(compaction)
{
	up();
	lx_fill_balloon(&f, 10);
	fix_tell(&f, INF, (const uint32_t[]){1500}, 1);
	fix_tell(&f, DEF, (const uint32_t[]){DATA_PFN + 3}, 1);
	ck_assert_uint_eq(fix_query(&f).ballooned, 10 * GMEM_PAGE_SIZE);
	ck_assert_uint_eq(stats().discard_runs, 2);
	fix_fini(&f);
}
END_TEST

START_TEST(page_numbers_cut_by_segments)
{
	uint32_t pfn[600];
	struct ring_buf buf[] = {{PFNS_GPA, 1, false},
				 {PFNS_GPA + 1, 1030, false},
				 {PFNS_GPA + 1031, 2, false},
				 {PFNS_GPA + 1033, 2400 - 1033, false}};

	up();
	for (unsigned i = 0; i < 600; i++)
		pfn[i] = 200 + i;
	ring_poke(&f.mem, PFNS_GPA, pfn, sizeof(pfn));
	ring_add(&f.ring[INF], buf, 4);
	fix_kick(&f, INF);
	fix_expect_used(&f, INF);
	ck_assert_uint_eq(stats().pages.discarded, 600);
	/* In two blocks. */
	ck_assert_uint_eq(stats().discard_runs, 2);
	fix_check_pages(&f, 199, 200, PATTERN);
	fix_check_pages(&f, 200, 800, 0);
	fix_check_pages(&f, 800, LOW_PAGES, PATTERN);
	fix_fini(&f);
}
END_TEST

START_TEST(indirect_message)
{
	const uint32_t pfn[] = {900, 901, 902};
	struct ring_buf buf[] = {{PFNS_GPA, 4, false}, {PFNS_GPA + 4, 8, false}};

	fix_init(&f, 0);
	fix_prepare(&f, EVERYTHING | VIRTIO_FEATURE(VIRTIO_F_BIT_INDIRECT_DESC));
	ck_assert(drv_ok(&f.mmio));
	ring_poke(&f.mem, PFNS_GPA, pfn, sizeof(pfn));
	ring_add_indirect(&f.ring[INF], TABLE_GPA, buf, 2);
	fix_kick(&f, INF);
	fix_expect_used(&f, INF);
	ck_assert_uint_eq(stats().pages.discarded, 3);
	fix_fini(&f);
}
END_TEST

/* A full ring in one kick: all answered, discarded together, one interrupt. */
START_TEST(full_queue_in_one_kick)
{
	uint64_t interrupts;

	up();
	interrupts = fix_query(&f).interrupts;
	for (uint32_t i = 0; i < 32; i++) {
		const uint32_t pfn[] = {1000 - 2 * i, 999 - 2 * i};

		fix_queue(&f, INF, PFNS_GPA + 8 * i, pfn, 2);
	}
	fix_kick(&f, INF);
	fix_look(&f);
	fix_look(&f);
	for (unsigned i = 0; i < 32; i++)
		fix_expect_used(&f, INF);
	ck_assert_uint_eq(stats().discard_runs, 1);
	ck_assert_uint_eq(stats().pages.discarded, 64);
	ck_assert_uint_eq(fix_query(&f).interrupts, interrupts + 1);
	/* And the driver is asked to kick for the next. */
	fix_tell(&f, INF, (const uint32_t[]){1500}, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(kick_of_an_empty_ring)
{
	up();
	drv_kick(&f.mmio, INF);
	drv_kick(&f.mmio, DEF);
	ck_assert(!fix_latched(&f));
	ck_assert_uint_eq(fix_query(&f).interrupts, 0);
	ck_assert_int_eq(fix_query(&f).progress_age_ms, -1);
	lx_fill_balloon(&f, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(works_without_event_idx_and_must_tell_host)
{
	fix_init(&f, 0);
	fix_prepare(&f, 0);
	ck_assert(drv_ok(&f.mmio));
	lx_fill_balloon(&f, 256);
	ck_assert_uint_eq(fix_query(&f).interrupts, 1);
	ring_set_no_interrupt(&f.ring[INF], true);
	lx_fill_balloon(&f, 256);
	ck_assert_uint_eq(fix_query(&f).interrupts, 1);
	lx_leak_balloon(&f, 256);
	fix_check_pages(&f, DATA_PFN, DATA_PFN + 512, 0);
	ck_assert_uint_eq(fix_query(&f).ballooned, 256 * GMEM_PAGE_SIZE);
	fix_fini(&f);
}
END_TEST

START_TEST(guest_balloons_its_own_rings)
{
	uint32_t pfn[] = {0, 1, 2, 3, PFNS_GPA >> 12, 800};

	up();
	fix_queue(&f, INF, PFNS_GPA, pfn, 6);
	drv_kick(&f.mmio, INF);
	/* Its ring is gone, which is its own affair; ours is to survive the next kicks. */
	for (unsigned q = 0; q < BALLOON_NVQ; q++)
		drv_kick(&f.mmio, q);
	ck_assert_uint_eq(stats().pages.discarded, 6);
	fix_up(&f);
	lx_fill_balloon(&f, 8);
	fix_fini(&f);
}
END_TEST

START_TEST(reset_with_the_balloon_full)
{
	up();
	lx_fill_balloon(&f, 256);
	lx_fill_balloon(&f, 256);
	virtio_mmio_reset(&f.mmio);
	ck_assert_uint_eq(fix_query(&f).ballooned, 0);
	/* The rebooted guest uses those pages; nothing of before may touch them. */
	memset(f.mem.region[0].hva, PATTERN, f.mem.region[0].len);
	fix_up(&f);
	drv_kick(&f.mmio, INF);
	fix_check_pages(&f, DATA_PFN, LOW_PAGES, PATTERN);
	ck_assert_uint_eq(stats().pages.double_inflates, 0);
	lx_fill_balloon(&f, 256);
	ck_assert_uint_eq(stats().pages.double_inflates, 0);
	ck_assert_uint_eq(stats().pages.discarded, 256);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_pages", descending_message_is_one_discard, discarded_before_returned,
	  failed_discard_is_the_hosts_affair, neighbours_of_scattered_pages_live,
	  a_run_stops_at_the_end_of_its_region, duplicates, pfns_that_are_not_ram_are_ignored,
	  deflated_pages_keep_new_contents, compaction, page_numbers_cut_by_segments,
	  indirect_message, full_queue_in_one_kick, kick_of_an_empty_ring,
	  works_without_event_idx_and_must_tell_host, guest_balloons_its_own_rings,
	  reset_with_the_balloon_full)
