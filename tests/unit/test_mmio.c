// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/mmio.h"

#include "tests/unit/driver.h"
#include "tests/unit/unit.h"
#include "tests/unit/virtio_fake.h"

#define RAM   0x10000ull
#define RING0 RAM
#define RING1 0x20000ull
#define DATA  0x80000ull
#define HIGH  0x240000000ull /* RAM above 4 GiB */

#define READY_STATUS (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK)

#define F_EVENT_IDX   VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX)
#define NEVER_GRANTED VIRTIO_FEATURE(50)
#define F_INDIRECT    VIRTIO_FEATURE(VIRTIO_F_BIT_INDIRECT_DESC)

static struct gmem mem;
static struct irq_line irq;
static struct fake f;
static struct virtio_mmio t;

static void setup(void)
{
	const struct gmem_span spans[] = {{RAM, 0x100000}, {HIGH, 0x100000}};

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	ck_assert_int_eq(irq_line_init(&irq, 5), 0);
	fake_init(&f, &mem, &irq);
	virtio_mmio_init(&t, &f.virtio);
}

static void teardown(void)
{
	virtio_fini(&f.virtio);
	irq_line_fini(&irq);
	gmem_destroy(&mem);
}

START_TEST(identity)
{
	setup();
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_VERSION), 2);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_DEVICE_ID), FAKE_ID);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_VENDOR_ID), 0x4f524541);
	ck_assert_uint_eq(drv_status(&t), 0);
	/* No shared memory, whatever is selected. */
	drv_write(&t, VIRTIO_MMIO_SHM_SEL, 3);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_SHM_LEN_LOW), 0xffffffff);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_SHM_LEN_HIGH), 0xffffffff);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_SHM_BASE_LOW), 0xffffffff);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_SHM_BASE_HIGH), 0xffffffff);
	ck_assert_uint_eq(f.virtio.violations, 0);
	teardown();
}
END_TEST

START_TEST(feature_words)
{
	setup();
	ck_assert_uint_eq(drv_offered(&t), f.virtio.offered);
	drv_write(&t, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	drv_write(&t, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0xffffffff);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_DEVICE_FEATURES), 0);

	ck_assert(drv_negotiate(&t, FAKE_FEATURES));
	ck_assert(virtio_has(&f.virtio, FAKE_F_LONG) && virtio_has(&f.virtio, FAKE_F_HIGH));
	ck_assert(!virtio_has(&f.virtio, VIRTIO_F_BIT_EVENT_IDX));
	ck_assert(!drv_negotiate(&t, NEVER_GRANTED));
	ck_assert_uint_eq(drv_status(&t), VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	teardown();
}
END_TEST

/* An access that isn't a register's: reads zero, changes nothing, and is counted. */
static void check_refused(uint32_t off, unsigned len)
{
	uint64_t before = f.virtio.violations;

	ck_assert_uint_eq(virtio_mmio_ops.read(&t, off, len), 0);
	ck_assert_uint_eq(f.virtio.violations, before + 1);
	virtio_mmio_ops.write(&t, off, len, 0);
	ck_assert_uint_eq(f.virtio.violations, before + 2);
}

START_TEST(registers_take_aligned_words_only)
{
	setup();
	ck_assert(drv_negotiate(&t, 0));
	for (uint32_t off = 0; off < 0x100; off++) {
		check_refused(off, 1);
		check_refused(off, 2);
		check_refused(off, 8);
		if (off % 4)
			check_refused(off, 4);
	}
	/* Not even the status took a zero. */
	ck_assert_uint_eq(drv_status(&t), READY_STATUS);
	teardown();
}
END_TEST

/* Each register answers in its directions and in no other. */
START_TEST(registers_have_a_direction)
{
	static const uint16_t readable[] = {0x000, 0x004, 0x008, 0x00c, 0x010, 0x034, 0x044,
					    0x060, 0x070, 0x0b0, 0x0b4, 0x0b8, 0x0bc, 0x0fc};
	static const uint16_t writable[] = {0x014, 0x020, 0x024, 0x030, 0x038, 0x044,
					    0x050, 0x064, 0x070, 0x080, 0x084, 0x090,
					    0x094, 0x0a0, 0x0a4, 0x0ac};

	setup();
	for (uint32_t off = 0; off < 0x100; off += 4) {
		bool r = false, w = false;
		uint64_t before;

		for (unsigned i = 0; i < sizeof(readable) / 2; i++)
			r |= readable[i] == off;
		for (unsigned i = 0; i < sizeof(writable) / 2; i++)
			w |= writable[i] == off;
		before = f.virtio.violations;
		ck_assert(drv_read(&t, off) == 0 || r);
		ck_assert_msg(f.virtio.violations - before == !r, "read of 0x%x", off);

		/* At the moment when the driver may write it. */
		drv_negotiate(&t, off == VIRTIO_MMIO_DRIVER_FEATURES ? NEVER_GRANTED : 0);
		before = f.virtio.violations;
		drv_write(&t, off, 0);
		ck_assert_msg(f.virtio.violations - before == !w, "write of 0x%x", off);
	}
	teardown();
}
END_TEST

