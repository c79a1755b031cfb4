// SPDX-License-Identifier: Apache-2.0
/* The statistics queue: devices/balloon/balloon_stats.c. */
#include <errno.h>
#include <unistd.h>

#include "tests/unit/balloon_fixture.h"

static struct fixture f;

#define STATS BALLOON_VQ_STATS

/* update_balloon_stats() and the buffer: one entry with tag 4 (free). No kick. */
static void queue_stats(uint64_t free_bytes)
{
	uint8_t entry[BALLOON_STATS_ENTRY] = {4, 0};
	struct ring_buf buf = {STATS_GPA, sizeof(entry), false};

	for (unsigned i = 0; i < 8; i++)
		entry[2 + i] = (uint8_t)(free_bytes >> 8 * i);
	ring_poke(&f.mem, STATS_GPA, entry, sizeof(entry));
	ring_add(&f.ring[STATS], &buf, 1);
}

/* stats_handle_request(): take the buffer back, fill it, queue it, kick. */
static void answer(uint64_t free_bytes)
{
	fix_expect_used(&f, STATS);
	queue_stats(free_bytes);
	fix_kick(&f, STATS);
}

static void check_free(uint64_t free_bytes, uint64_t seq)
{
	struct balloon_stats s;
	uint64_t age, n;

	ck_assert_int_eq(balloon_stats_get(f.b, &s, &age, &n), 0);
	ck_assert_uint_eq(s.present, 1u << 4);
	ck_assert_uint_eq(s.value[4], free_bytes);
	ck_assert_uint_eq(n, seq);
	ck_assert_uint_lt(age, 30000);
}

static int get_rc(void)
{
	struct balloon_stats s;
	uint64_t age, seq;

	return balloon_stats_get(f.b, &s, &age, &seq);
}

/* Linux primes the queue, kick and all, before DRIVER_OK. */
static void up_primed(uint64_t free_bytes)
{
	fix_prepare(&f, EVERYTHING);
	queue_stats(free_bytes);
	fix_kick(&f, STATS);
	ck_assert_int_eq(balloon_stats_request(f.b), -ENOTCONN);
	ck_assert(drv_ok(&f.mmio));
}

START_TEST(primed_before_driver_ok)
{
	fix_init(&f, 0);
	ck_assert_int_eq(get_rc(), -ENODATA);
	up_primed(111);
	check_free(111, 1);
	ck_assert_uint_eq(ring_used_pending(&f.ring[STATS]), 0);
	ck_assert_int_eq(balloon_stats_request(f.b), 0);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_QUEUE);
	ck_assert_int_eq(balloon_stats_request(f.b), -EINPROGRESS);
	check_free(111, 1);
	answer(222);
	check_free(222, 2);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(primed_after_driver_ok)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_stats_request(f.b), -EINPROGRESS);
	ck_assert_int_eq(get_rc(), -ENODATA);
	queue_stats(333);
	fix_kick(&f, STATS);
	check_free(333, 1);
	for (uint64_t i = 2; i < 100; i++) {
		ck_assert_int_eq(balloon_stats_request(f.b), 0);
		answer(1000 * i);
		check_free(1000 * i, i);
	}
	fix_fini(&f);
}
END_TEST

START_TEST(age_grows)
{
	struct balloon_stats s;
	uint64_t age, seq;

	fix_init(&f, 0);
	up_primed(1);
	usleep(30000);
	ck_assert_int_eq(balloon_stats_get(f.b, &s, &age, &seq), 0);
	ck_assert_uint_ge(age, 30);
	fix_fini(&f);
}
END_TEST

