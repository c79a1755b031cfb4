// SPDX-License-Identifier: Apache-2.0
/* Sessions of free page hints, from their beginnings to their ends: balloon_hint.c. */
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/balloon_hint_fixture.h"

static struct fixture f;

static const enum hint_state on[] = {HINT_REQUESTED, HINT_RUNNING, HINT_GUEST_DONE};
#define NON (sizeof(on) / sizeof(on[0]))

/* The session has ended this way just now, and the owner and the guest were told. */
static void check_end(enum hint_state state, enum hint_why why)
{
	ck_assert_int_eq(fix_hint_state(&f), state);
	ck_assert_int_eq(fix_hint(&f).why, why);
	ck_assert(fd_drain(f.hint_fd));
	ck_assert_ptr_null(balloon_hint_take(f.b));
	for (unsigned how = HINT_FINISHED; how <= HINT_FAILED; how++)
		ck_assert_int_eq(balloon_hint_end(f.b, (enum hint_state)how), -EINVAL);
	ck_assert_int_eq(fix_hint_state(&f), state);
	ck_assert(!fd_drain(f.hint_fd));
	fix_check_pages(&f, DATA_PFN, LOW_PAGES, PATTERN);
}

START_TEST(a_session)
{
	struct hintset *set;
	uint64_t before, s, n, at = 0;
	uint32_t id;

	fix_hints_up(&f);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_STOP);
	ck_assert_int_eq(fix_hint_state(&f), HINT_NONE);
	before = fix_query(&f).interrupts;

	fix_hint_start(&f);
	ck_assert_int_eq(fix_hint_state(&f), HINT_REQUESTED);
	ck_assert(!fix_hint(&f).seen);
	id = lx_hint_field(&f);
	ck_assert_uint_ge(id, HINT_ID_FIRST);
	ck_assert_uint_eq(fix_hint(&f).id, id);
	ck_assert(fix_hint(&f).seen);

	lx_hint_command(&f, id);
	ck_assert_int_eq(fix_hint_state(&f), HINT_RUNNING);
	ck_assert(fd_drain(f.hint_fd));
	lx_hint_block(&f, FREE_PFN, 256);
	lx_hint_block(&f, HIGH_PFN + 10, 20);
	ck_assert(!fd_drain(f.hint_fd));
	ck_assert_ptr_null(balloon_hint_take(f.b));

	lx_hint_command(&f, HINT_ID_STOP);
	ck_assert_int_eq(fix_hint_state(&f), HINT_GUEST_DONE);
	ck_assert(fd_drain(f.hint_fd));
	ck_assert_uint_eq(lx_hint_field(&f), id);
	ck_assert_uint_eq(fix_hint(&f).blocks, 2);
	ck_assert_uint_eq(fix_hint(&f).bytes, PAGE(276));
	ck_assert_uint_eq(fix_query(&f).hint.bytes, PAGE(276));

	set = balloon_hint_take(f.b);
	ck_assert_ptr_nonnull(set);
	ck_assert_ptr_null(balloon_hint_take(f.b));
	ck_assert(hintset_next(set, &at, 4096, false, &s, &n));
	ck_assert(s == FREE_PFN && n == 256);
	ck_assert(hintset_next(set, &at, 4096, false, &s, &n));
	ck_assert(s == LOW_PAGES + 10 && n == 20);
	ck_assert(!hintset_next(set, &at, 4096, false, &s, &n));
	hintset_destroy(set);
	ck_assert_uint_eq(lx_hint_field(&f), id);

	/*
	 * One interrupt for the id. One for the first used buffer: Linux asks for none, but
	 * event idx has no way to say that.
	 */
	ck_assert_uint_eq(fix_query(&f).interrupts, before + 2);
	drv_take_isr(&f.mmio);
	ck_assert_int_eq(balloon_hint_end(f.b, HINT_FINISHED), 0);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(fix_query(&f).interrupts, before + 3);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	check_end(HINT_FINISHED, HINT_WHY_NONE);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

