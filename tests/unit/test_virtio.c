// SPDX-License-Identifier: Apache-2.0
/* Kicks, interrupts, configuration, reset; status and features are test_virtio_status.c. */
#include "devices/virtio/virtio.h"

#include "tests/unit/virtio_fixture.h"

START_TEST(init_offers_what_the_core_does)
{
	setup();
	ck_assert_uint_eq(dev->offered, FAKE_FEATURES | 1ull << 28 | 1ull << 29 | 1ull << 32);
	ck_assert_uint_eq(dev->status, 0);
	ck_assert_uint_eq(f.vq[0].num, 8);
	ck_assert_uint_eq(f.vq[1].num, 256);
	ck_assert(!virtio_live(dev));
	teardown();
}
END_TEST

START_TEST(driver_ok_is_told_once)
{
	setup();
	go_live();
	ck_assert_uint_eq(f.oks, 1);
	virtio_set_status(dev, A | D | F | OK);
	ck_assert_uint_eq(f.oks, 1);
	go_live();
	ck_assert_uint_eq(f.oks, 2);
	teardown();
}
END_TEST

START_TEST(kick_needs_a_live_device_and_a_ready_queue)
{
	setup();
	negotiate(0);
	enable(0, false);
	virtio_kick(dev, 0);
	ck_assert_uint_eq(f.kicks, 0);
	ck_assert_uint_eq(dev->violations, 0);
	virtio_set_status(dev, A | D | F | OK);
	virtio_kick(dev, 0);
	ck_assert_uint_eq(f.kicks, 1);
	ck_assert_uint_eq(f.kicked, 0);
	virtio_kick(dev, 1); /* not ready */
	virtio_kick(dev, 2); /* not there */
	virtio_kick(dev, 0xffffffff);
	ck_assert_uint_eq(f.kicks, 1);
	ck_assert_uint_eq(dev->notifies, 1);
	ck_assert_uint_eq(dev->violations, 3);
	ck_assert(virtio_live(dev)); /* no harm was done */
	virtio_violation(dev, "test");
	virtio_kick(dev, 0);
	ck_assert_uint_eq(f.kicks, 1);
	go_live();
	virtio_kick(dev, 0);
	ck_assert_uint_eq(f.kicks, 2);
	virtio_set_status(dev, A | D | F | OK | FA);
	virtio_kick(dev, 0);
	ck_assert_uint_eq(f.kicks, 2);
	teardown();
}
END_TEST