START_TEST(without_a_driver_or_the_feature)
{
	fix_init(&f, 0);
	ck_assert_int_eq(balloon_stats_request(f.b), -ENOTCONN);
	fix_prepare(&f, VIRTIO_FEATURE(BALLOON_F_BIT_MUST_TELL_HOST));
	/* The queue can be set up all the same; what is in it isn't looked at. */
	ring_init(&f.ring[STATS], &f.mem, RING_GPA(STATS), 32, false);
	ck_assert(drv_queue(&f.mmio, STATS, &f.ring[STATS]));
	ck_assert(drv_ok(&f.mmio));
	ck_assert_int_eq(balloon_stats_request(f.b), -EOPNOTSUPP);
	queue_stats(5);
	drv_kick(&f.mmio, STATS);
	ck_assert_int_eq(get_rc(), -ENODATA);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(reset_drops_the_buffer)
{
	fix_init(&f, 0);
	up_primed(7);
	drv_reset(&f.mmio);
	ck_assert_int_eq(balloon_stats_request(f.b), -ENOTCONN);
	ck_assert_int_eq(get_rc(), -ENODATA);
	fix_up(&f);
	/* Returning the old one would be a descriptor the new driver never gave. */
	ck_assert_int_eq(balloon_stats_request(f.b), -EINPROGRESS);
	ck_assert_uint_eq(ring_used_pending(&f.ring[STATS]), 0);
	queue_stats(8);
	fix_kick(&f, STATS);
	check_free(8, 2);
	fix_fini(&f);
}
END_TEST

START_TEST(second_buffer_latches)
{
	fix_init(&f, 0);
	up_primed(1);
	queue_stats(2);
	fix_kick(&f, STATS);
	ck_assert(fix_latched(&f));
	ck_assert_int_eq(balloon_stats_request(f.b), -EIO);
	ck_assert_uint_eq(ring_used_pending(&f.ring[STATS]), 0);
	check_free(1, 1);
	up_primed(3);
	ck_assert(!fix_latched(&f));
	check_free(3, 2);
	fix_fini(&f);
}
END_TEST

START_TEST(two_buffers_at_driver_ok_latch)
{
	fix_init(&f, 0);
	fix_prepare(&f, EVERYTHING);
	queue_stats(1);
	queue_stats(2);
	drv_ok(&f.mmio);
	ck_assert(fix_latched(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(writable_buffer_latches)
{
	fix_init(&f, 0);
	fix_up(&f);
	ring_add(&f.ring[STATS], &(struct ring_buf){STATS_GPA, 100, true}, 1);
	fix_kick(&f, STATS);
	ck_assert(fix_latched(&f));
	ck_assert_int_eq(get_rc(), -ENODATA);
	fix_fini(&f);
}
END_TEST

START_TEST(broken_ring_latches)
{
	fix_init(&f, 0);
	fix_up(&f);
	ring_add(&f.ring[STATS], &(struct ring_buf){(uint64_t)LOW_PAGES << 12, 10, false}, 1);
	fix_kick(&f, STATS);
	ck_assert(fix_latched(&f));
	fix_fini(&f);
}
END_TEST

/* Longer than anything known, in segments that cut entries: the front part is read. */
START_TEST(long_and_in_segments)
{
	const uint32_t len = (BALLOON_STATS_MAX_ENTRIES + 100) * BALLOON_STATS_ENTRY;
	const struct ring_buf buf[] = {{STATS_GPA, 3, false},
				       {STATS_GPA + 3, 2000, false},
				       {STATS_GPA + 2003, len - 2003, false}};
	struct balloon_stats s;
	uint64_t age, seq;
	uint8_t *p;

	fix_init(&f, 0);
	fix_up(&f);
	p = gmem_ptr(&f.mem, STATS_GPA, len);
	memset(p, 0xff, len);
	memcpy(p + 200 * BALLOON_STATS_ENTRY, "\6\0\1\2\3\4\5\6\7\10", BALLOON_STATS_ENTRY);
	memcpy(p + 300 * BALLOON_STATS_ENTRY, "\7\0\1\2\3\4\5\6\7\10", BALLOON_STATS_ENTRY);
	ring_add(&f.ring[STATS], buf, 3);
	fix_kick(&f, STATS);
	ck_assert_int_eq(balloon_stats_get(f.b, &s, &age, &seq), 0);
	ck_assert_uint_eq(s.present, 1u << 6);
	ck_assert_uint_eq(s.value[6], 0x0807060504030201ull);
	ck_assert_uint_eq(s.unknown, BALLOON_STATS_MAX_ENTRIES - 1);
	fix_fini(&f);
}
END_TEST

START_TEST(interval)
{
	fix_init(&f, 0);
	ck_assert_uint_eq(balloon_stats_interval(f.b), 3);
	balloon_set_stats_interval(f.b, 0);
	ck_assert_uint_eq(balloon_stats_interval(f.b), 0);
	fix_up(&f);
	drv_reset(&f.mmio);
	ck_assert_uint_eq(balloon_stats_interval(f.b), 0);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_stats", primed_before_driver_ok, primed_after_driver_ok, age_grows,
	  without_a_driver_or_the_feature, reset_drops_the_buffer, second_buffer_latches,
	  two_buffers_at_driver_ok_latch, writable_buffer_latches, broken_ring_latches,
	  long_and_in_segments, interval)