START_TEST(queues_exist_or_not)
{
	struct ring ring;

	setup();
	ck_assert(drv_negotiate(&t, 0));
	drv_write(&t, VIRTIO_MMIO_QUEUE_SEL, 0);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_QUEUE_NUM_MAX), 8);
	drv_write(&t, VIRTIO_MMIO_QUEUE_SEL, 1);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_QUEUE_NUM_MAX), 256);
	for (uint32_t q = 2; q; q = q == 2 ? 0xffffffff : 0) {
		drv_write(&t, VIRTIO_MMIO_QUEUE_SEL, q);
		ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_QUEUE_READY), 0);
		drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 0);
	}
	ck_assert_uint_eq(f.virtio.violations, 0);
	ring_init(&ring, &mem, RING0, 8, false);
	ck_assert(!drv_queue(&t, 2, &ring));
	ck_assert_uint_eq(f.virtio.violations, 8); /* one per write */
	ck_assert(!(drv_status(&t) & VIRTIO_S_NEEDS_RESET));
	teardown();
}
END_TEST

START_TEST(queue_fields_reach_the_queue)
{
	struct ring ring;

	setup();
	ck_assert(drv_negotiate(&t, F_EVENT_IDX));
	ring_init(&ring, &mem, HIGH + 0x1000, 64, true);
	ck_assert(drv_queue(&t, 1, &ring));
	ck_assert_uint_eq(f.vq[1].num, 64);
	ck_assert_uint_eq(f.vq[1].desc_gpa, ring.desc_gpa);
	ck_assert_uint_eq(f.vq[1].avail_gpa, ring.avail_gpa);
	ck_assert_uint_eq(f.vq[1].used_gpa, ring.used_gpa);
	ck_assert_ptr_eq(f.vq[1].desc, ring.desc);
	ck_assert(f.vq[1].event_idx && !f.vq[1].indirect);
	ck_assert(!f.vq[0].ready);

	ck_assert(drv_negotiate(&t, F_INDIRECT));
	ck_assert(drv_queue(&t, 1, &ring));
	ck_assert(!f.vq[1].event_idx && f.vq[1].indirect);
	teardown();
}
END_TEST

static const uint32_t queue_fields[] = {
	VIRTIO_MMIO_QUEUE_NUM,	     VIRTIO_MMIO_QUEUE_DESC_LOW,   VIRTIO_MMIO_QUEUE_DESC_HIGH,
	VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, VIRTIO_MMIO_QUEUE_USED_LOW,
	VIRTIO_MMIO_QUEUE_USED_HIGH,
};

/* All of them are refused, and the queue stays as it was. */
static void check_fields_locked(unsigned q)
{
	const struct virtqueue before = f.vq[q];
	uint64_t violations = f.virtio.violations;

	drv_write(&t, VIRTIO_MMIO_QUEUE_SEL, q);
	for (unsigned i = 0; i < 7; i++)
		drv_write(&t, queue_fields[i], 4);
	ck_assert_uint_eq(f.vq[q].num, before.num);
	ck_assert_uint_eq(f.vq[q].desc_gpa, before.desc_gpa);
	ck_assert_uint_eq(f.vq[q].avail_gpa, before.avail_gpa);
	ck_assert_uint_eq(f.vq[q].used_gpa, before.used_gpa);
	ck_assert_uint_eq(f.virtio.violations, violations + 7);
	if (before.ready)
		return;
	drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 1);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_QUEUE_READY), 0);
	ck_assert_uint_eq(f.virtio.violations, violations + 8);
}

