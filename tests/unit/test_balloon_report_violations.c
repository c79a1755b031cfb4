// SPDX-License-Identifier: Apache-2.0
/* Chains of the reporting queue that break the protocol: devices/balloon/balloon_report.c. */
#include "tests/unit/balloon_fixture.h"

static struct fixture f;

#define REP	BALLOON_VQ_REPORTING
#define PAGE(n) ((uint64_t)(n)*GMEM_PAGE_SIZE)

static void up(void)
{
	fix_init(&f, 0);
	fix_up(&f);
}

static void expect_violation(const struct ring_buf *buf, unsigned n)
{
	up();
	ring_add(&f.ring[REP], buf, n);
	fix_kick(&f, REP);
	ck_assert(fix_latched(&f));
	ck_assert_uint_eq(fix_query(&f).violations, 1);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 0);
	ck_assert_uint_eq(fix_query(&f).reporting.blocks, 0);
	fix_check_pages(&f, DATA_PFN, LOW_PAGES, PATTERN);
	drv_kick(&f.mmio, f.number[REP]);
	ck_assert_uint_eq(fix_query(&f).violations, 1);
	fix_up(&f);
	fix_report(&f, 512, 1);
	fix_check_pages(&f, 512, 513, 0);
	fix_fini(&f);
}

#define VIOLATION(...)                                                                         \
	expect_violation((const struct ring_buf[]){__VA_ARGS__},                               \
			 sizeof((const struct ring_buf[]){__VA_ARGS__}) /                      \
				 sizeof(struct ring_buf))

START_TEST(readable_buffers_latch)
{
	VIOLATION({PAGE(512), 4096, false});
	VIOLATION({PAGE(512), 4096, false}, {PAGE(513), 4096, true});
	VIOLATION({PAGE(512), 4096, true}, {PAGE(513), 4096, false});
}
END_TEST

START_TEST(parts_of_pages_latch)
{
	VIOLATION({PAGE(512), 4095, true});
	VIOLATION({PAGE(512), 1, true});
	VIOLATION({PAGE(512) + 512, 4096, true});
	VIOLATION({PAGE(512), 0, true});
	/* Also behind a good one, which is then not discarded either. */
	VIOLATION({PAGE(512), 4096, true}, {PAGE(513), 8191, true});
}
END_TEST

START_TEST(what_is_not_ram_latches)
{
	VIOLATION({PAGE(LOW_PAGES), 4096, true});
	VIOLATION({PAGE(LOW_PAGES - 1), 8192, true});
	VIOLATION({PAGE(LOW_PAGES), 0xfffff000, true});
	VIOLATION({PAGE(512), 0xfffff000, true});
	VIOLATION({PAGE(HIGH_PFN - 1), 8192, true});
	VIOLATION({PAGE(HIGH_PFN + HIGH_PAGES), 4096, true});
	VIOLATION({-4096ull, 4096, true});
	VIOLATION({-4096ull, 8192, true});
	VIOLATION({-4096ull, 0xfffff000, true});
}
END_TEST

START_TEST(good_chains_before_a_bad_one)
{
	struct ring_buf good = fix_block(512, 4), bad = {PAGE(600), 100, true};

	up();
	ring_add(&f.ring[REP], &good, 1);
	ring_add(&f.ring[REP], &bad, 1);
	ring_add(&f.ring[REP], &good, 1);
	fix_kick(&f, REP);
	ck_assert(fix_latched(&f));
	fix_expect_used(&f, REP);
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 0);
	fix_check_pages(&f, 512, 516, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(a_broken_ring_latches)
{
	up();
	ring_put(&f.ring[REP], 32);
	drv_kick(&f.mmio, f.number[REP]);
	ck_assert(fix_latched(&f));
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_report_violations", readable_buffers_latch, parts_of_pages_latch,
	  what_is_not_ram_latches, good_chains_before_a_bad_one, a_broken_ring_latches)
