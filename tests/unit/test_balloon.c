// SPDX-License-Identifier: Apache-2.0
/* Life cycle, target and status: devices/balloon/balloon.c. */
#include <errno.h>
#include <unistd.h>

#include "tests/unit/balloon_fixture.h"

static struct fixture f;

static const struct balloon_owner no_owner = {.change_fd = -1, .hint_fd = -1};

#define PAGES(n) ((uint64_t)(n)*GMEM_PAGE_SIZE)

static enum balloon_state state(void)
{
	return fix_query(&f).state;
}

static uint64_t offered_by(struct balloon_config cfg)
{
	struct balloon *b;
	uint64_t bits;

	fix_init(&f, 0);
	b = balloon_create(&cfg, &f.mem, f.reclaim, &f.irq, &no_owner);
	bits = balloon_virtio(b)->offered;
	balloon_destroy(b);
	fix_fini(&f);
	return bits;
}

START_TEST(features_follow_the_configuration)
{
	const uint64_t core = VIRTIO_FEATURE(VIRTIO_F_BIT_VERSION_1) |
			      VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX) |
			      VIRTIO_FEATURE(VIRTIO_F_BIT_INDIRECT_DESC);

	ck_assert_uint_eq(offered_by((struct balloon_config){0}), core);
	ck_assert_uint_eq(offered_by((struct balloon_config){.must_tell_host = true}),
			  core | 1);
	ck_assert_uint_eq(offered_by((struct balloon_config){.stats = true}), core | 2);
	ck_assert_uint_eq(offered_by((struct balloon_config){.deflate_on_oom = true}),
			  core | 4);
	ck_assert_uint_eq(offered_by((struct balloon_config){.poison = true}), core | 16);
	ck_assert_uint_eq(offered_by((struct balloon_config){.reporting = REPORTING_ON}),
			  core | 32);
	balloon_destroy(NULL);
}
END_TEST

START_TEST(identity)
{
	fix_init(&f, 0);
	ck_assert_uint_eq(drv_read(&f.mmio, VIRTIO_MMIO_DEVICE_ID), 5);
	for (uint32_t q = 0; q < BALLOON_NVQ + 1; q++) {
		drv_write(&f.mmio, VIRTIO_MMIO_QUEUE_SEL, q);
		ck_assert(!!drv_read(&f.mmio, VIRTIO_MMIO_QUEUE_NUM_MAX) == (q < BALLOON_NVQ));
	}
	fix_fini(&f);
}
END_TEST

START_TEST(target_needs_a_driver)
{
	fix_init(&f, 0);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(10)), -ENOTCONN);
	fix_prepare(&f, EVERYTHING);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(10)), -ENOTCONN);
	ck_assert(drv_ok(&f.mmio));
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(10)), 0);
	drv_write(&f.mmio, VIRTIO_MMIO_STATUS, drv_status(&f.mmio) | VIRTIO_S_FAILED);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(20)), -ENOTCONN);
	ck_assert_uint_eq(fix_query(&f).target, PAGES(10));
	fix_fini(&f);
}
END_TEST

START_TEST(target_range)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(RAM_PAGES)), -ERANGE);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(RAM_PAGES) - 1), -ERANGE);
	ck_assert_int_eq(balloon_set_target(f.b, 1), -ERANGE);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(1ull << 32)), -ERANGE);
	ck_assert_int_eq(balloon_set_target(f.b, UINT64_MAX), -ERANGE);
	ck_assert_uint_eq(fix_query(&f).target, 0);
	ck_assert_uint_eq(fix_query(&f).interrupts, 0);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(RAM_PAGES - 1)), 0);
	ck_assert_uint_eq(lx_read_target(&f), RAM_PAGES - 1);
	fix_fini(&f);
}
END_TEST

START_TEST(target_interrupts_every_time)
{
	uint32_t gen;

	fix_init(&f, 0);
	fix_up(&f);
	for (unsigned i = 0; i < 2; i++) {
		gen = drv_read(&f.mmio, VIRTIO_MMIO_CONFIG_GENERATION);
		ck_assert_int_eq(balloon_set_target(f.b, PAGES(10)), 0);
		ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
		ck_assert_uint_ne(drv_read(&f.mmio, VIRTIO_MMIO_CONFIG_GENERATION), gen);
		ck_assert(fd_drain(f.irq.fd));
	}
	fix_fini(&f);
}
END_TEST

START_TEST(target_when_latched)
{
	fix_init(&f, 0);
	fix_up(&f);
	ring_add(&f.ring[0], &(struct ring_buf){PFNS_GPA, 1, false}, 1);
	fix_kick(&f, 0);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(10)), -EIO);
	ck_assert(fix_query(&f).needs_reset);
	ck_assert(fix_query(&f).driver);
	ck_assert_uint_eq(fix_query(&f).violations, 1);
	fix_fini(&f);
}
END_TEST

START_TEST(initial_target)
{
	fix_init(&f, PAGES(400));
	ck_assert_uint_eq(fix_query(&f).target, PAGES(400));
	ck_assert_int_eq(state(), BALLOON_IDLE);
	fix_up(&f);
	ck_assert_int_eq(state(), BALLOON_INFLATING);
	lx_work(&f);
	ck_assert_int_eq(state(), BALLOON_REACHED);
	ck_assert_uint_eq(fix_query(&f).ballooned, PAGES(400));
	fix_fini(&f);
}
END_TEST

