// SPDX-License-Identifier: Apache-2.0
/* The hint queue: which one it is, how much it carries, and what was in it before. */
#include "tests/unit/balloon_hint_fixture.h"
#include "vmm/base/size.h"

static struct fixture f;

#define STATS	VIRTIO_FEATURE(BALLOON_F_BIT_STATS_VQ)
#define REPORTS VIRTIO_FEATURE(BALLOON_F_BIT_REPORTING)
#define EVENTS	VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX)
#define REP	BALLOON_VQ_REPORTING

/* ---- where it is ---- */

START_TEST(sizes)
{
	static const uint32_t max[] = {32, 32, 256, 256, 32, 0};

	fix_hints_init(&f);
	for (uint32_t q = 0; q < sizeof(max) / sizeof(max[0]); q++) {
		drv_write(&f.mmio, VIRTIO_MMIO_QUEUE_SEL, q);
		ck_assert_uint_eq(drv_read(&f.mmio, VIRTIO_MMIO_QUEUE_NUM_MAX), max[q]);
	}
	fix_fini(&f);
}
END_TEST

/* By the standard's numbers, all five or only those that have a use. */
static void driver_of_the_standard(uint64_t features, bool all)
{
	static const uint64_t needs[] = {0, 0, STATS, HINTS, REPORTS};

	ck_assert(drv_negotiate(&f.mmio, features));
	for (unsigned q = 0; q < BALLOON_NVQ; q++) {
		ring_init(&f.ring[q], &f.mem, q == HINT ? HINTS_GPA : RING_GPA(q),
			  q == HINT ? 256 : 32, true);
		f.number[q] = q;
		if (all || !needs[q] || features & needs[q])
			ck_assert(drv_queue(&f.mmio, q, &f.ring[q]));
	}
	ck_assert(drv_ok(&f.mmio));
}

/* Each queue that was negotiated does what it is for, and hints can be had or not. */
static void check_queues(uint64_t features)
{
	struct balloon_stats stats;
	uint64_t age, seq;

	if (features & HINTS)
		fix_hint_whole(&f);
	else
		ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EOPNOTSUPP);
	if (features & REPORTS) {
		fix_report(&f, 1024, 4);
		fix_check_pages(&f, 1024, 1028, 0);
		memset(gmem_ptr(&f.mem, PAGE(1024), PAGE(4)), PATTERN, PAGE(4));
	}
	if (features & STATS) {
		/* One tag and its value, 10 bytes: free memory, as it happens 0. */
		static const uint8_t entry[10] = {4};

		ring_poke(&f.mem, STATS_GPA, entry, sizeof(entry));
		ring_add(&f.ring[BALLOON_VQ_STATS],
			 &(struct ring_buf){STATS_GPA, sizeof(entry), false}, 1);
		fix_kick(&f, BALLOON_VQ_STATS);
		ck_assert_int_eq(balloon_stats_get(f.b, &stats, &age, &seq), 0);
	}
	fix_tell(&f, BALLOON_VQ_INFLATE, (const uint32_t[]){DATA_PFN}, 1);
	fix_tell(&f, BALLOON_VQ_DEFLATE, (const uint32_t[]){DATA_PFN}, 1);
	ck_assert(!fix_latched(&f));
	ck_assert_uint_eq(fix_query(&f).violations, 0);
}

START_TEST(every_set_of_queues_in_every_numbering)
{
	for (unsigned set = 0; set < 8; set++) {
		const uint64_t features = EVENTS | (set & 1 ? STATS : 0) |
					  (set & 2 ? HINTS : 0) | (set & 4 ? REPORTS : 0);

		fix_hints_init(&f);
		fix_hints_driver(&f, features);
		check_queues(features);
		driver_of_the_standard(features, false);
		check_queues(features);
		driver_of_the_standard(features, true);
		check_queues(features);
		fix_fini(&f);
	}
}
END_TEST

START_TEST(a_queue_without_its_feature_serves_as_nothing)
{
	const struct ring_buf block = fix_block(FREE_PFN, 1);

	fix_hints_init(&f);
	driver_of_the_standard(EVERYTHING, true);
	ring_add(&f.ring[HINT], &block, 1);
	drv_kick(&f.mmio, HINT);
	ck_assert_uint_eq(ring_used_pending(&f.ring[HINT]), 0);
	ck_assert_uint_eq(fix_hint(&f).late_blocks, 0);
	fix_fini(&f);
}
END_TEST

