// SPDX-License-Identifier: Apache-2.0
/* The reporting queue, all done in the kick: devices/balloon/balloon_report.c. */
#include <unistd.h>

#include "tests/unit/balloon_fixture.h"

static struct fixture f;

#define REP	   BALLOON_VQ_REPORTING
#define PAGE(n)	   ((uint64_t)(n)*GMEM_PAGE_SIZE)
#define POISON	   VIRTIO_FEATURE(BALLOON_F_BIT_PAGE_POISON)
#define INDIRECT   VIRTIO_FEATURE(VIRTIO_F_BIT_INDIRECT_DESC)
#define OFF_POISON 12u

static unsigned early; /* blocks discarded after their buffer was returned */

static int discard(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	early += ring_used_pending(&f.ring[REP]) != 0;
	return really_discard(hva, len);
}

static struct call_backend backend = {.discard = discard};

static void up_config(const struct balloon_config *cfg, uint64_t features)
{
	early = 0;
	fix_init_config(&f, cfg, &backend, RECLAIM_SYNC);
	fix_prepare(&f, features);
	ck_assert(drv_ok(&f.mmio));
}

static void up(uint64_t features)
{
	const struct balloon_config cfg = fix_config(0);

	up_config(&cfg, features);
}

static struct balloon_reporting counts(void)
{
	const struct balloon_reporting c = fix_query(&f).reporting;

	ck_assert_uint_eq(c.reported, c.discarded + c.skipped_min + c.skipped_rate +
					      c.skipped_poison + c.skipped_partial +
					      c.skipped_stop + c.failed);
	return c;
}

START_TEST(reported_blocks_go_before_they_are_returned)
{
	struct ring_buf buf[] = {fix_block(512, 512), fix_block(HIGH_PFN, 256),
				 fix_block(200, 1)};

	up(EVERYTHING);
	ring_add(&f.ring[REP], buf, 3);
	fix_kick(&f, REP);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_QUEUE);
	fix_expect_used(&f, REP);
	ck_assert_uint_eq(early, 0);
	fix_check_pages(&f, DATA_PFN, 200, PATTERN);
	fix_check_pages(&f, 200, 201, 0);
	fix_check_pages(&f, 201, 512, PATTERN);
	fix_check_pages(&f, 512, 1024, 0);
	fix_check_pages(&f, 1024, LOW_PAGES, PATTERN);
	fix_check_pages(&f, HIGH_PFN, HIGH_PFN + 256, 0);
	ck_assert_uint_eq(counts().blocks, 3);
	ck_assert_uint_eq(counts().reported, PAGE(769));
	ck_assert_uint_eq(counts().discarded, PAGE(769));
	ck_assert_uint_gt(counts().ns, 0);
	/* They are no part of the balloon. */
	ck_assert_uint_eq(fix_query(&f).ballooned, 0);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

/* 32 blocks, as Linux sends them at most: in the ring itself, and by a table. */
START_TEST(a_full_chain)
{
	struct ring_buf buf[32];

	up(EVERYTHING | INDIRECT);
	for (uint32_t i = 0; i < 32; i++)
		buf[i] = fix_block(256 + i * 2, 1);
	ring_add(&f.ring[REP], buf, 32);
	fix_kick(&f, REP);
	fix_expect_used(&f, REP);
	ck_assert_uint_eq(counts().blocks, 32);
	for (uint32_t i = 0; i < 32; i++)
		buf[i] = fix_block(1024 + i * 2, 1);
	ring_add_indirect(&f.ring[REP], TABLE_GPA, buf, 32);
	fix_kick(&f, REP);
	fix_expect_used(&f, REP);
	for (uint32_t i = 0; i < 64; i++) {
		fix_check_pages(&f, 256 + i, 257 + i, i % 2 ? PATTERN : 0);
		fix_check_pages(&f, 1024 + i, 1025 + i, i % 2 ? PATTERN : 0);
	}
	ck_assert_uint_eq(counts().discarded, PAGE(64));
	fix_fini(&f);
}
END_TEST