/* Linux reads the field after every config interrupt. */
START_TEST(a_resize_changes_nothing)
{
	uint32_t id;

	fix_hints_up(&f);
	for (unsigned i = 0; i < NON; i++) {
		fix_hint_reach(&f, on[i]);
		id = fix_hint(&f).id;
		ck_assert_int_eq(balloon_set_target(f.b, PAGE(i % 2 ? 0 : 300)), 0);
		ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
		ck_assert_uint_eq(lx_hint_field(&f), id);
		lx_work(&f);
		ck_assert_uint_eq(lx_hint_field(&f), id);
		ck_assert_int_eq(fix_hint_state(&f), on[i]);
		ck_assert_int_eq(balloon_hint_end(f.b, HINT_CANCELLED), 0);
		lx_hint_command(&f, HINT_ID_STOP);
		ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	}
	fix_fini(&f);
}
END_TEST

START_TEST(ends_by_the_host)
{
	for (unsigned how = HINT_FINISHED; how <= HINT_FAILED; how++) {
		for (unsigned i = 0; i < NON; i++) {
			bool refused = how == HINT_FINISHED && on[i] == HINT_REQUESTED;

			fix_hints_up(&f);
			fix_hint_reach(&f, on[i]);
			ck_assert_int_eq(balloon_hint_end(f.b, (enum hint_state)how),
					 refused ? -EINVAL : 0);
			if (refused) {
				ck_assert_int_eq(fix_hint_state(&f), on[i]);
				ck_assert_uint_eq(lx_hint_field(&f), fix_hint(&f).id);
			} else {
				ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
				ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
				check_end((enum hint_state)how,
					  how == HINT_FAILED ? HINT_WHY_HOST : HINT_WHY_NONE);
			}
			fix_fini(&f);
		}
	}
}
END_TEST

/* With the set in the owner's hands the session's end is no matter of it. */
START_TEST(a_set_outlives_its_session)
{
	struct hintset *set;

	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_GUEST_DONE);
	set = balloon_hint_take(f.b);
	drv_reset(&f.mmio);
	check_end(HINT_FAILED, HINT_WHY_RESET);
	fix_hints_driver(&f, EVERYTHING | HINTS);
	fix_hint_whole(&f);
	fix_fini(&f);
	hintset_destroy(set);
}
END_TEST

/* ---- resets ---- */

/* 0: the driver's; 1: the machine's. */
static void reset(unsigned who)
{
	if (who)
		virtio_mmio_reset(&f.mmio);
	else
		drv_reset(&f.mmio);
}

START_TEST(a_reset_ends_a_session)
{
	for (unsigned i = 0; i < 2 * NON; i++) {
		uint32_t id;

		fix_hints_up(&f);
		fix_hint_reach(&f, on[i / 2]);
		id = fix_hint(&f).id;
		reset(i % 2);
		ck_assert(drv_negotiate(&f.mmio, EVERYTHING | HINTS));
		ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_STOP);
		ck_assert_uint_eq(drv_take_isr(&f.mmio), 0);
		check_end(HINT_FAILED, HINT_WHY_RESET);
		ck_assert(!fix_hint(&f).pinned);
		ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -ENOTCONN);
		fix_hints_driver(&f, EVERYTHING | HINTS);
		ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_STOP);
		fix_hint_whole(&f);
		ck_assert_uint_ne(fix_hint(&f).id, id);
		fix_fini(&f);
	}
}
END_TEST

/* What is over stays as it is, and the field says STOP. */
START_TEST(a_reset_between_sessions)
{
	fix_hints_up(&f);
	fix_hint_whole(&f);
	fd_drain(f.hint_fd);
	drv_reset(&f.mmio);
	ck_assert(!fd_drain(f.hint_fd));
	ck_assert_int_eq(fix_hint_state(&f), HINT_FINISHED);
	fix_hints_driver(&f, EVERYTHING | HINTS);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_STOP);
	fix_hint_whole(&f);
	fix_fini(&f);
}
END_TEST

