// SPDX-License-Identifier: Apache-2.0
/* Interrupts that come later or not at all: virtio_notify_soon() and virtio_look(). */
#include <pthread.h>

#include "tests/unit/virtio_fixture.h"

/* A device that is live, with event idx, and a driver that has not taken anything yet. */
static void go_live_soon(void)
{
	setup();
	negotiate(VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX));
	enable(0, true);
	virtio_set_status(dev, A | D | F | OK);
	ck_assert(virtio_live(dev));
	f.soon = true;
}

/* Put n buffers into the ring and kick. */
static void send(unsigned n)
{
	while (n--)
		ring_add(&ring, &(struct ring_buf){DATA, 4, false}, 1);
	virtio_lock(dev);
	virtio_kick(dev, 0);
	virtio_unlock(dev);
}

/* Take n used buffers, and ask for an interrupt for the next one. */
static void take(unsigned n)
{
	uint16_t head;
	uint32_t len;

	while (n--)
		ck_assert(ring_used(&ring, &head, &len));
	ring_set_used_event(&ring, ring.last_used);
}

START_TEST(a_driver_that_takes_its_buffers_is_never_interrupted)
{
	go_live_soon();
	for (unsigned i = 0; i < 70000; i++) {
		bool ringing = f.alarm_set;

		send(1);
		if (i % 7 == 0 && ringing) /* before the driver got there */
			fake_look(&f);
		take(1);
		if (i % 3 == 0)
			fake_look(&f);
	}
	fake_look(&f);
	fake_look(&f);
	ck_assert(!raised());
	ck_assert_uint_eq(dev->interrupts, 0);
	ck_assert_uint_eq(dev->isr, 0);
	ck_assert(!f.alarm_set); /* and nothing goes on behind its back */
	teardown();
}
END_TEST

START_TEST(the_alarm_is_set_once_between_looks)
{
	go_live_soon();
	for (unsigned i = 0; i < 100; i++) {
		send(1);
		take(1);
	}
	ck_assert_uint_eq(f.alarms, 1);
	fake_look(&f);
	ck_assert_uint_eq(f.alarms, 1);
	send(1);
	ck_assert_uint_eq(f.alarms, 2);
	teardown();
}
END_TEST

START_TEST(a_buffer_that_is_left_is_announced)
{
	go_live_soon();
	send(1);
	ck_assert(!raised());
	ck_assert_uint_eq(dev->isr, 0);
	fake_look(&f);
	ck_assert(raised());
	ck_assert_uint_eq(dev->isr, VIRTIO_ISR_QUEUE);
	ck_assert_uint_eq(dev->interrupts, 1);
	ck_assert(!f.alarm_set);
	virtio_look(dev); /* once */
	ck_assert(!raised());
	teardown();
}
END_TEST

START_TEST(so_is_the_second_of_two)
{
	go_live_soon();
	send(2);
	take(1);
	fake_look(&f);
	ck_assert(raised());
	ck_assert_uint_eq(dev->interrupts, 1);
	teardown();
}
END_TEST

/* What was pushed just before a look isn't judged by it, but by the next. */
START_TEST(a_young_buffer_has_until_the_next_look)
{
	go_live_soon();
	send(1);
	take(1);
	send(1);
	fake_look(&f);
	ck_assert(!raised());
	ck_assert(f.alarm_set);
	fake_look(&f);
	ck_assert(raised());
	teardown();
}
END_TEST

/* Send a message, and sleep until it is answered. Was the interrupt there at once? */
static bool sleep_once(void)
{
	bool at_once;

	send(1);
	at_once = raised();
	if (!at_once) {
		fake_look(&f);
		ck_assert(raised());
	}
	take(1);
	return at_once;
}

