// SPDX-License-Identifier: Apache-2.0
/* What a driver may do wrong on the hint queue: what latches the device, and what is ignored.
 */
#include "tests/unit/balloon_hint_fixture.h"

static struct fixture f;

static void add_and_kick(const struct ring_buf *buf, unsigned n)
{
	ring_add(&f.ring[HINT], buf, n);
	fix_kick(&f, HINT);
}

/* The device is as new after a reset. */
static void recover(void)
{
	drv_kick(&f.mmio, f.number[HINT]);
	ck_assert_uint_eq(fix_query(&f).violations, 1);
	fix_hints_driver(&f, EVERYTHING | HINTS);
	fix_hint_whole(&f);
	fix_fini(&f);
}

/* In a session the chain latches the device and fails the session; and without one. */
static void expect_violation(const struct ring_buf *buf, unsigned n)
{
	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	add_and_kick(buf, n);
	ck_assert(fix_latched(&f));
	ck_assert_uint_eq(drv_take_isr(&f.mmio) & VIRTIO_ISR_CONFIG, VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	ck_assert(fd_drain(f.hint_fd));
	ck_assert_int_eq(fix_query(&f).hint.state, HINT_FAILED);
	ck_assert_int_eq(fix_query(&f).hint.why, HINT_WHY_PROTOCOL);
	ck_assert_uint_eq(fix_query(&f).hint.bytes, PAGE(FREE_PAGES));
	ck_assert_int_eq(balloon_hint_end(f.b, HINT_CANCELLED), -EINVAL);
	fix_check_pages(&f, DATA_PFN, LOW_PAGES, PATTERN);
	recover();

	fix_hints_up(&f);
	add_and_kick(buf, n);
	ck_assert(fix_latched(&f));
	ck_assert_int_eq(fix_hint_state(&f), HINT_NONE);
	ck_assert(!fd_drain(f.hint_fd));
	recover();
}

#define VIOLATION(...)                                                                         \
	expect_violation((const struct ring_buf[]){__VA_ARGS__},                               \
			 sizeof((const struct ring_buf[]){__VA_ARGS__}) /                      \
				 sizeof(struct ring_buf))

START_TEST(a_command_and_a_block_in_one)
{
	VIOLATION({ID_GPA, 4, false}, {PAGE(512), 4096, true});
	VIOLATION({ID_GPA, 4, false}, {PAGE(512), 4, true});
	VIOLATION({ID_GPA, 3, false}, {PAGE(512), 4096, true});
	VIOLATION({PAGE(512), 4096, true}, {ID_GPA, 4, false});
}
END_TEST

START_TEST(commands_that_are_not_4_bytes)
{
	for (uint32_t len = 1; len < 10; len++) {
		if (len != 4)
			VIOLATION({ID_GPA, len, false});
	}
	VIOLATION({ID_GPA, 4, false}, {ID_GPA, 4, false});
	VIOLATION({ID_GPA, 2, false}, {ID_GPA + 2, 1, false});
	/* A block, in the wrong direction. */
	VIOLATION({PAGE(512), 4096, false});
	VIOLATION({0, LOW_PAGES * GMEM_PAGE_SIZE, false});
}
END_TEST

START_TEST(what_is_not_ram)
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
	VIOLATION({PAGE(512), 0, true});
	VIOLATION({PAGE(LOW_PAGES), 4, false});
	VIOLATION({PAGE(512), 4096, true}, {PAGE(LOW_PAGES), 4096, true});
}
END_TEST

START_TEST(long_chains)
{
	struct ring_buf buf[33];

	for (uint32_t i = 0; i < 33; i++)
		buf[i] = fix_block(1024 + i, 1);
	expect_violation(buf, 33);

	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	add_and_kick(buf, 32);
	ck_assert(!fix_latched(&f));
	ck_assert_uint_eq(fix_hint(&f).blocks, 1 + 32);
	fix_fini(&f);
}
END_TEST

START_TEST(more_than_a_full_queue)
{
	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	for (uint32_t i = 0; i < 200; i++)
		ring_put(&f.ring[HINT], (uint16_t)i);
	ring_set_idx(&f.ring[HINT], (uint16_t)(f.ring[HINT].idx + 57));
	drv_kick(&f.mmio, f.number[HINT]);
	ck_assert(fix_latched(&f));
	ck_assert_int_eq(fix_query(&f).hint.why, HINT_WHY_PROTOCOL);
	fix_fini(&f);
}
END_TEST

/* Every chain that was taken goes back, the odd one too; what is behind it stays. */
START_TEST(good_chains_before_a_bad_one)
{
	const struct ring_buf good = fix_block(1024, 4), bad = {ID_GPA, 5, false};

	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	ring_add(&f.ring[HINT], &good, 1);
	ring_add(&f.ring[HINT], &bad, 1);
	add_and_kick(&good, 1);
	ck_assert(fix_latched(&f));
	ck_assert_uint_eq(ring_used_pending(&f.ring[HINT]), 1 + 2);
	ck_assert_int_eq(fix_hint_state(&f), HINT_FAILED);
	ck_assert_ptr_null(balloon_hint_take(f.b));
	fix_fini(&f);
}
END_TEST