/* The next driver is kexec's, or hostile: what it queues before DRIVER_OK is of no session. */
START_TEST(a_second_driver)
{
	struct ring_buf msg[3];
	uint32_t id;

	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	id = fix_hint(&f).id;
	fix_prepare(&f, EVERYTHING | HINTS);
	msg[0] = fix_hint_command(&f, id);
	msg[1] = fix_block(FREE_PFN, FREE_PAGES);
	msg[2] = fix_hint_command(&f, HINT_ID_STOP);
	for (unsigned i = 0; i < 3; i++)
		ring_add(&f.ring[HINT], &msg[i], 1);
	ck_assert(drv_ok(&f.mmio));
	ck_assert_uint_eq(ring_used_pending(&f.ring[HINT]), 3);
	ck_assert(!fix_latched(&f));
	ck_assert_uint_eq(fix_hint(&f).stray_commands, 2);
	ck_assert_uint_eq(fix_hint(&f).late_blocks, 1);
	check_end(HINT_FAILED, HINT_WHY_RESET);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_STOP);
	ring_needs_kick(&f.ring[HINT]);
	fix_hint_whole(&f);
	fix_fini(&f);
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(another_queue_breaks_the_device)
{
	for (unsigned i = 0; i < NON; i++) {
		fix_hints_up(&f);
		fix_hint_reach(&f, on[i]);
		ring_add(&f.ring[0], &(struct ring_buf){PFNS_GPA, 3, false}, 1);
		fix_kick(&f, 0);
		ck_assert(fix_latched(&f));
		check_end(HINT_FAILED, HINT_WHY_PROTOCOL);
		ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
		ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EIO);
		fix_hints_driver(&f, EVERYTHING | HINTS);
		fix_hint_whole(&f);
		fix_fini(&f);
	}
}
END_TEST

START_TEST(the_time_is_up)
{
	fix_hints_up(&f);
	ck_assert_int_eq(balloon_hint_start(f.b, 1), 0);
	check_end(HINT_FAILED, HINT_WHY_NO_ANSWER);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);

	fix_hint_reach(&f, HINT_RUNNING);
	balloon_hint_defer(f.b, 1);
	check_end(HINT_FAILED, HINT_WHY_NO_STOP);
	/* The guest may yet hint into the void; it gets an answer to its stop. */
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EAGAIN);
	lx_hint_command(&f, HINT_ID_STOP);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);

	/* Then it's the host's turn, however long that takes. */
	fix_hint_reach(&f, HINT_GUEST_DONE);
	balloon_hint_defer(f.b, 1);
	ck_assert_int_eq(fix_hint_state(&f), HINT_GUEST_DONE);
	fix_fini(&f);
}
END_TEST

/* A message, too, has the time looked at. */
START_TEST(too_late_a_start)
{
	fix_hints_up(&f);
	ck_assert_int_eq(balloon_hint_start(f.b, 1), 0);
	lx_hint_command(&f, lx_hint_field(&f));
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	ck_assert_int_eq(fix_query(&f).hint.state, HINT_FAILED);
	fix_fini(&f);
}
END_TEST

START_TEST(nobody_to_ask)
{
	fix_hints_init(&f);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -ENOTCONN);
	fix_prepare(&f, EVERYTHING | HINTS);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -ENOTCONN);
	ck_assert(drv_ok(&f.mmio));
	fix_hint_whole(&f);
	fix_hints_driver(&f, EVERYTHING);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EOPNOTSUPP);
	/* Accepted, and without a queue for it. */
	ck_assert(drv_negotiate(&f.mmio, EVERYTHING | HINTS));
	ck_assert(drv_ok(&f.mmio));
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EOPNOTSUPP);
	ck_assert_int_eq(fix_hint_state(&f), HINT_FINISHED);
	fix_fini(&f);

	/* Not offered. */
	fix_init(&f, 0);
	ck_assert(!drv_negotiate(&f.mmio, HINTS));
	fix_up(&f);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EOPNOTSUPP);
	fix_fini(&f);
}
END_TEST

START_TEST(one_at_a_time)
{
	for (unsigned i = 0; i < NON; i++) {
		uint32_t id;

		fix_hints_up(&f);
		fix_hint_reach(&f, on[i]);
		id = lx_hint_field(&f);
		ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EBUSY);
		ck_assert(!fd_drain(f.hint_fd));
		ck_assert_int_eq(fix_hint_state(&f), on[i]);
		ck_assert_uint_eq(lx_hint_field(&f), id);
		fix_fini(&f);
	}
}
END_TEST

/* A driver that hasn't read DONE holds its blocks, and wouldn't hint them again. */
START_TEST(not_before_the_guest_read_done)
{
	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_GUEST_DONE);
	ck_assert_int_eq(balloon_hint_end(f.b, HINT_FINISHED), 0);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(fix_hint(&f).pinned);
		ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EAGAIN);
		/* Parts of the field, or others, aren't it. */
		drv_config_read(&f.mmio, 0, 8);
		drv_config_read(&f.mmio, OFF_CMD_ID, 2);
		drv_config_read(&f.mmio, OFF_CMD_ID + 2, 2);
		drv_config_read(&f.mmio, OFF_CMD_ID + 3, 1);
	}
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	ck_assert(!fix_hint(&f).pinned);
	fix_hint_whole(&f);
	fix_fini(&f);
}
END_TEST

