// SPDX-License-Identifier: Apache-2.0
/* Messages that break the protocol: devices/balloon/balloon_pages.c. */
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

/* Messages of the largest size, and one number more. */
START_TEST(message_size_limit)
{
	struct ring_buf buf = {PFNS_GPA, BALLOON_MAX_PFNS * 4, false};
	uint32_t *pfn;

	up();
	pfn = gmem_ptr(&f.mem, PFNS_GPA, BALLOON_MAX_PFNS * 4 + 4);
	for (uint32_t i = 0; i <= BALLOON_MAX_PFNS; i++)
		pfn[i] = 1024 + i % 64;
	ring_add(&f.ring[INF], &buf, 1);
	fix_kick(&f, INF);
	fix_expect_used(&f, INF);
	ck_assert_uint_eq(stats().pages.discarded, 64);
	ck_assert(!fix_latched(&f));
	buf.len += 4;
	ring_add(&f.ring[DEF], &buf, 1);
	fix_kick(&f, DEF);
	ck_assert(fix_latched(&f));
	ck_assert_uint_eq(stats().pages.discarded, 64);
	fix_fini(&f);
}
END_TEST

/* The device must latch, stay quiet after, and be as new after a reset. */
static void expect_violation(unsigned q, const struct ring_buf *buf, unsigned n)
{
	const uint32_t pfn[] = {800, 801, 802, 803};
	uint64_t violations;

	up();
	ring_poke(&f.mem, PFNS_GPA, pfn, sizeof(pfn));
	violations = fix_query(&f).violations;
	ring_add(&f.ring[q], buf, n);
	fix_kick(&f, q);
	ck_assert(fix_latched(&f));
	ck_assert_uint_eq(fix_query(&f).violations, violations + 1);
	ck_assert_uint_eq(ring_used_pending(&f.ring[q]), 0);
	ck_assert_uint_eq(stats().discard_runs, 0);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
	fix_check_pages(&f, 800, 804, PATTERN);

	drv_kick(&f.mmio, q);
	drv_kick(&f.mmio, !q);
	ck_assert_uint_eq(fix_query(&f).violations, violations + 1);

	fix_up(&f);
	ck_assert(!fix_latched(&f));
	lx_fill_balloon(&f, 4);
	ck_assert_uint_eq(stats().pages.discarded, 4);
	fix_fini(&f);
}

START_TEST(odd_lengths_latch)
{
	for (uint32_t len = 1; len < 12; len++) {
		if (!(len % 4))
			continue;
		expect_violation(INF, &(struct ring_buf){PFNS_GPA, len, false}, 1);
		expect_violation(DEF, &(struct ring_buf){PFNS_GPA, len, false}, 1);
	}
}
END_TEST

START_TEST(writable_buffers_latch)
{
	const struct ring_buf mixed[] = {{PFNS_GPA, 8, false}, {PFNS_GPA + 64, 8, true}};

	expect_violation(INF, &(struct ring_buf){PFNS_GPA, 8, true}, 1);
	expect_violation(DEF, &(struct ring_buf){PFNS_GPA, 8, true}, 1);
	expect_violation(INF, mixed, 2);
	expect_violation(DEF, mixed, 2);
}
END_TEST

START_TEST(broken_ring_latches)
{
	expect_violation(INF, &(struct ring_buf){PFNS_GPA, 0, false}, 1);
	expect_violation(DEF, &(struct ring_buf){(uint64_t)LOW_PAGES << 12, 4, false}, 1);
}
END_TEST

/* What came before the bad message in the same kick was done, and is returned. */
START_TEST(good_messages_before_a_bad_one)
{
	const uint32_t pfn[] = {800, 801};

	up();
	fix_queue(&f, INF, PFNS_GPA, pfn, 2);
	ring_add(&f.ring[INF], &(struct ring_buf){PFNS_GPA + 64, 3, false}, 1);
	fix_kick(&f, INF);
	ck_assert(fix_latched(&f));
	fix_expect_used(&f, INF);
	ck_assert_uint_eq(ring_used_pending(&f.ring[INF]), 0);
	fix_check_pages(&f, 800, 802, 0);
	fix_fini(&f);
}
END_TEST

/* More chains than the ring holds: only a driver that breaks the rules has them. */
START_TEST(more_than_a_full_queue)
{
	const uint32_t pfn[] = {800};

	up();
	for (unsigned i = 0; i < 32; i++)
		fix_queue(&f, INF, PFNS_GPA, pfn, 1);
	ring_set_idx(&f.ring[INF], 33);
	drv_kick(&f.mmio, INF);
	ck_assert(fix_latched(&f));
	ck_assert_uint_eq(ring_used_pending(&f.ring[INF]), 0);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_violations", message_size_limit, odd_lengths_latch, writable_buffers_latch,
	  broken_ring_latches, good_messages_before_a_bad_one, more_than_a_full_queue)