START_TEST(queue_fields_are_writable_at_their_time_only)
{
	struct ring ring;

	setup();
	check_fields_locked(0);
	drv_write(&t, VIRTIO_MMIO_STATUS, VIRTIO_S_ACKNOWLEDGE);
	check_fields_locked(0);
	drv_write(&t, VIRTIO_MMIO_STATUS, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	check_fields_locked(0);

	ck_assert(drv_negotiate(&t, 0));
	ring_init(&ring, &mem, RING0, 8, false);
	ck_assert(drv_queue(&t, 0, &ring));
	check_fields_locked(0); /* ready */
	ck_assert(drv_ok(&t));
	check_fields_locked(0);
	check_fields_locked(1);

	/* Stopped, it can't be set up anew before a reset. */
	drv_write(&t, VIRTIO_MMIO_QUEUE_SEL, 0);
	drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 0);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_QUEUE_READY), 0);
	check_fields_locked(0);

	ck_assert(drv_negotiate(&t, 0));
	drv_write(&t, VIRTIO_MMIO_STATUS, READY_STATUS | VIRTIO_S_FAILED);
	check_fields_locked(0);
	teardown();
}
END_TEST

START_TEST(queue_ready_on_and_off)
{
	struct ring ring;

	setup();
	ck_assert(drv_negotiate(&t, 0));
	ring_init(&ring, &mem, RING0, 8, false);
	ck_assert(drv_queue(&t, 0, &ring));
	drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 1); /* again: nothing happens */
	ck_assert_uint_eq(f.virtio.violations, 0);
	drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 2);
	ck_assert_uint_eq(f.virtio.violations, 1);
	ck_assert(f.vq[0].ready);

	/* Off and on before DRIVER_OK; the addresses stay. */
	drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 0);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_QUEUE_READY), 0);
	drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 1);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_QUEUE_READY), 1);

	/* Off while live: kicks go nowhere. */
	ck_assert(drv_ok(&t));
	drv_kick(&t, 0);
	ck_assert_uint_eq(f.kicks, 1);
	drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 0);
	drv_kick(&t, 0);
	ck_assert_uint_eq(f.kicks, 1);
	teardown();
}
END_TEST

START_TEST(unusable_ring_is_a_violation)
{
	const struct {
		uint32_t reg, value;
	} cases[] = {
		{VIRTIO_MMIO_QUEUE_NUM, 0},
		{VIRTIO_MMIO_QUEUE_NUM, 6},
		{VIRTIO_MMIO_QUEUE_NUM, 16},
		{VIRTIO_MMIO_QUEUE_NUM, 0x10008}, /* 8 if it were cut */
		{VIRTIO_MMIO_QUEUE_DESC_LOW, RING0 + 8},
		{VIRTIO_MMIO_QUEUE_DESC_HIGH, 7},
		{VIRTIO_MMIO_QUEUE_AVAIL_LOW, RING0 + 1},
		{VIRTIO_MMIO_QUEUE_AVAIL_HIGH, 0xffffffff},
		{VIRTIO_MMIO_QUEUE_USED_LOW, 0},
		{VIRTIO_MMIO_QUEUE_USED_HIGH, 1},
	};
	struct ring ring;

	setup();
	ring_init(&ring, &mem, RING0, 8, false);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert(drv_negotiate(&t, 0));
		ck_assert(drv_queue(&t, 0, &ring));
		drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 0);
		drv_write(&t, cases[i].reg, cases[i].value);
		drv_write(&t, VIRTIO_MMIO_QUEUE_READY, 1);
		ck_assert_msg(!drv_read(&t, VIRTIO_MMIO_QUEUE_READY), "case %u", i);
		ck_assert_uint_eq(drv_status(&t), READY_STATUS | VIRTIO_S_NEEDS_RESET);
		ck_assert_uint_eq(f.virtio.violations, i + 1);
	}
	teardown();
}
END_TEST

START_TEST(traffic_on_two_queues)
{
	const struct ring_buf b[] = {
		{DATA, 16, false}, {DATA + 64, 8, true}, {DATA + 96, 32, true}};
	struct ring r0, r1;
	uint16_t head;
	uint32_t len;

	setup();
	ck_assert(drv_negotiate(&t, F_EVENT_IDX | F_INDIRECT));
	ring_init(&r0, &mem, RING0, 8, true);
	ring_init(&r1, &mem, RING1, 256, true);
	ck_assert(drv_queue(&t, 0, &r0));
	ck_assert(drv_queue(&t, 1, &r1));
	ck_assert(drv_ok(&t));
	ring_poke(&mem, DATA, "0123456789abcdef", 16);
	for (unsigned i = 0; i < 5000; i++) {
		ring_add(&r0, b, 3);
		ring_add_indirect(&r1, DATA + 0x1000, b, 3);
		ck_assert(ring_needs_kick(&r0) && ring_needs_kick(&r1));
		drv_kick(&t, 0);
		drv_kick(&t, 1);
		ck_assert_uint_eq(drv_take_isr(&t), VIRTIO_ISR_QUEUE);
		ck_assert(ring_used(&r0, &head, &len) && len == 16);
		ck_assert(ring_used(&r1, &head, &len) && len == 16);
		ring_set_used_event(&r0, r0.last_used);
		ring_set_used_event(&r1, r1.last_used);
	}
	ck_assert_mem_eq(gmem_ptr(&mem, DATA + 64, 8), "01234567", 8);
	ck_assert_mem_eq(gmem_ptr(&mem, DATA + 96, 8), "89abcdef", 8);
	ck_assert_uint_eq(f.virtio.interrupts, 10000);
	ck_assert_uint_eq(f.virtio.notifies, 10000);
	ck_assert_uint_eq(f.virtio.violations, 0);

	ring_put(&r0, 8);
	drv_kick(&t, 0);
	ck_assert(drv_status(&t) & VIRTIO_S_NEEDS_RESET);
	ck_assert_uint_eq(drv_take_isr(&t), VIRTIO_ISR_CONFIG);
	teardown();
}
END_TEST

