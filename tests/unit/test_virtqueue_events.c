// SPDX-License-Identifier: Apache-2.0
/* Notifications both ways, the wrap of the indices, and a driver on another thread. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "tests/unit/vq_fixture.h"
#include "vmm/base/clock.h"

START_TEST(interrupt_by_flag)
{
	setup(NUM, false, false);
	ck_assert(!vq_need_interrupt(&vq)); /* nothing was pushed */
	add_one();
	add_one();
	pop_one();
	vq_push(&vq, chain.head, 0);
	ck_assert(vq_need_interrupt(&vq));
	ck_assert(!vq_need_interrupt(&vq));
	ring_set_no_interrupt(&ring, true);
	pop_one();
	vq_push(&vq, chain.head, 0);
	ck_assert(!vq_need_interrupt(&vq));
	gmem_destroy(&mem);
}
END_TEST

static void push_some(unsigned n)
{
	while (n--) {
		uint16_t head;
		uint32_t len;

		add_one();
		pop_one();
		vq_push(&vq, chain.head, 0);
		ck_assert(ring_used(&ring, &head, &len));
	}
}

START_TEST(interrupt_by_event_idx)
{
	setup(NUM, true, false);
	ring_set_no_interrupt(&ring, true); /* the flag is out of use (2.7.10) */
	ck_assert(!vq_need_interrupt(&vq));
	push_some(1); /* 0 -> 1 passes used_event 0 */
	ck_assert(vq_need_interrupt(&vq));
	push_some(1);
	ck_assert(!vq_need_interrupt(&vq));
	ring_set_used_event(&ring, 4);
	push_some(2); /* 2 -> 4 */
	ck_assert(!vq_need_interrupt(&vq));
	push_some(3); /* 4 -> 7 */
	ck_assert(vq_need_interrupt(&vq));
	ring_set_used_event(&ring, 7);
	ck_assert(!vq_need_interrupt(&vq)); /* nothing since */
	push_some(1);
	ck_assert(vq_need_interrupt(&vq));

	/* Over the wrap, and more pushes than an index can tell. */
	push_some(65533 - 8);
	vq_need_interrupt(&vq);
	ring_set_used_event(&ring, 65535);
	push_some(2);
	ck_assert(!vq_need_interrupt(&vq));
	push_some(2);
	ck_assert_uint_eq(vq.next_used, 1);
	ck_assert(vq_need_interrupt(&vq));
	ring_set_used_event(&ring, 0);
	push_some(3);
	ck_assert(!vq_need_interrupt(&vq));
	push_some(65536);
	ck_assert(vq_need_interrupt(&vq));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(interrupt_is_owed_until_the_buffers_are_taken)
{
	setup(NUM, true, false);
	ck_assert(!vq_owe_interrupt(&vq)); /* nothing was pushed */
	ck_assert(!vq_still_owed(&vq));

	push_some(1);
	ck_assert(vq_owe_interrupt(&vq));
	ck_assert(!vq_owe_interrupt(&vq));
	ck_assert(vq_still_owed(&vq));
	ring_set_used_event(&ring, 1);
	ck_assert(!vq_still_owed(&vq));
	/* It is settled for good, wherever used_event goes. */
	ring_set_used_event(&ring, 0);
	ck_assert(!vq_still_owed(&vq));

	/* One of two was taken; then a third is pushed, that wasn't asked for by itself. */
	ring_set_used_event(&ring, 1);
	push_some(2); /* 1 -> 3 */
	ck_assert(vq_owe_interrupt(&vq));
	ring_set_used_event(&ring, 2);
	ck_assert(vq_still_owed(&vq));
	push_some(1); /* -> 4 */
	ck_assert(!vq_owe_interrupt(&vq));
	ck_assert(vq_still_owed(&vq));
	ring_set_used_event(&ring, 3);
	ck_assert(vq_still_owed(&vq));
	ring_set_used_event(&ring, 4);
	ck_assert(!vq_still_owed(&vq));

	/* All were taken and the next is pushed: what was owed before isn't any more. */
	push_some(1); /* -> 5 */
	ck_assert(vq_owe_interrupt(&vq));
	ring_set_used_event(&ring, 5);
	push_some(1); /* -> 6 */
	ck_assert(vq_owe_interrupt(&vq));
	ring_set_used_event(&ring, 4);
	ck_assert(!vq_still_owed(&vq));

	/* Raised: the same buffers don't ask again. */
	ring_set_used_event(&ring, 6);
	push_some(1); /* -> 7 */
	ck_assert(vq_owe_interrupt(&vq));
	vq_paid(&vq);
	ck_assert(!vq_still_owed(&vq));
	push_some(1);
	ck_assert(!vq_owe_interrupt(&vq));
	ck_assert(!vq_still_owed(&vq));
	gmem_destroy(&mem);
}
END_TEST

/* A driver that wants none says so by a used_event that its buffers don't reach. */
START_TEST(nothing_is_owed_that_was_not_wanted)
{
	setup(NUM, true, false);
	for (unsigned i = 0; i < 100; i++) {
		ring_set_used_event(&ring, (uint16_t)(ring.idx - 1));
		push_some(1);
		ck_assert(!vq_owe_interrupt(&vq));
		ck_assert(!vq_still_owed(&vq));
	}
	gmem_destroy(&mem);
}
END_TEST

START_TEST(owed_over_the_wrap)
{
	setup(NUM, true, false);
	push_some(65534);
	vq_need_interrupt(&vq);
	ring_set_used_event(&ring, 65535);
	push_some(3); /* 65534 -> 1 */
	ck_assert(vq_owe_interrupt(&vq));
	ck_assert(vq_still_owed(&vq));
	ring_set_used_event(&ring, 0);
	ck_assert(vq_still_owed(&vq));
	push_some(1); /* -> 2 */
	ck_assert(!vq_owe_interrupt(&vq));
	ring_set_used_event(&ring, 1);
	ck_assert(vq_still_owed(&vq));
	ring_set_used_event(&ring, 2);
	ck_assert(!vq_still_owed(&vq));

	/* More pushes than an index can tell: nothing proves that the driver saw the first. */
	push_some(1);
	ck_assert(vq_owe_interrupt(&vq));
	push_some(65536);
	ring_set_used_event(&ring, 3);
	ck_assert(vq_still_owed(&vq));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(a_stopped_queue_owes_nothing)
{
	const char *why;

	setup(NUM, true, false);
	push_some(1);
	ck_assert(vq_owe_interrupt(&vq));
	vq_disable(&vq);
	ck_assert(!vq_still_owed(&vq));
	ck_assert_int_eq(vq_enable(&vq, &mem, true, false, &why), 0);
	ck_assert(!vq_still_owed(&vq));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(empty_ring_arms_the_next_kick)
{
	setup(NUM, true, false);
	add_one();
	ck_assert(ring_needs_kick(&ring)); /* the first one always */
	add_one();
	ck_assert(!ring_needs_kick(&ring));
	pop_one();
	ck_assert_uint_eq(ring_avail_event(&ring), 0); /* there is more to pop */
	pop_one();
	add_one();
	ck_assert(!ring_needs_kick(&ring));
	pop_one();
	ck_assert_int_eq(vq_pop(&vq, &chain), 0);
	ck_assert_uint_eq(ring_avail_event(&ring), 3);
	add_one();
	ck_assert(ring_needs_kick(&ring));

	/* Without event idx the field behind the ring isn't ours. */
	use_ring(NUM, false, false);
	push_some(1);
	ck_assert_int_eq(vq_pop(&vq, &chain), 0);
	ck_assert_uint_eq(ring_avail_event(&ring), 0);
	add_one();
	ck_assert(ring_needs_kick(&ring));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(indices_wrap)
{
	setup(NUM, true, true);
	for (uint32_t i = 0; i < 65536 + 5; i++) {
		struct ring_buf b = {DATA + i % 4096, 1 + i % 7, i & 1};
		uint16_t head, got;
		uint32_t len;

		head = i % 3 ? ring_add(&ring, &b, 1) : ring_add_indirect(&ring, TABLE, &b, 1);
		ck_assert(ring_needs_kick(&ring));
		pop_one();
		ck_assert_uint_eq(chain.head, head);
		check_seg(0, b.gpa, b.len);
		vq_push(&vq, head, i);
		ck_assert(vq_need_interrupt(&vq));
		ck_assert(ring_used(&ring, &got, &len) && got == head && len == i);
		ring_set_used_event(&ring, ring.last_used);
		ck_assert_int_eq(vq_pop(&vq, &chain), 0);
	}
	gmem_destroy(&mem);
}
END_TEST

/*
 * Driver and device on two threads with both notifications suppressed by event idx: a lost kick
 * or interrupt leaves both asleep, and the test runs into its time limit.
 */
#define TRAFFIC 60000

static sem_t kicks, interrupts;

static void *device_thread(void *arg)
{
	unsigned done = 0;

	(void)arg;
	while (done < TRAFFIC) {
		int rc;

		while ((rc = vq_pop(&vq, &chain)) > 0) {
			uint32_t v;

			memcpy(&v, seg[0].hva, sizeof(v));
			ck_assert_uint_eq(v, done);
			vq_push(&vq, chain.head, done++);
			if (done % 3 == 0 && vq_need_interrupt(&vq))
				sem_post(&interrupts);
		}
		ck_assert_int_eq(rc, 0);
		if (vq_need_interrupt(&vq))
			sem_post(&interrupts);
		if (done < TRAFFIC)
			sem_wait(&kicks);
	}
	return NULL;
}

static void take_used(unsigned *done)
{
	uint16_t head;
	uint32_t len;

	while (ring_used(&ring, &head, &len)) {
		ck_assert_uint_eq(len, *done);
		(*done)++;
	}
}

START_TEST(no_notification_is_lost)
{
	unsigned sent = 0, done = 0;
	pthread_t t;

	setup(NUM, true, false);
	sem_init(&kicks, 0, 0);
	sem_init(&interrupts, 0, 0);
	pthread_create(&t, NULL, device_thread, NULL);
	while (done < TRAFFIC) {
		while (sent < TRAFFIC && sent - done < NUM) {
			struct ring_buf b = {DATA + sent % NUM * 4, 4, false};

			ring_poke(&mem, b.gpa, &sent, sizeof(sent));
			ring_add(&ring, &b, 1);
			sent++;
			if (sent % 2 == 0 && ring_needs_kick(&ring))
				sem_post(&kicks);
		}
		if (ring_needs_kick(&ring))
			sem_post(&kicks);
		take_used(&done);
		ring_set_used_event(&ring, ring.last_used);
		if (!ring_used_pending(&ring) && done < sent)
			sem_wait(&interrupts);
	}
	pthread_join(t, NULL);
	gmem_destroy(&mem);
}
END_TEST

/*
 * The two races that event idx has, met head-on: each round both sides act at the same moment,
 * and at least one of them must see what the other did. Without a full barrier some round
 * of many fails, given two processors.
 */
#define ROUNDS	   100000
#define ENOUGH_SEC 20 /* where others want the processors, too */

static bool last;
static unsigned arrived;
static int popped;
static bool interrupted;

/* Wait until both threads have been here n times. */
static void meet(unsigned n)
{
	__atomic_fetch_add(&arrived, 1, __ATOMIC_ACQ_REL);
	for (unsigned spins = 0; __atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < 2 * n; spins++) {
		if (spins > 2000)
			sched_yield();
	}
}

/* The device's part is shorter than the driver's: shift it so that they meet somewhere. */
static void dawdle(unsigned round)
{
	for (unsigned i = 0; i < round % 256; i++)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void *racing_device(void *arg)
{
	unsigned n = 0;

	(void)arg;
	for (unsigned i = 0; !last; i++) {
		uint16_t first;

		meet(++n);
		pop_one(); /* and don't look for more: avail_event stays old */
		first = chain.head;
		meet(++n);
		dawdle(i);
		popped = vq_pop(&vq, &chain);
		meet(++n);
		if (popped == 0)
			pop_one();
		vq_push(&vq, first, 0);
		vq_need_interrupt(&vq);
		meet(++n);
		meet(++n);
		dawdle(i);
		vq_push(&vq, chain.head, 0);
		interrupted = vq_need_interrupt(&vq);
		meet(++n);
	}
	return NULL;
}

START_TEST(racing_sides_see_each_other)
{
	const uint64_t end = clock_now_ns() + ENOUGH_SEC * NSEC_PER_SEC;
	unsigned n = 0, lost_kicks = 0, lost_interrupts = 0;
	pthread_t t;

	setup(NUM, true, false);
	pthread_create(&t, NULL, racing_device, NULL);
	for (unsigned i = 1; !last; i++) {
		uint16_t head;
		uint32_t len;
		bool kick, pending;

		add_one();
		ring_needs_kick(&ring);
		meet(++n);
		meet(++n);
		add_one(); /* while the device finds the ring empty, or not */
		kick = ring_needs_kick(&ring);
		meet(++n);
		lost_kicks += !kick && popped == 0;
		meet(++n);
		ck_assert(ring_used(&ring, &head, &len));
		meet(++n);
		ring_set_used_event(&ring, ring.last_used); /* while the device pushes */
		pending = ring_used_pending(&ring);
		last = i == ROUNDS || clock_now_ns() > end;
		meet(++n);
		lost_interrupts += !interrupted && !pending;
		ck_assert(ring_used(&ring, &head, &len));
	}
	pthread_join(t, NULL);
	ck_assert_uint_eq(lost_kicks, 0);
	ck_assert_uint_eq(lost_interrupts, 0);
	gmem_destroy(&mem);
}
END_TEST

static bool stop;

static void *flip_thread(void *arg)
{
	static const struct vring_desc good = {DATA, 64, 0, 0}, bad = {~0ull - 64, 128, 3, 99};

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		memcpy(ring.desc, &bad, sizeof(bad));
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		memcpy(ring.desc, &good, sizeof(good));
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* A descriptor that changes under our hands is either refused or taken as it was checked. */
START_TEST(changing_descriptor_is_read_once)
{
	unsigned good = 0, bad = 0;
	const char *why;
	pthread_t t;

	setup(NUM, false, false);
	ring_put(&ring, 0);
	pthread_create(&t, NULL, flip_thread, NULL);
	for (unsigned i = 0; (i < 50000 || !good || !bad) && i < 20000000; i++) {
		ck_assert_int_eq(vq_enable(&vq, &mem, false, false, &why), 0);
		if (vq_pop(&vq, &chain) < 0) {
			bad++;
			continue;
		}
		good++;
		ck_assert_uint_eq(chain.nout + chain.nin, 1);
		ck_assert_ptr_nonnull(seg[0].hva);
		check_seg(0, DATA, seg[0].len);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	ck_assert(good && bad);
	gmem_destroy(&mem);
}
END_TEST

UNIT_MAIN("virtqueue_events", interrupt_by_flag, interrupt_by_event_idx,
	  interrupt_is_owed_until_the_buffers_are_taken, nothing_is_owed_that_was_not_wanted,
	  owed_over_the_wrap, a_stopped_queue_owes_nothing, empty_ring_arms_the_next_kick,
	  indices_wrap, no_notification_is_lost, racing_sides_see_each_other,
	  changing_descriptor_is_read_once)
