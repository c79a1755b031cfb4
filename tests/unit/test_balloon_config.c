// SPDX-License-Identifier: Apache-2.0
/* Configuration space and DEFLATE_ON_OOM: devices/balloon/balloon_config.c. */
#include "tests/unit/balloon_hint_fixture.h"
#include "vmm/reclaim/internal.h"

static struct fixture f;

#define PAGES(n) ((n)*GMEM_PAGE_SIZE)

/* A driver that has inflated to `pages` and is at rest. */
static void up_at(uint32_t pages)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(pages)), 0);
	lx_work(&f);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(pages));
	ck_assert_uint_eq(fix_query(&f).oom_deflates, 0);
	drv_take_isr(&f.mmio);
}

static void check_target(uint32_t pages, uint64_t oom_deflates)
{
	ck_assert_uint_eq(fix_query(&f).target, PAGES((uint64_t)pages));
	ck_assert_uint_eq(fix_query(&f).oom_deflates, oom_deflates);
}

/* ---- the fields ---- */

START_TEST(layout)
{
	fix_init(&f, PAGES(0x123));
	fix_up(&f);
	drv_config_write(&f.mmio, 4, 4, 0xa1b2c3d4);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 0, 4), 0x123);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 4, 4), 0xa1b2c3d4);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 0, 8), 0xa1b2c3d400000123ull);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 0, 1), 0x23);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 1, 1), 0x01);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 6, 2), 0xa1b2);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 7, 1), 0xa1);
	fix_fini(&f);
}
END_TEST

START_TEST(nothing_behind_the_end)
{
	fix_init(&f, 0);
	fix_up(&f);
	drv_config_write(&f.mmio, 4, 4, 0xffffffff);
	for (uint32_t off = 8; off < 0x100; off += 8) {
		drv_config_write(&f.mmio, off, 8, ~0ull);
		ck_assert_uint_eq(drv_config_read(&f.mmio, off, 8), 0);
		ck_assert_uint_eq(drv_config_read(&f.mmio, off, 4), 0);
		ck_assert_uint_eq(drv_config_read(&f.mmio, off + 7, 1), 0);
	}
	ck_assert_uint_eq(drv_config_read(&f.mmio, 4, 4), 0xffffffff);
	fix_fini(&f);
}
END_TEST

/* ---- poison_val, behind a field that is for hints ---- */

#define POISON VIRTIO_FEATURE(BALLOON_F_BIT_PAGE_POISON)

START_TEST(length_follows_the_features)
{
	const struct virtio_device *dev;

	fix_init(&f, 0);
	dev = balloon_virtio(f.b);
	ck_assert_uint_eq(dev->ops->config_len(dev), 8);
	ck_assert(drv_negotiate(&f.mmio, POISON));
	ck_assert_uint_eq(dev->ops->config_len(dev), 16);
	/* A feature that isn't offered adds nothing. */
	ck_assert(!drv_negotiate(&f.mmio, VIRTIO_FEATURE(BALLOON_F_BIT_FREE_PAGE_HINT)));
	ck_assert_uint_eq(dev->ops->config_len(dev), 8);
	fix_fini(&f);

	fix_hints_init(&f);
	dev = balloon_virtio(f.b);
	ck_assert(drv_negotiate(&f.mmio, HINTS));
	ck_assert_uint_eq(dev->ops->config_len(dev), 12);
	ck_assert(drv_negotiate(&f.mmio, HINTS | POISON));
	ck_assert_uint_eq(dev->ops->config_len(dev), 16);
	/* With poison the field is there, whether hints are or not. */
	ck_assert(drv_negotiate(&f.mmio, POISON));
	ck_assert_uint_eq(dev->ops->config_len(dev), 16);
	ck_assert_uint_eq(drv_config_read(&f.mmio, OFF_CMD_ID, 4), HINT_ID_STOP);
	fix_fini(&f);
}
END_TEST