START_TEST(states)
{
	fix_init(&f, 0);
	ck_assert(!fix_query(&f).driver);
	ck_assert_int_eq(state(), BALLOON_IDLE);
	fix_up(&f);
	ck_assert(fix_query(&f).driver);
	ck_assert_uint_eq(fix_query(&f).features,
			  EVERYTHING | VIRTIO_FEATURE(VIRTIO_F_BIT_VERSION_1));
	ck_assert_int_eq(state(), BALLOON_IDLE);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(600)), 0);
	ck_assert_int_eq(state(), BALLOON_INFLATING);
	lx_work(&f);
	ck_assert_int_eq(state(), BALLOON_REACHED);
	ck_assert_int_eq(balloon_set_target(f.b, 0), 0);
	ck_assert_int_eq(state(), BALLOON_DEFLATING);
	lx_work(&f);
	ck_assert_int_eq(state(), BALLOON_REACHED);
	drv_reset(&f.mmio);
	ck_assert_int_eq(state(), BALLOON_IDLE);
	fix_fini(&f);
}
END_TEST

START_TEST(stall)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(600)), 0);
	ck_assert(lx_work_once(&f));
	usleep((BALLOON_STALL_MS - 500) * 1000);
	ck_assert_int_eq(state(), BALLOON_INFLATING);
	usleep(600 * 1000);
	ck_assert_int_eq(state(), BALLOON_STALLED);
	ck_assert_int_ge(fix_query(&f).progress_age_ms, BALLOON_STALL_MS);
	/* Out of puff: the driver writes what it has, which is no progress. */
	lx_update_balloon_size(&f);
	ck_assert_int_eq(state(), BALLOON_STALLED);
	lx_fill_balloon(&f, 1);
	ck_assert_int_eq(state(), BALLOON_INFLATING);
	usleep((BALLOON_STALL_MS + 50) * 1000);
	ck_assert_int_eq(state(), BALLOON_STALLED);
	/* A new target is a new chance. */
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(100)), 0);
	ck_assert_int_eq(state(), BALLOON_DEFLATING);
	fix_fini(&f);
}
END_TEST

START_TEST(a_latched_device_is_stalled)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(600)), 0);
	ring_add(&f.ring[0], &(struct ring_buf){PFNS_GPA, 1, false}, 1);
	fix_kick(&f, 0);
	ck_assert_int_eq(state(), BALLOON_STALLED);
	fix_fini(&f);
}
END_TEST

START_TEST(state_names)
{
	ck_assert_str_eq(balloon_state_name(BALLOON_IDLE), "idle");
	ck_assert_str_eq(balloon_state_name(BALLOON_INFLATING), "inflating");
	ck_assert_str_eq(balloon_state_name(BALLOON_DEFLATING), "deflating");
	ck_assert_str_eq(balloon_state_name(BALLOON_STALLED), "stalled");
	ck_assert_str_eq(balloon_state_name(BALLOON_REACHED), "reached");
}
END_TEST

START_TEST(change_is_signalled_once)
{
	uint64_t n;

	fix_init(&f, 0);
	fix_up(&f);
	ck_assert(!fd_drain(f.change_fd));
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(1000)), 0);
	ck_assert(!fd_drain(f.change_fd));
	lx_work(&f);
	/* Four changes, one write. */
	ck_assert_int_eq(read(f.change_fd, &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, 1);
	lx_fill_balloon(&f, 1);
	lx_update_balloon_size(&f);
	ck_assert(!fd_drain(f.change_fd));
	balloon_change_taken(f.b);
	lx_update_balloon_size(&f); /* the same number */
	ck_assert(!fd_drain(f.change_fd));
	lx_fill_balloon(&f, 1);
	lx_update_balloon_size(&f);
	ck_assert(fd_drain(f.change_fd));
	balloon_change_taken(f.b);
	drv_reset(&f.mmio);
	ck_assert(fd_drain(f.change_fd));
	balloon_change_taken(f.b);
	drv_reset(&f.mmio);
	ck_assert(!fd_drain(f.change_fd));
	fix_fini(&f);
}
END_TEST

START_TEST(progress)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(fix_query(&f).progress_age_ms, -1);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(1)), 0);
	ck_assert_int_eq(fix_query(&f).progress_age_ms, -1);
	lx_work(&f);
	ck_assert_int_ge(fix_query(&f).progress_age_ms, 0);
	usleep(500000);
	ck_assert_int_ge(fix_query(&f).progress_age_ms, 500);
	/* Inflating again what is ballooned changes nothing. */
	fix_tell(&f, BALLOON_VQ_INFLATE, (const uint32_t[]){DATA_PFN}, 1);
	ck_assert_int_ge(fix_query(&f).progress_age_ms, 500);
	fix_tell(&f, BALLOON_VQ_DEFLATE, (const uint32_t[]){DATA_PFN}, 1);
	ck_assert_int_lt(fix_query(&f).progress_age_ms, 500);
	fix_fini(&f);
}
END_TEST

START_TEST(reboot_keeps_the_target_and_drops_the_rest)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, PAGES(600)), 0);
	lx_work(&f);
	virtio_mmio_reset(&f.mmio);
	ck_assert_uint_eq(fix_query(&f).actual, 0);
	ck_assert_uint_eq(fix_query(&f).ballooned, 0);
	ck_assert_uint_eq(fix_query(&f).target, PAGES(600));
	ck_assert_uint_eq(fix_query(&f).features, 0);
	ck_assert_uint_eq(drv_config_read(&f.mmio, 4, 4), 0);
	fix_up(&f);
	lx_work(&f);
	ck_assert_uint_eq(fix_query(&f).actual, PAGES(600));
	ck_assert_uint_eq(fix_query(&f).reclaim.pages.double_inflates, 0);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon", features_follow_the_configuration, identity, target_needs_a_driver,
	  target_range, target_interrupts_every_time, target_when_latched, initial_target,
	  states, stall, a_latched_device_is_stalled, state_names, change_is_signalled_once,
	  progress, reboot_keeps_the_target_and_drops_the_rest)