/* The least that Linux works with: it keeps one place for its commands. */
START_TEST(a_queue_of_two)
{
	fix_hints_init(&f);
	fix_prepare(&f, HINTS);
	drv_write(&f.mmio, VIRTIO_MMIO_QUEUE_READY, 0);
	ring_init(&f.ring[HINT], &f.mem, HINTS_GPA, 2, false);
	ck_assert(drv_queue(&f.mmio, f.number[HINT], &f.ring[HINT]));
	ck_assert(drv_ok(&f.mmio));
	fix_hint_whole(&f);
	fix_fini(&f);
}
END_TEST

/* ---- what was in it before ---- */

/* Queued before the session, and not kicked: it's no answer to it, whatever it says. */
static void check_old(const struct ring_buf *msg, unsigned n, unsigned blocks)
{
	for (unsigned i = 0; i < n; i++)
		ring_add(&f.ring[HINT], &msg[i], 1);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), 0);
	ck_assert_uint_eq(ring_used_pending(&f.ring[HINT]), n);
	ck_assert_int_eq(fix_hint_state(&f), HINT_REQUESTED);
	ck_assert_uint_eq(fix_hint(&f).late_blocks, blocks);
	ck_assert_uint_eq(fix_hint(&f).stray_commands, n - blocks);
	ck_assert_int_eq(balloon_hint_end(f.b, HINT_CANCELLED), 0);
}

START_TEST(old_messages_are_of_no_session)
{
	struct ring_buf msg[3];

	fix_hints_up(&f);
	/* The id that the session is going to have. */
	msg[0] = fix_hint_command(&f, HINT_ID_FIRST);
	msg[1] = fix_block(FREE_PFN, FREE_PAGES);
	msg[2] = fix_hint_command(&f, HINT_ID_STOP);
	check_old(msg, 3, 1);
	ck_assert_uint_eq(fix_hint(&f).id, HINT_ID_FIRST);
	ring_needs_kick(&f.ring[HINT]);
	lx_hint_field(&f);
	fix_hint_whole(&f);
	fix_fini(&f);
}
END_TEST

START_TEST(an_old_start_that_is_open)
{
	struct ring_buf msg[2];
	uint32_t id;

	fix_hints_up(&f);
	msg[0] = fix_hint_command(&f, HINT_ID_FIRST);
	msg[1] = fix_block(FREE_PFN, FREE_PAGES);
	check_old(msg, 2, 1);
	/* Not this id, before its stop has come. */
	id = fix_hint(&f).id;
	ck_assert_uint_ne(id, HINT_ID_FIRST);
	ring_needs_kick(&f.ring[HINT]);
	lx_hint_command(&f, HINT_ID_STOP);
	lx_hint_field(&f);
	fix_hint_whole(&f);
	fix_fini(&f);
}
END_TEST

START_TEST(an_old_message_that_breaks_the_rules)
{
	fix_hints_up(&f);
	ring_add(&f.ring[HINT], &(struct ring_buf){ID_GPA, 5, false}, 1);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EIO);
	ck_assert(fix_latched(&f));
	ck_assert_int_eq(fix_hint_state(&f), HINT_NONE);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_STOP);
	fix_fini(&f);
}
END_TEST

/* A start that waits when a session is on isn't lost, either. */
START_TEST(too_much_asked_and_an_answer_waits)
{
	struct ring_buf msg;

	fix_hints_up(&f);
	fix_hint_start(&f);
	msg = fix_hint_command(&f, lx_hint_field(&f));
	ring_add(&f.ring[HINT], &msg, 1);
	ck_assert_int_eq(balloon_hint_start(f.b, LONG_NS), -EBUSY);
	ck_assert_int_eq(fix_hint_state(&f), HINT_RUNNING);
	ck_assert(fd_drain(f.hint_fd));
	fix_fini(&f);
}
END_TEST

/* ---- how much it carries ---- */

/* As Linux has them. All of memory but the first, which is in use. */
#define BLOCK  (4 * MIB)
#define BLOCKS 16384u

static const struct gmem_span big[] = {{0, 2 * GIB}, {4 * GIB, 62 * GIB}};