START_TEST(a_full_queue_in_one_kick)
{
	up(EVERYTHING);
	for (uint32_t i = 0; i < 32; i++)
		ring_add(&f.ring[REP], &(struct ring_buf){PAGE(256 + i), 4096, true}, 1);
	fix_kick(&f, REP);
	for (uint32_t i = 0; i < 32; i++)
		fix_expect_used(&f, REP);
	fix_check_pages(&f, 256, 288, 0);
	fix_check_pages(&f, 288, 289, PATTERN);
	fix_report(&f, 300, 1);
	ck_assert_uint_eq(counts().blocks, 33);
	fix_fini(&f);
}
END_TEST

/* Another CPU of the guest queues what came back, at once. */
static int discard_and_queue_more(void *opaque, void *hva, size_t len)
{
	uint16_t head;
	uint32_t used;

	while (ring_used(&f.ring[REP], &head, &used))
		ring_add(&f.ring[REP], &(struct ring_buf){PAGE(256), 4096, true}, 1);
	return discard(opaque, hva, len);
}

START_TEST(a_kick_ends)
{
	const struct balloon_config cfg = fix_config(0);
	struct call_backend busy = {.discard = discard_and_queue_more};

	fix_init_config(&f, &cfg, &busy, RECLAIM_SYNC);
	fix_up(&f);
	for (uint32_t i = 0; i < 32; i++)
		ring_add(&f.ring[REP], &(struct ring_buf){PAGE(256 + i), 4096, true}, 1);
	fix_kick(&f, REP);
	ck_assert_uint_eq(counts().blocks, 32);
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 32);
	fix_fini(&f);
}
END_TEST

/* The driver may use a block as soon as it is back, give it to the balloon, report it again. */
START_TEST(reported_again_and_ballooned)
{
	up(EVERYTHING);
	fix_report(&f, DATA_PFN, 256);
	memset(gmem_ptr(&f.mem, PAGE(DATA_PFN), PAGE(256)), PATTERN, PAGE(256));
	fix_report(&f, DATA_PFN, 256);
	fix_check_pages(&f, DATA_PFN, DATA_PFN + 256, 0);
	lx_fill_balloon(&f, 256);
	ck_assert_uint_eq(fix_query(&f).ballooned, PAGE(256));
	ck_assert_uint_eq(fix_query(&f).reclaim.pages.double_inflates, 0);
	lx_leak_balloon(&f, 256);
	ck_assert_uint_eq(fix_query(&f).reclaim.pages.stray_deflates, 0);
	fix_fini(&f);
}
END_TEST