/* With hints and without poison the space ends in the middle of a wide access. */
START_TEST(a_space_of_twelve_bytes)
{
	uint32_t id;

	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_REQUESTED);
	id = fix_hint(&f).id;
	ck_assert_uint_eq(drv_config_read(&f.mmio, 8, 8), id);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 12, 4), 0);
	drv_config_write(&f.mmio, 8, 8, ~0ull);
	drv_config_write(&f.mmio, 12, 4, ~0u);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 8, 8), id);
	ck_assert_uint_eq(fix_query(&f).poison, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(poison_is_the_drivers)
{
	fix_init(&f, PAGES(0x123));
	fix_prepare(&f, EVERYTHING | POISON);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 12, 4), 0);
	drv_config_write(&f.mmio, 12, 4, 0xaaaaaaaa);
	ck_assert(drv_ok(&f.mmio));
	ck_assert_uint_eq(drv_config_read(&f.mmio, 12, 4), 0xaaaaaaaa);
	ck_assert_uint_eq(fix_query(&f).poison, 0xaaaaaaaa);
	drv_config_write(&f.mmio, 12, 4, 0x04030201);
	drv_config_write(&f.mmio, 14, 1, 0xee);
	drv_config_write(&f.mmio, 15, 1, 0xff);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 12, 4), 0xffee0201);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 13, 2), 0xee02);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 14, 2), 0xffee);
	/* Its neighbour isn't, and nothing else has changed. */
	drv_config_write(&f.mmio, 8, 4, 77);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 8, 4), 0);
	drv_config_write(&f.mmio, 8, 8, 0x0000000500000077ull);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 8, 8), 0x0000000500000000ull);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 0, 8), 0x123);
	for (uint32_t off = 16; off < 0x100; off += 8) {
		drv_config_write(&f.mmio, off, 8, ~0ull);
		ck_assert_uint_eq(drv_config_read(&f.mmio, off, 8), 0);
	}
	drv_reset(&f.mmio);
	ck_assert_uint_eq(fix_query(&f).poison, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(no_poison_without_its_feature)
{
	fix_init(&f, 0);
	fix_up(&f);
	drv_config_write(&f.mmio, 12, 4, 0xaaaaaaaa);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 12, 4), 0);
	ck_assert_uint_eq(fix_query(&f).poison, 0);
	/* Nor by a driver that changes its mind before FEATURES_OK. */
	drv_reset(&f.mmio);
	drv_write(&f.mmio, VIRTIO_MMIO_STATUS, 1);
	drv_write(&f.mmio, VIRTIO_MMIO_STATUS, 3);
	drv_accept(&f.mmio, POISON | VIRTIO_FEATURE(VIRTIO_F_BIT_VERSION_1));
	drv_config_write(&f.mmio, 12, 4, 0xaaaaaaaa);
	drv_accept(&f.mmio, VIRTIO_FEATURE(VIRTIO_F_BIT_VERSION_1));
	drv_write(&f.mmio, VIRTIO_MMIO_STATUS, 11);
	ck_assert(drv_ok(&f.mmio));
	ck_assert_uint_eq(fix_query(&f).poison, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(num_pages_is_read_only)
{
	up_at(10);
	drv_config_write(&f.mmio, 0, 4, 99);
	drv_config_write(&f.mmio, 3, 1, 99);
	ck_assert_uint_eq(lx_read_target(&f), 10);
	/* The half of a wide write that is allowed. */
	drv_config_write(&f.mmio, 0, 8, 0x0000000c00000063ull);
	ck_assert_uint_eq(lx_read_target(&f), 10);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(12));
	fix_fini(&f);
}
END_TEST

START_TEST(actual_is_clamped_to_ram)
{
	fix_init(&f, 0);
	fix_up(&f);
	drv_config_write(&f.mmio, 4, 4, RAM_PAGES);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(RAM_PAGES));
	drv_config_write(&f.mmio, 4, 4, UINT32_MAX);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(RAM_PAGES));
	ck_assert_uint_eq(fix_query(&f).ballooned, 0);
	fix_fini(&f);
}
END_TEST