/* ---- odd, but in good faith, or of no use to anyone ---- */

START_TEST(parts_of_pages)
{
	fix_hints_up(&f);
	fix_hint_start(&f);
	lx_hint_command(&f, lx_hint_field(&f));
	add_and_kick(&(struct ring_buf){PAGE(512) + 1, 4096, true}, 1);
	add_and_kick(&(struct ring_buf){PAGE(512), 4095, true}, 1);
	add_and_kick(&(struct ring_buf){PAGE(512), 4, true}, 1);
	ck_assert_uint_eq(fix_hint(&f).useless, 3);
	ck_assert_uint_eq(fix_hint(&f).bytes, 0);
	/* Of this, the pages in the middle. */
	add_and_kick(&(struct ring_buf){PAGE(512) + 8, PAGE(3), true}, 1);
	ck_assert_uint_eq(fix_hint(&f).bytes, PAGE(2));
	ck_assert_int_eq(fix_hint_state(&f), HINT_RUNNING);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(replays)
{
	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	for (unsigned i = 0; i < 1000; i++)
		lx_hint_block(&f, FREE_PFN, FREE_PAGES);
	lx_hint_block(&f, FREE_PFN + 1, FREE_PAGES);
	ck_assert_uint_eq(fix_hint(&f).blocks, 2);
	ck_assert_uint_eq(fix_hint(&f).bytes, PAGE(FREE_PAGES + 1));
	ck_assert_uint_eq(fix_hint(&f).useless, 1000);
	/* The same start once more is nothing new; a second stop neither. */
	lx_hint_command(&f, lx_hint_field(&f));
	ck_assert_int_eq(fix_hint_state(&f), HINT_RUNNING);
	lx_hint_command(&f, HINT_ID_STOP);
	fd_drain(f.hint_fd);
	lx_hint_command(&f, HINT_ID_STOP);
	ck_assert_int_eq(fix_hint_state(&f), HINT_GUEST_DONE);
	ck_assert(!fd_drain(f.hint_fd));
	ck_assert_uint_eq(fix_hint(&f).stray_commands, 2);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

START_TEST(out_of_turn)
{
	struct hintset *set;

	fix_hints_up(&f);
	lx_hint_block(&f, FREE_PFN, 1);
	lx_hint_command(&f, HINT_ID_STOP);
	fix_hint_start(&f);
	/* Before the start, also after one with an id that was never there, DONE or the last.
	 */
	lx_hint_block(&f, FREE_PFN + 1, 1);
	lx_hint_command(&f, HINT_ID_STOP);
	lx_hint_command(&f, 0xdeadbeef);
	lx_hint_block(&f, FREE_PFN + 2, 1);
	lx_hint_command(&f, HINT_ID_DONE);
	lx_hint_block(&f, FREE_PFN + 3, 1);
	ck_assert_int_eq(fix_hint_state(&f), HINT_REQUESTED);
	ck_assert_uint_eq(fix_hint(&f).late_blocks, 4);
	ck_assert_uint_eq(fix_hint(&f).stray_commands, 4);
	lx_hint_command(&f, lx_hint_field(&f));
	lx_hint_block(&f, FREE_PFN + 4, 1);
	lx_hint_command(&f, HINT_ID_STOP);
	/* After the stop, whether the set was taken or not. */
	lx_hint_block(&f, FREE_PFN + 5, 1);
	lx_hint_command(&f, lx_hint_field(&f));
	lx_hint_block(&f, FREE_PFN + 6, 1);
	set = balloon_hint_take(f.b);
	lx_hint_block(&f, FREE_PFN + 7, 1);
	ck_assert_uint_eq(hintset_pages(set), 1);
	ck_assert_uint_eq(fix_hint(&f).bytes, PAGE(1));
	ck_assert_int_eq(balloon_hint_end(f.b, HINT_FINISHED), 0);
	lx_hint_block(&f, FREE_PFN + 8, 1);
	ck_assert_uint_eq(hintset_pages(set), 1);
	hintset_destroy(set);
	ck_assert_uint_eq(fix_hint(&f).late_blocks, 8);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

/* With a session of its own within ours: ours has failed, and the device is whole. */
START_TEST(another_id_within_a_session)
{
	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	lx_hint_command(&f, fix_hint(&f).id + 1);
	ck_assert(!fix_latched(&f));
	ck_assert_int_eq(fix_hint_state(&f), HINT_FAILED);
	ck_assert_int_eq(fix_hint(&f).why, HINT_WHY_PROTOCOL);
	ck_assert(fd_drain(f.hint_fd));
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	ck_assert_ptr_null(balloon_hint_take(f.b));
	/* It holds blocks until it has stopped, and read DONE once more. */
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EAGAIN);
	lx_hint_command(&f, HINT_ID_STOP);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EAGAIN);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	fix_hint_whole(&f);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_hint_violations", a_command_and_a_block_in_one,
	  commands_that_are_not_4_bytes, what_is_not_ram, long_chains, more_than_a_full_queue,
	  good_chains_before_a_bad_one, parts_of_pages, replays, out_of_turn,
	  another_id_within_a_session)