START_TEST(a_driver_that_sleeps_is_woken_at_once_from_then_on)
{
	unsigned alarms = 0;

	go_live_soon();
	/* It is tried again and again, ever less often. */
	for (unsigned run = VIRTIO_AT_ONCE_MIN; run < 4 * VIRTIO_AT_ONCE_MAX; run *= 2) {
		ck_assert(!sleep_once());
		ck_assert_uint_eq(f.alarms, ++alarms);
		for (unsigned i = 0; i < run && i < VIRTIO_AT_ONCE_MAX; i++)
			ck_assert(sleep_once());
		ck_assert_uint_eq(f.alarms, alarms);
	}
	/* Awake once, it is believed to be awake. */
	send(1);
	ck_assert(!raised());
	take(1);
	fake_look(&f);
	ck_assert(!raised());
	ck_assert(!sleep_once());
	for (unsigned i = 0; i < VIRTIO_AT_ONCE_MIN; i++)
		ck_assert(sleep_once());
	ck_assert(!sleep_once());
	teardown();
}
END_TEST

START_TEST(interrupts_that_are_not_wanted_do_not_count)
{
	go_live_soon();
	ck_assert(!sleep_once());
	for (unsigned i = 0; i < 2 * VIRTIO_AT_ONCE_MAX; i++) {
		ring_set_used_event(&ring, (uint16_t)(ring.last_used - 1));
		send(1);
		ck_assert(!raised());
		take(1);
	}
	ck_assert(sleep_once());
	teardown();
}
END_TEST

START_TEST(queues_share_an_interrupt_and_nothing_else)
{
	struct ring other;
	const char *why;

	go_live_soon();
	ring_init(&other, &mem, RAM + 0x8000, 8, true);
	f.vq[1].num = 8;
	f.vq[1].desc_gpa = other.desc_gpa;
	f.vq[1].avail_gpa = other.avail_gpa;
	f.vq[1].used_gpa = other.used_gpa;
	ck_assert_int_eq(vq_enable(&f.vq[1], &mem, true, false, &why), 0);

	send(1);
	take(1);
	ring_add(&other, &(struct ring_buf){DATA, 4, false}, 1);
	virtio_kick(dev, 1);
	ck_assert_uint_eq(f.alarms, 1);
	fake_look(&f); /* nothing of queue 0; queue 1 is young */
	ck_assert(!raised());
	fake_look(&f);
	ck_assert(raised());
	/* Queue 1 is raised at once now, queue 0 isn't. */
	send(1);
	ck_assert(!raised());
	ring_set_used_event(&other, 1);
	ring_add(&other, &(struct ring_buf){DATA, 4, false}, 1);
	virtio_kick(dev, 1);
	ck_assert(raised());

	/* Both at a look: one interrupt. */
	fake_look(&f);
	ck_assert(raised());
	f.vq[0].at_once = f.vq[1].at_once = 0;
	take(1);
	send(1);
	take(1);
	send(1);
	ring_set_used_event(&other, 2);
	ring_add(&other, &(struct ring_buf){DATA, 4, false}, 1);
	virtio_kick(dev, 1);
	ck_assert(!raised());
	fake_look(&f);
	fake_look(&f);
	ck_assert_uint_eq(dev->interrupts, 4);
	teardown();
}
END_TEST

START_TEST(without_event_idx_it_is_at_once)
{
	setup();
	go_live();
	f.soon = true;
	send(1);
	ck_assert(raised());
	ring_set_no_interrupt(&ring, true);
	send(1);
	ck_assert(!raised());
	ck_assert_uint_eq(f.alarms, 0);
	ck_assert_uint_eq(dev->interrupts, 1);
	teardown();
}
END_TEST