/* In pieces, from 0x2ff down to 0x1fe: passes through 0x2fe. The target stays out of it. */
START_TEST(the_engine_hears_that_no_more_comes)
{
	up_at(10);
	f.reclaim->take_ns = 1;
	drv_config_write(&f.mmio, 4, 4, 11);
	ck_assert_uint_eq(f.reclaim->take_ns, 1);
	drv_config_write(&f.mmio, 4, 4, 10);
	ck_assert_uint_eq(f.reclaim->take_ns, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(actual_in_pieces)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(0x2ff)), 0);
	lx_read_target(&f);
	for (uint32_t i = 0; i < 4; i++)
		drv_config_write(&f.mmio, 4 + i, 1, 0x000002ff >> 8 * i & 0xff);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(0x2ff));
	drv_config_write(&f.mmio, 4, 1, 0xfe);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 4, 4), 0x2fe);
	drv_config_write(&f.mmio, 5, 1, 0x01);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(0x1fe));
	drv_config_write(&f.mmio, 4, 2, 0x0180);
	drv_config_write(&f.mmio, 6, 2, 0x0000);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(0x180));
	check_target(0x2ff, 0);
	fix_fini(&f);
}
END_TEST

/* ---- when actual falls ---- */

START_TEST(asked_deflation_is_not_a_leak)
{
	up_at(1000);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(100)), 0);
	lx_work(&f);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(100));
	check_target(100, 0);
	ck_assert_int_eq(balloon_set_target(f.b, 0), 0);
	lx_work(&f);
	check_target(0, 0);
	ck_assert_uint_eq(fix_query(&f).ballooned, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(oom_lowers_the_target)
{
	uint32_t gen;

	up_at(1000);
	gen = drv_read(&f.mmio, VIRTIO_MMIO_CONFIG_GENERATION);
	lx_oom_notify(&f);
	check_target(744, 1);
	ck_assert_uint_ne(drv_read(&f.mmio, VIRTIO_MMIO_CONFIG_GENERATION), gen);
	ck_assert(drv_take_isr(&f.mmio) & VIRTIO_ISR_CONFIG);
	/* The driver looks, and has nothing to do: no fight. */
	ck_assert(!lx_work_once(&f));
	lx_oom_notify(&f);
	lx_oom_notify(&f);
	check_target(232, 3);
	ck_assert(!lx_work_once(&f));
	/* The host may ask again. */
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(500)), 0);
	lx_work(&f);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(500));
	check_target(500, 3);
	fix_fini(&f);
}
END_TEST

START_TEST(oom_while_inflating)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(1200)), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(lx_work_once(&f));
	check_target(1200, 0);
	lx_oom_notify(&f);
	check_target(512, 1);
	ck_assert(!lx_work_once(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(without_the_feature_a_fall_means_nothing)
{
	fix_init(&f, 0);
	fix_prepare(&f, EVERYTHING & ~VIRTIO_FEATURE(BALLOON_F_BIT_DEFLATE_ON_OOM));
	ck_assert(drv_ok(&f.mmio));
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(300)), 0);
	lx_work(&f);
	lx_oom_notify(&f);
	check_target(300, 0);
	fix_fini(&f);
}
END_TEST

/* The host raises the target while the driver deflates to the old one. */
START_TEST(late_step_to_an_older_target)
{
	up_at(1000);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(200)), 0);
	ck_assert_uint_eq(lx_read_target(&f), 200);
	lx_leak_balloon(&f, 800);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(900)), 0);
	lx_update_balloon_size(&f); /* 744: below 900, but above the 200 it knew */
	check_target(900, 0);
	lx_work(&f);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(900));
	check_target(900, 0);
	fix_fini(&f);
}
END_TEST

