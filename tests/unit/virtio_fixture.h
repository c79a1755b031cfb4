/* SPDX-License-Identifier: Apache-2.0 */
/* The fake device with memory and an interrupt line, driven by the core's own functions. */
#ifndef AEROSTAT_TESTS_VIRTIO_FIXTURE_H
#define AEROSTAT_TESTS_VIRTIO_FIXTURE_H

#include <poll.h>
#include <unistd.h>

#include "tests/unit/ring.h"
#include "tests/unit/unit.h"
#include "tests/unit/virtio_fake.h"

#define RAM  0x10000ull
#define DATA 0x80000ull

#define A  VIRTIO_S_ACKNOWLEDGE
#define D  VIRTIO_S_DRIVER
#define F  VIRTIO_S_FEATURES_OK
#define OK VIRTIO_S_DRIVER_OK
#define NR VIRTIO_S_NEEDS_RESET
#define FA VIRTIO_S_FAILED

#define V1 VIRTIO_FEATURE(VIRTIO_F_BIT_VERSION_1)

static struct gmem mem;
static struct irq_line irq;
static struct fake f;
static struct virtio_device *dev = &f.virtio;
static struct ring ring;

static inline void setup(void)
{
	const struct gmem_span span = {RAM, 0x100000};

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(gmem_create(&mem, &span, 1, NULL), 0);
	ck_assert_int_eq(irq_line_init(&irq, 5), 0);
	fake_init(&f, &mem, &irq);
}

static inline void teardown(void)
{
	virtio_fini(dev);
	irq_line_fini(&irq);
	gmem_destroy(&mem);
}

/* Was the line raised since the last call? */
static inline bool raised(void)
{
	struct pollfd p = {.fd = irq.fd, .events = POLLIN};
	uint64_t n;

	if (poll(&p, 1, 0) != 1)
		return false;
	ck_assert_int_eq(read(irq.fd, &n, sizeof(n)), sizeof(n));
	return true;
}

static inline void accept_features(uint64_t features)
{
	virtio_set_features(dev, 0, (uint32_t)features);
	virtio_set_features(dev, 1, (uint32_t)(features >> 32));
}

/* Up to FEATURES_OK. */
static inline void negotiate(uint64_t features)
{
	virtio_reset(dev);
	virtio_set_status(dev, A);
	virtio_set_status(dev, A | D);
	accept_features(features | V1);
	virtio_set_status(dev, A | D | F);
}

static inline void enable(unsigned q, bool event_idx)
{
	const char *why;

	ring_init(&ring, &mem, RAM, 8, event_idx);
	f.vq[q].num = 8;
	f.vq[q].desc_gpa = ring.desc_gpa;
	f.vq[q].avail_gpa = ring.avail_gpa;
	f.vq[q].used_gpa = ring.used_gpa;
	ck_assert_int_eq(vq_enable(&f.vq[q], &mem, event_idx, false, &why), 0);
}

static inline void go_live(void)
{
	negotiate(FAKE_FEATURES);
	enable(0, false);
	virtio_set_status(dev, A | D | F | OK);
	ck_assert(virtio_live(dev));
}

#endif