START_TEST(buffers_are_echoed_and_interrupted)
{
	const struct ring_buf b[] = {{DATA, 5, false}, {DATA + 64, 8, true}};
	uint16_t head;
	uint32_t len;

	setup();
	go_live();
	ring_poke(&mem, DATA, "hello", 5);
	ring_add(&ring, b, 2);
	virtio_kick(dev, 0);
	ck_assert(ring_used(&ring, &head, &len));
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(gmem_ptr(&mem, DATA + 64, 5), "hello", 5);
	ck_assert(raised());
	ck_assert_uint_eq(dev->isr, VIRTIO_ISR_QUEUE);
	ck_assert_uint_eq(dev->interrupts, 1);

	/* The status bits are collected, each interrupt counts. */
	virtio_notify_config(dev);
	ck_assert(raised());
	ck_assert_uint_eq(dev->isr, VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(dev->interrupts, 2);

	/* Nothing used, no interrupt; used but not wanted, neither. */
	virtio_kick(dev, 0);
	ck_assert(!raised());
	ring_set_no_interrupt(&ring, true);
	ring_add(&ring, b, 2);
	virtio_kick(dev, 0);
	ck_assert_uint_eq(ring_used_pending(&ring), 1);
	ck_assert(!raised());
	ck_assert_uint_eq(dev->interrupts, 2);
	teardown();
}
END_TEST

START_TEST(buffers_used_before_a_violation_are_announced)
{
	setup();
	go_live();
	ring_add(&ring, &(struct ring_buf){DATA, 5, false}, 1);
	ring_put(&ring, 99);
	virtio_kick(dev, 0);
	ck_assert(dev->status & NR);
	ck_assert_uint_eq(dev->isr, VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(ring_used_pending(&ring), 1);
	teardown();
}
END_TEST

START_TEST(no_interrupt_before_driver_ok)
{
	struct vq_seg seg;
	struct vq_chain c = {.seg = &seg, .seg_max = 1};
	uint32_t gen;

	setup();
	negotiate(0);
	enable(0, false);
	gen = dev->config_gen;
	virtio_notify_config(dev);
	ck_assert_uint_eq(dev->config_gen, gen + 1);
	ring_add(&ring, &(struct ring_buf){DATA, 5, false}, 1);
	ck_assert_int_eq(vq_pop(&f.vq[0], &c), 1);
	vq_push(&f.vq[0], c.head, 0);
	virtio_notify_used(dev, &f.vq[0]);
	virtio_violation(dev, "test");
	ck_assert(!raised());
	ck_assert_uint_eq(dev->isr, 0);
	ck_assert_uint_eq(dev->interrupts, 0);
	ck_assert_uint_eq(dev->status, A | D | F | NR);
	teardown();
}
END_TEST

START_TEST(violation_latches_and_interrupts_once)
{
	uint32_t gen;

	setup();
	go_live();
	gen = dev->config_gen;
	virtio_refuse(dev, "test %d", 1);
	ck_assert(virtio_live(dev));
	ck_assert(!raised());
	virtio_violation(dev, "test %d", 2);
	ck_assert(!virtio_live(dev));
	ck_assert(raised());
	ck_assert_uint_eq(dev->isr, VIRTIO_ISR_CONFIG);
	virtio_violation(dev, "test %s", "long");
	virtio_notify_config(dev);
	ck_assert(!raised());
	ck_assert_uint_eq(dev->interrupts, 1);
	ck_assert_uint_eq(dev->violations, 3);
	ck_assert_uint_eq(dev->config_gen, gen + 1); /* by notify_config alone */
	teardown();
}
END_TEST

/* What a guest does wrong costs at most LOG_BURST lines a second. */
START_TEST(log_is_limited)
{
	char text[8192];
	unsigned lines = 0;
	int p[2], saved;
	ssize_t n;

	setup();
	log_set_level(LOG_WARN);
	ck_assert_int_eq(pipe(p), 0);
	saved = dup(STDERR_FILENO);
	dup2(p[1], STDERR_FILENO);
	for (unsigned i = 0; i < 50; i++)
		virtio_set_status(dev, 0x66);
	dup2(saved, STDERR_FILENO);
	close(p[1]);
	n = read(p[0], text, sizeof(text));
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	ck_assert_uint_ge(lines, LOG_BURST);
	ck_assert_uint_le(lines, 2 * LOG_BURST); /* a second may have passed */
	ck_assert_uint_eq(dev->violations, 50);
	teardown();
}
END_TEST

START_TEST(config_is_clipped)
{
	uint8_t buf[16];

	setup();
	for (uint32_t off = 0; off < 20; off++) {
		for (uint32_t len = 1; len <= 8; len *= 2) {
			memset(buf, 0xff, sizeof(buf));
			virtio_config_read(dev, off, buf, len);
			for (uint32_t i = 0; i < len; i++)
				ck_assert_uint_eq(buf[i], off + i < FAKE_CONFIG_SHORT
								  ? 0xa0 + off + i
								  : 0);
			ck_assert_uint_eq(buf[len], 0xff);
		}
	}
	virtio_config_read(dev, 0xffffffff, buf, 8);
	ck_assert_mem_eq(buf, "\0\0\0\0\0\0\0\0", 8);

	memset(buf, 0x11, sizeof(buf));
	virtio_config_write(dev, 4, buf, 8); /* 2 bytes of it are inside */
	ck_assert_uint_eq(f.last_len, 2);
	ck_assert_mem_eq(f.config, "\xa0\xa1\xa2\xa3\x11\x11\xa6", 7);
	virtio_config_write(dev, 6, buf, 1);
	virtio_config_write(dev, 0xffffffff, buf, 8);
	ck_assert_uint_eq(f.config_writes, 1);

	/* It grows with a feature. */
	negotiate(VIRTIO_FEATURE(FAKE_F_LONG));
	virtio_config_read(dev, 6, buf, 8);
	ck_assert_mem_eq(buf, "\xa6\xa7\xa8\xa9\0\0\0\0", 8);
	teardown();
}
END_TEST

START_TEST(reset_forgets_the_driver)
{
	uint64_t interrupts;
	uint32_t gen;

	setup();
	go_live();
	virtio_notify_config(dev);
	virtio_violation(dev, "test");
	gen = dev->config_gen;
	interrupts = dev->interrupts;
	f.resets = 0;
	virtio_reset(dev);
	ck_assert_uint_eq(f.resets, 1);
	ck_assert_uint_eq(dev->status, 0);
	ck_assert_uint_eq(dev->isr, 0);
	ck_assert_uint_eq(dev->acked, 0);
	ck_assert(!f.vq[0].ready);
	ck_assert_uint_eq(f.vq[0].desc_gpa, 0);
	ck_assert_uint_eq(f.vq[0].num, 8);
	ck_assert_uint_eq(f.vq[0].num_max, 8);
	ck_assert_uint_ge(dev->config_gen, gen);
	ck_assert_uint_eq(dev->interrupts, interrupts);
	ck_assert_uint_eq(dev->violations, 1);
	teardown();
}
END_TEST

UNIT_MAIN("virtio", init_offers_what_the_core_does, driver_ok_is_told_once,
	  kick_needs_a_live_device_and_a_ready_queue, buffers_are_echoed_and_interrupted,
	  buffers_used_before_a_violation_are_announced, no_interrupt_before_driver_ok,
	  violation_latches_and_interrupts_once, log_is_limited, config_is_clipped,
	  reset_forgets_the_driver)