static struct ring_buf big_block(unsigned i)
{
	const uint64_t off = i * BLOCK;

	return (struct ring_buf){off < big[0].len ? off : off + big[1].gpa - big[0].len, BLOCK,
				 true};
}

static void big_up(void)
{
	const struct balloon_config cfg = {.must_tell_host = true, .hinting = true};

	memset(&f, 0, sizeof(f));
	/* Nobody touches it: without reserve and for the most part never there. */
	ck_assert_int_eq(gmem_create(&f.mem, big, 2, NULL), 0);
	fix_init_rest(&f, &cfg, NULL, RECLAIM_SYNC);
	fix_hints_driver(&f, HINTS | EVENTS | VIRTIO_FEATURE(BALLOON_F_BIT_MUST_TELL_HOST));
}

/* All blocks, in batches of so many for each kick; then all of them are in the set. */
static void send_all(unsigned batch)
{
	struct hintset *set;
	struct ring_buf b;

	big_up();
	fix_hint_start(&f);
	lx_hint_command(&f, lx_hint_field(&f));
	for (unsigned i = 1; i < BLOCKS;) {
		uint16_t head;
		uint32_t len;

		while (ring_used(&f.ring[HINT], &head, &len))
			;
		for (unsigned k = 0; k < batch && i < BLOCKS; k++) {
			b = big_block(i++);
			ring_add(&f.ring[HINT], &b, 1);
		}
		fix_kick(&f, HINT);
	}
	lx_hint_command(&f, HINT_ID_STOP);
	ck_assert_int_eq(fix_hint_state(&f), HINT_GUEST_DONE);
	ck_assert_uint_eq(fix_hint(&f).blocks, BLOCKS - 1);
	ck_assert_uint_eq(fix_hint(&f).bytes, (BLOCKS - 1) * BLOCK);
	ck_assert_uint_eq(fix_hint(&f).useless | fix_hint(&f).late_blocks, 0);
	set = balloon_hint_take(f.b);
	ck_assert_uint_eq(hintset_pages(set), (BLOCKS - 1) * (BLOCK / GMEM_PAGE_SIZE));
	ck_assert_int_eq(balloon_hint_end(f.b, HINT_FINISHED), 0);
	hintset_destroy(set);
	fix_fini(&f);
}

START_TEST(a_kick_for_each_block)
{
	send_all(1);
}
END_TEST

START_TEST(a_kick_for_a_full_queue)
{
	send_all(256);
}
END_TEST

/* Several blocks in a chain: the standard doesn't say that they come alone. */
START_TEST(a_kick_for_a_long_chain)
{
	struct ring_buf b[32];

	big_up();
	fix_hint_start(&f);
	lx_hint_command(&f, lx_hint_field(&f));
	for (unsigned i = 0; i < 32; i++)
		b[i] = big_block(100 + i);
	lx_hint_send(&f, b, 32);
	ck_assert_uint_eq(fix_hint(&f).blocks, 32);
	ck_assert_uint_eq(fix_hint(&f).bytes, 32 * BLOCK);
	fix_fini(&f);
}
END_TEST

/* They bound the work of a kick: the largest that Linux has is half of that. */
START_TEST(giants)
{
	big_up();
	fix_hint_start(&f);
	lx_hint_command(&f, lx_hint_field(&f));
	lx_hint_send(&f, &(struct ring_buf){4 * GIB, 2 * GIB, true}, 1);
	lx_hint_send(&f, &(struct ring_buf){4 * GIB, GIB + 1, true}, 1);
	ck_assert_uint_eq(fix_hint(&f).useless, 2);
	ck_assert_uint_eq(fix_hint(&f).bytes, 0);
	lx_hint_send(&f, &(struct ring_buf){4 * GIB, GIB, true}, 1);
	ck_assert_uint_eq(fix_hint(&f).bytes, GIB);
	ck_assert(!fix_latched(&f));
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_hint_queue", sizes, every_set_of_queues_in_every_numbering,
	  a_queue_without_its_feature_serves_as_nothing, a_queue_of_two,
	  old_messages_are_of_no_session, an_old_start_that_is_open,
	  an_old_message_that_breaks_the_rules, too_much_asked_and_an_answer_waits,
	  a_kick_for_each_block, a_kick_for_a_full_queue, a_kick_for_a_long_chain, giants)