START_TEST(a_reset_drops_what_is_owed)
{
	go_live_soon();
	send(1);
	virtio_reset(dev);
	fake_look(&f);
	ck_assert(!raised());
	ck_assert(!f.alarm_set);

	/* An alarm of before the reset doesn't hide the first buffer of after it. */
	negotiate(VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX));
	enable(0, true);
	virtio_set_status(dev, A | D | F | OK);
	send(1);
	virtio_reset(dev);
	negotiate(VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX));
	enable(0, true);
	virtio_set_status(dev, A | D | F | OK);
	send(1);
	fake_look(&f);
	fake_look(&f);
	ck_assert(raised());
	ck_assert_uint_eq(dev->interrupts, 1);

	/* Nor does the sleep of one driver count for the next. */
	virtio_reset(dev);
	negotiate(VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX));
	enable(0, true);
	virtio_set_status(dev, A | D | F | OK);
	send(1);
	ck_assert(!raised());
	teardown();
}
END_TEST

START_TEST(what_is_owed_survives_a_violation)
{
	go_live_soon();
	send(1);
	virtio_violation(dev, "test");
	ck_assert(raised());
	ck_assert_uint_eq(dev->isr, VIRTIO_ISR_CONFIG);
	fake_look(&f);
	ck_assert(raised());
	ck_assert_uint_eq(dev->isr, VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	teardown();
}
END_TEST

START_TEST(nothing_is_owed_before_driver_ok)
{
	struct vq_seg seg;
	struct vq_chain c = {.seg = &seg, .seg_max = 1};

	setup();
	negotiate(VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX));
	enable(0, true);
	ring_add(&ring, &(struct ring_buf){DATA, 4, false}, 1);
	ck_assert_int_eq(vq_pop(&f.vq[0], &c), 1);
	vq_push(&f.vq[0], c.head, 0);
	virtio_notify_soon(dev, &f.vq[0]);
	ck_assert_uint_eq(f.alarms, 0);
	virtio_look(dev);
	ck_assert(!raised());
	teardown();
}
END_TEST

/*
 * A driver on one thread, looks on another. The driver sleeps when it feels like it; each time
 * it must be woken.
 */
#define MESSAGES 20000

static bool over;

static void *looks(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		bool set;

		virtio_lock(dev);
		set = f.alarm_set;
		f.alarm_set = false;
		virtio_unlock(dev);
		usleep(20);
		if (set)
			virtio_look(dev);
	}
	return NULL;
}

static uint64_t interrupts(void)
{
	uint64_t n;

	virtio_lock(dev);
	n = dev->interrupts;
	virtio_unlock(dev);
	return n;
}

static bool woken(uint64_t before)
{
	struct pollfd p = {.fd = irq.fd, .events = POLLIN};

	/* Edges may be left over from buffers that were taken meanwhile. */
	while (interrupts() == before) {
		if (poll(&p, 1, 10000) != 1)
			return false;
		raised();
	}
	return true;
}

START_TEST(no_sleeper_is_forgotten)
{
	unsigned sleeps = 0;
	pthread_t t;

	go_live_soon();
	pthread_create(&t, NULL, looks, NULL);
	for (unsigned i = 0; i < MESSAGES; i++) {
		uint64_t before = interrupts();
		unsigned n = 1 + i % 3;

		send(n);
		/* In between it polls for long enough to be no sleeper any more. */
		if (i / 500 % 2 && i % 5 == 0) {
			ck_assert_msg(woken(before), "still asleep at %u", i);
			sleeps++;
		}
		take(n);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	ck_assert_uint_eq(sleeps, MESSAGES / 10);
	ck_assert_uint_lt(interrupts(), MESSAGES);
	teardown();
}
END_TEST

UNIT_MAIN("virtio_soon", a_driver_that_takes_its_buffers_is_never_interrupted,
	  the_alarm_is_set_once_between_looks, a_buffer_that_is_left_is_announced,
	  so_is_the_second_of_two, a_young_buffer_has_until_the_next_look,
	  a_driver_that_sleeps_is_woken_at_once_from_then_on,
	  interrupts_that_are_not_wanted_do_not_count,
	  queues_share_an_interrupt_and_nothing_else, without_event_idx_it_is_at_once,
	  a_reset_drops_what_is_owed, what_is_owed_survives_a_violation,
	  nothing_is_owed_before_driver_ok, no_sleeper_is_forgotten)