START_TEST(the_field_is_ours)
{
	uint32_t id;

	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	id = lx_hint_field(&f);
	drv_config_write(&f.mmio, OFF_CMD_ID, 4, 1);
	drv_config_write(&f.mmio, 4, 8, 0x100000000ull);
	ck_assert_uint_eq(lx_hint_field(&f), id);
	ck_assert_int_eq(fix_hint_state(&f), HINT_RUNNING);
	fix_fini(&f);
}
END_TEST

/* Hints are the guest's memory, balloon pages aren't: neither gets to be the other. */
START_TEST(ballooned_pages_stay_ballooned)
{
	struct hintset *set;

	fix_hints_up(&f);
	fix_hint_start(&f);
	lx_hint_command(&f, lx_hint_field(&f));
	lx_hint_block(&f, DATA_PFN, 512);
	lx_fill_balloon(&f, 256);
	lx_hint_block(&f, DATA_PFN, 512);
	lx_hint_command(&f, HINT_ID_STOP);
	ck_assert_uint_eq(fix_hint(&f).bytes, PAGE(512));
	set = balloon_hint_take(f.b);
	ck_assert_int_eq(balloon_hint_end(f.b, HINT_FINISHED), 0);
	hintset_destroy(set);
	ck_assert_uint_eq(fix_query(&f).ballooned, PAGE(256));
	fix_check_pages(&f, DATA_PFN, DATA_PFN + 256, 0);
	fix_check_pages(&f, DATA_PFN + 256, DATA_PFN + 512, PATTERN);
	lx_leak_balloon(&f, 256);
	ck_assert_uint_eq(fix_query(&f).reclaim.pages.stray_deflates, 0);
	ck_assert_uint_eq(fix_query(&f).ballooned, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(taken_in_parts)
{
	uint64_t map[(RAM_PAGES + 63) / 64] = {0};
	struct hintset *set;

	fix_hints_up(&f);
	ck_assert_ptr_null(balloon_hint_take_part(f.b));
	fix_hint_start(&f);
	ck_assert_ptr_null(balloon_hint_take_part(f.b));
	lx_hint_command(&f, lx_hint_field(&f));
	lx_hint_block(&f, DATA_PFN, 100);
	set = balloon_hint_take_part(f.b);
	ck_assert_uint_eq(hintset_pages(set), 100);
	hintset_destroy(set);
	/* Once more, and one that is forgotten again. */
	lx_hint_block(&f, DATA_PFN, 100);
	map[DATA_PFN / 64] = 1;
	balloon_hint_forget(f.b, map);
	lx_hint_command(&f, HINT_ID_STOP);
	ck_assert_uint_eq(fix_hint(&f).bytes, PAGE(200));
	ck_assert_ptr_null(balloon_hint_take_part(f.b));
	set = balloon_hint_take(f.b);
	ck_assert_uint_eq(hintset_pages(set), 99);
	hintset_destroy(set);
	balloon_hint_forget(f.b, map);
	fix_fini(&f);
}
END_TEST

/* ---- at rest ---- */

static void *kick_from_elsewhere(void *opaque)
{
	(void)opaque;
	drv_kick(&f.mmio, f.number[HINT]);
	return NULL;
}

START_TEST(nothing_is_written_while_it_is_still)
{
	struct ring_buf block = fix_block(FREE_PFN, 1);
	pthread_t thread;

	fix_hints_up(&f);
	fix_hint_reach(&f, HINT_RUNNING);
	ring_add(&f.ring[HINT], &block, 1);
	balloon_still(f.b);
	ck_assert_int_eq(pthread_create(&thread, NULL, kick_from_elsewhere, NULL), 0);
	usleep(20000);
	ck_assert_uint_eq(ring_used_pending(&f.ring[HINT]), 1);
	balloon_go_on(f.b);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(ring_used_pending(&f.ring[HINT]), 2);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_hint", a_session, a_resize_changes_nothing, ends_by_the_host,
	  a_set_outlives_its_session, a_reset_ends_a_session, a_reset_between_sessions,
	  a_second_driver, another_queue_breaks_the_device, the_time_is_up, too_late_a_start,
	  nobody_to_ask, one_at_a_time, not_before_the_guest_read_done, the_field_is_ours,
	  ballooned_pages_stay_ballooned, taken_in_parts, nothing_is_written_while_it_is_still)