/* No driver should: what it reports is its own, whatever it said before. */
START_TEST(ballooned_pages_are_taken_out)
{
	up(EVERYTHING);
	lx_fill_balloon(&f, 256);
	fix_report(&f, DATA_PFN + 200, 100);
	ck_assert_uint_eq(fix_query(&f).ballooned, PAGE(200));
	ck_assert_uint_eq(fix_query(&f).reclaim.released, 56);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(queued_before_driver_ok)
{
	const struct balloon_config cfg = fix_config(0);
	struct ring_buf buf = fix_block(512, 4);

	fix_init_config(&f, &cfg, &backend, RECLAIM_SYNC);
	fix_prepare(&f, EVERYTHING);
	ring_add(&f.ring[REP], &buf, 1);
	fix_kick(&f, REP);
	ck_assert_uint_eq(counts().blocks, 0);
	ck_assert(drv_ok(&f.mmio));
	fix_expect_used(&f, REP);
	fix_check_pages(&f, 512, 516, 0);
	fix_fini(&f);
}
END_TEST

/* ---- where the queue is ---- */

START_TEST(without_statistics_it_is_the_third)
{
	up(EVERYTHING & ~VIRTIO_FEATURE(BALLOON_F_BIT_STATS_VQ));
	ck_assert_uint_eq(f.number[REP], 2);
	fix_report(&f, 512, 4);
	fix_check_pages(&f, 512, 516, 0);
	fix_fini(&f);
}
END_TEST

static void up_with_all_queues(uint64_t features)
{
	const struct balloon_config cfg = fix_config(0);

	fix_init_config(&f, &cfg, &backend, RECLAIM_SYNC);
	ck_assert(drv_negotiate(&f.mmio, features));
	for (unsigned q = 0; q < BALLOON_NVQ; q++) {
		ring_init(&f.ring[q], &f.mem, RING_GPA(q), 32, true);
		f.number[q] = q;
		ck_assert(drv_queue(&f.mmio, q, &f.ring[q]));
	}
	ck_assert(drv_ok(&f.mmio));
}

START_TEST(the_standards_number)
{
	up_with_all_queues(EVERYTHING & ~VIRTIO_FEATURE(BALLOON_F_BIT_STATS_VQ));
	fix_report(&f, 512, 4);
	fix_check_pages(&f, 512, 516, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(a_queue_without_its_feature_serves_as_nothing)
{
	struct ring_buf buf = fix_block(512, 4);

	up_with_all_queues(EVERYTHING & ~VIRTIO_FEATURE(BALLOON_F_BIT_REPORTING));
	for (unsigned v = BALLOON_VQ_HINT; v <= REP; v++) {
		ring_add(&f.ring[v], &buf, 1);
		drv_kick(&f.mmio, v);
		ck_assert_uint_eq(ring_used_pending(&f.ring[v]), 0);
	}
	fix_check_pages(&f, 512, 516, PATTERN);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

/* ---- what is not discarded ---- */

START_TEST(small_blocks)
{
	struct balloon_config cfg = fix_config(0);

	cfg.reporting_min = PAGE(8);
	up_config(&cfg, EVERYTHING);
	fix_report(&f, 512, 7);
	fix_check_pages(&f, 512, 519, PATTERN);
	ck_assert_uint_eq(counts().skipped_min, PAGE(7));
	fix_report(&f, 512, 8);
	fix_check_pages(&f, 512, 520, 0);
	ck_assert_uint_eq(counts().skipped_min, PAGE(7));
	ck_assert_uint_eq(counts().discarded, PAGE(8));
	fix_fini(&f);
}
END_TEST

START_TEST(too_fast)
{
	struct balloon_config cfg = fix_config(0);
	struct ring_buf buf[] = {fix_block(256, 768), fix_block(1024, 16)};

	cfg.reporting_rate = 1 << 20;
	up_config(&cfg, EVERYTHING);
	/* 3 MiB: one is saved, for the others the next have to wait two seconds. */
	ring_add(&f.ring[REP], buf, 2);
	fix_kick(&f, REP);
	fix_expect_used(&f, REP);
	fix_check_pages(&f, 256, 1024, 0);
	fix_check_pages(&f, 1024, 1040, PATTERN);
	ck_assert_uint_eq(counts().skipped_rate, PAGE(16));
	/* A reset is no way around it. */
	fix_up(&f);
	fix_report(&f, 1024, 16);
	ck_assert_uint_eq(counts().skipped_rate, PAGE(32));
	fix_fini(&f);
}
END_TEST

START_TEST(slow_enough_again)
{
	struct balloon_config cfg = fix_config(0);
	unsigned n = 0;

	cfg.reporting_rate = 1 << 30;
	up_config(&cfg, EVERYTHING);
	while (!counts().skipped_rate && n++ < 2000)
		fix_report(&f, 256, 1792);
	/* A second's worth, saved, and what the time up to here added. */
	ck_assert_uint_gt(counts().discarded, 1u << 30);
	ck_assert_uint_gt(counts().skipped_rate, 0);
	usleep(30000);
	memset(gmem_ptr(&f.mem, PAGE(256), PAGE(16)), PATTERN, PAGE(16));
	fix_report(&f, 256, 16);
	fix_check_pages(&f, 256, 272, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(a_guest_that_poisons_keeps_what_it_wrote)
{
	const struct balloon_config cfg = fix_config(0);

	fix_init_config(&f, &cfg, &backend, RECLAIM_SYNC);
	fix_prepare(&f, EVERYTHING | POISON);
	drv_config_write(&f.mmio, OFF_POISON, 4, 0xaaaaaaaa);
	ck_assert(drv_ok(&f.mmio));
	ck_assert_uint_eq(fix_query(&f).poison, 0xaaaaaaaa);
	fix_report(&f, 512, 512);
	fix_check_pages(&f, 512, 1024, PATTERN);
	ck_assert_uint_eq(counts().skipped_poison, PAGE(512));
	/* It has nothing to do with the balloon. */
	lx_fill_balloon(&f, 16);
	fix_check_pages(&f, DATA_PFN, DATA_PFN + 16, 0);
	/* The next driver doesn't poison. */
	fix_up(&f);
	ck_assert_uint_eq(fix_query(&f).poison, 0);
	fix_report(&f, 512, 512);
	fix_check_pages(&f, 512, 1024, 0);
	fix_fini(&f);
}
END_TEST

/* init_on_free. */
START_TEST(zeros_are_no_poison)
{
	const struct balloon_config cfg = fix_config(0);

	fix_init_config(&f, &cfg, &backend, RECLAIM_SYNC);
	fix_prepare(&f, EVERYTHING | POISON);
	drv_config_write(&f.mmio, OFF_POISON, 4, 0);
	ck_assert(drv_ok(&f.mmio));
	fix_report(&f, 512, 512);
	fix_check_pages(&f, 512, 1024, 0);
	fix_fini(&f);
}
END_TEST

/* With huge pages only whole ones go. */
START_TEST(parts_of_the_hosts_pages)
{
	up(EVERYTHING);
	f.mem.region[0].page_shift = f.mem.region[1].page_shift = 21;
	fix_report(&f, 512 + 1, 511);
	ck_assert_uint_eq(counts().skipped_partial, PAGE(511));
	fix_report(&f, HIGH_PFN, 256);
	ck_assert_uint_eq(counts().skipped_partial, PAGE(511 + 256));
	fix_check_pages(&f, 512, 1024, PATTERN);
	fix_report(&f, 500, 600);
	fix_check_pages(&f, 256, 512, PATTERN);
	fix_check_pages(&f, 512, 1024, 0);
	fix_check_pages(&f, 1024, LOW_PAGES, PATTERN);
	ck_assert_uint_eq(counts().discarded, PAGE(512));
	ck_assert_uint_eq(counts().skipped_partial, PAGE(511 + 256 + 88));
	fix_fini(&f);
}
END_TEST

static int refuse(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	(void)hva;
	(void)len;
	return -ENOMEM;
}

START_TEST(refused_by_the_kernel)
{
	const struct balloon_config cfg = fix_config(0);
	struct call_backend no = {.discard = refuse};

	fix_init_config(&f, &cfg, &no, RECLAIM_SYNC);
	fix_up(&f);
	fix_report(&f, 512, 4);
	ck_assert_uint_eq(counts().failed, PAGE(4));
	ck_assert_uint_eq(fix_query(&f).reclaim.discard_errors, 1);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(not_while_paused)
{
	struct ring_buf buf = fix_block(512, 4);

	up(EVERYTHING);
	balloon_pause(f.b);
	balloon_pause(f.b);
	ring_add(&f.ring[REP], &buf, 1);
	fix_kick(&f, REP);
	ck_assert_uint_eq(counts().blocks, 0);
	fix_check_pages(&f, 512, 516, PATTERN);
	balloon_resume(f.b);
	fix_expect_used(&f, REP);
	fix_check_pages(&f, 512, 516, 0);
	balloon_resume(f.b);
	fix_report(&f, 600, 1);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_report", reported_blocks_go_before_they_are_returned, a_full_chain,
	  a_full_queue_in_one_kick, a_kick_ends, reported_again_and_ballooned,
	  ballooned_pages_are_taken_out, queued_before_driver_ok,
	  without_statistics_it_is_the_third, the_standards_number,
	  a_queue_without_its_feature_serves_as_nothing, small_blocks, too_fast,
	  slow_enough_again, a_guest_that_poisons_keeps_what_it_wrote, zeros_are_no_poison,
	  parts_of_the_hosts_pages, refused_by_the_kernel, not_while_paused)