START_TEST(interrupt_ack_clears_what_it_names)
{
	setup();
	f.virtio.isr = VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG;
	drv_write(&t, VIRTIO_MMIO_INTERRUPT_ACK, 0);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	drv_write(&t, VIRTIO_MMIO_INTERRUPT_ACK, 0xfffffffd);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_ISR_CONFIG);
	drv_write(&t, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	teardown();
}
END_TEST

START_TEST(config_space_takes_all_widths)
{
	uint32_t gen;

	setup();
	ck_assert_uint_eq(drv_config_read(&t, 0, 1), 0xa0);
	ck_assert_uint_eq(drv_config_read(&t, 1, 2),
			  0xa2a1); /* alignment is the driver's duty */
	ck_assert_uint_eq(drv_config_read(&t, 0, 4), 0xa3a2a1a0);
	ck_assert_uint_eq(drv_config_read(&t, 0, 8), 0xa5a4a3a2a1a0); /* 6 bytes, then zeros */
	ck_assert_uint_eq(drv_config_read(&t, 6, 4), 0);
	ck_assert_uint_eq(drv_config_read(&t, 0xef8, 8), 0);
	ck_assert(drv_negotiate(&t, FAKE_FEATURES));
	ck_assert_uint_eq(drv_config_read(&t, 0, 8), 0xa7a6a5a4a3a2a1a0);
	drv_config_write(&t, 2, 2, 0xffff1234);
	ck_assert_uint_eq(drv_config_read(&t, 0, 8), 0xa7a6a5a41234a1a0);
	drv_config_write(&t, 8, 4, 0x44332211);
	ck_assert_uint_eq(drv_config_read(&t, 8, 4), 0x2211);
	ck_assert_uint_eq(f.virtio.violations, 0);

	gen = drv_read(&t, VIRTIO_MMIO_CONFIG_GENERATION);
	virtio_lock(&f.virtio);
	virtio_notify_config(&f.virtio);
	virtio_unlock(&f.virtio);
	ck_assert_uint_eq(drv_read(&t, VIRTIO_MMIO_CONFIG_GENERATION), gen + 1);
	teardown();
}
END_TEST

static void check_pristine(void)
{
	ck_assert_uint_eq(drv_status(&t), 0);
	ck_assert(!f.vq[0].ready);
	ck_assert_uint_eq(f.virtio.acked, 0);
	ck_assert_uint_eq(t.device_features_sel | t.driver_features_sel | t.queue_sel, 0);
	ck_assert_ptr_eq(t.dev, &f.virtio);
}

START_TEST(reset_by_the_driver_and_by_the_machine)
{
	struct ring ring;

	setup();
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(drv_negotiate(&t, 0));
		ring_init(&ring, &mem, RING0, 8, false);
		ck_assert(drv_queue(&t, 0, &ring));
		ck_assert(drv_ok(&t));
		drv_write(&t, VIRTIO_MMIO_QUEUE_SEL, 1);
		drv_write(&t, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
		f.resets = 0;
		if (i)
			drv_reset(&t);
		else
			virtio_mmio_reset(&t);
		ck_assert_uint_eq(f.resets, 1);
		check_pristine();
	}
	teardown();
}
END_TEST

UNIT_MAIN("mmio", identity, feature_words, registers_take_aligned_words_only,
	  registers_have_a_direction, queues_exist_or_not, queue_fields_reach_the_queue,
	  queue_fields_are_writable_at_their_time_only, queue_ready_on_and_off,
	  unusable_ring_is_a_violation, traffic_on_two_queues,
	  interrupt_ack_clears_what_it_names, config_space_takes_all_widths,
	  reset_by_the_driver_and_by_the_machine)