/* The host lowers the target; before the driver looks, the guest leaks. */
START_TEST(leak_below_a_lowered_target)
{
	up_at(1000);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(900)), 0);
	lx_oom_notify(&f);
	check_target(744, 1);
	fix_fini(&f);

	up_at(1000);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(100)), 0);
	lx_oom_notify(&f);
	check_target(100, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(compaction_and_rewrites_change_nothing)
{
	up_at(700);
	fix_tell(&f, BALLOON_VQ_INFLATE, (const uint32_t[]){1500}, 1);
	fix_tell(&f, BALLOON_VQ_DEFLATE, (const uint32_t[]){DATA_PFN}, 1);
	for (unsigned i = 0; i < 3; i++)
		lx_update_balloon_size(&f);
	check_target(700, 0);
	fix_fini(&f);
}
END_TEST

/* ---- to zero: leak or farewell? ---- */

START_TEST(unload_and_load_with_the_balloon_full)
{
	up_at(1000);
	lx_remove(&f);
	check_target(1000, 0);
	ck_assert_uint_eq(fix_query(&f).actual, 0);
	ck_assert_uint_eq(fix_query(&f).ballooned, 0);
	fix_up(&f);
	lx_work(&f);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(1000));
	check_target(1000, 0);
	fix_check_pages(&f, DATA_PFN, DATA_PFN + 1000, 0);
	fix_fini(&f);
}
END_TEST

/* With one message's worth in the balloon, removal and OOM write the very same. */
START_TEST(unload_of_a_small_balloon)
{
	up_at(200);
	lx_remove(&f);
	fix_up(&f);
	lx_work(&f);
	check_target(200, 0);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(200));
	fix_fini(&f);
}
END_TEST

START_TEST(unload_after_a_leak)
{
	up_at(1000);
	lx_oom_notify(&f);
	lx_remove(&f);
	check_target(744, 1);
	fix_up(&f);
	lx_work(&f);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(744));
	fix_fini(&f);
}
END_TEST

START_TEST(oom_to_zero)
{
	up_at(200);
	lx_oom_notify(&f);
	/* The interrupt makes a driver that stays look; it must find 0. */
	ck_assert(drv_take_isr(&f.mmio) & VIRTIO_ISR_CONFIG);
	ck_assert(!lx_work_once(&f));
	check_target(0, 1);
	/* That was the leak; a removal now has nothing to do with it. */
	lx_remove(&f);
	check_target(0, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(oom_to_zero_while_inflating)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(1200)), 0);
	ck_assert(lx_work_once(&f));
	lx_oom_notify(&f);
	/* The work function goes on by itself. */
	ck_assert(!lx_work_once(&f));
	check_target(0, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(new_target_after_a_leak_to_zero)
{
	up_at(200);
	lx_oom_notify(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(150)), 0);
	lx_work(&f);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(150));
	check_target(150, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(a_latched_device_keeps_its_target)
{
	up_at(300);
	ring_add(&f.ring[0], &(struct ring_buf){PFNS_GPA, 3, false}, 1);
	fix_kick(&f, 0);
	ck_assert(fix_latched(&f));
	drv_config_write(&f.mmio, 4, 4, 100);
	check_target(300, 0);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_config", layout, nothing_behind_the_end, length_follows_the_features,
	  a_space_of_twelve_bytes, poison_is_the_drivers, no_poison_without_its_feature,
	  num_pages_is_read_only, actual_is_clamped_to_ram, actual_in_pieces,
	  the_engine_hears_that_no_more_comes, asked_deflation_is_not_a_leak,
	  oom_lowers_the_target, oom_while_inflating, without_the_feature_a_fall_means_nothing,
	  late_step_to_an_older_target, leak_below_a_lowered_target,
	  compaction_and_rewrites_change_nothing, unload_and_load_with_the_balloon_full,
	  unload_of_a_small_balloon, unload_after_a_leak, oom_to_zero,
	  oom_to_zero_while_inflating, new_target_after_a_leak_to_zero,
	  a_latched_device_keeps_its_target)
