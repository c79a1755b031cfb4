/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest driver for tests: brings a device up through the registers of its mmio transport
 * (virtio 1.2, sections 3.1.1 and 4.2.3) and gives it rings of ring.h.
 *
 *	ring_init(&r, mem, gpa, 256, true);
 *	drv_negotiate(&t, features);         features of the device; VERSION_1 is added
 *	drv_queue(&t, 0, &r);
 *	drv_ok(&t);
 *	ring_add(&r, buf, 1);
 *	drv_kick(&t, 0);
 */
#ifndef AEROSTAT_TESTS_DRIVER_H
#define AEROSTAT_TESTS_DRIVER_H

#include <linux/virtio_mmio.h>

#include "devices/virtio/mmio.h"
#include "tests/unit/ring.h"

static inline uint32_t drv_read(struct virtio_mmio *t, uint32_t reg)
{
	return (uint32_t)virtio_mmio_ops.read(t, reg, 4);
}

static inline void drv_write(struct virtio_mmio *t, uint32_t reg, uint32_t v)
{
	virtio_mmio_ops.write(t, reg, 4, v);
}

static inline uint32_t drv_status(struct virtio_mmio *t)
{
	return drv_read(t, VIRTIO_MMIO_STATUS);
}

static inline void drv_reset(struct virtio_mmio *t)
{
	drv_write(t, VIRTIO_MMIO_STATUS, 0);
}

static inline uint64_t drv_offered(struct virtio_mmio *t)
{
	uint64_t v;

	drv_write(t, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	v = (uint64_t)drv_read(t, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	drv_write(t, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return v | drv_read(t, VIRTIO_MMIO_DEVICE_FEATURES);
}

static inline void drv_accept(struct virtio_mmio *t, uint64_t features)
{
	drv_write(t, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	drv_write(t, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	drv_write(t, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	drv_write(t, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

/* Reset and negotiate `features` and VERSION_1. Was FEATURES_OK granted? */
static inline bool drv_negotiate(struct virtio_mmio *t, uint64_t features)
{
	uint32_t s = VIRTIO_S_ACKNOWLEDGE;

	drv_reset(t);
	drv_write(t, VIRTIO_MMIO_STATUS, s);
	drv_write(t, VIRTIO_MMIO_STATUS, s |= VIRTIO_S_DRIVER);
	drv_accept(t, features | VIRTIO_FEATURE(VIRTIO_F_BIT_VERSION_1));
	drv_write(t, VIRTIO_MMIO_STATUS, s | VIRTIO_S_FEATURES_OK);
	return drv_status(t) & VIRTIO_S_FEATURES_OK;
}

/* Give queue q the ring r. Did the device take it (QueueReady reads 1)? */
static inline bool drv_queue(struct virtio_mmio *t, uint32_t q, const struct ring *r)
{
	drv_write(t, VIRTIO_MMIO_QUEUE_SEL, q);
	drv_write(t, VIRTIO_MMIO_QUEUE_NUM, r->num);
	drv_write(t, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)r->desc_gpa);
	drv_write(t, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(r->desc_gpa >> 32));
	drv_write(t, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)r->avail_gpa);
	drv_write(t, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(r->avail_gpa >> 32));
	drv_write(t, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)r->used_gpa);
	drv_write(t, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(r->used_gpa >> 32));
	drv_write(t, VIRTIO_MMIO_QUEUE_READY, 1);
	return drv_read(t, VIRTIO_MMIO_QUEUE_READY) == 1;
}

/* Set DRIVER_OK. Is the device live now? */
static inline bool drv_ok(struct virtio_mmio *t)
{
	drv_write(t, VIRTIO_MMIO_STATUS, drv_status(t) | VIRTIO_S_DRIVER_OK);
	return drv_status(t) & VIRTIO_S_DRIVER_OK;
}

static inline void drv_kick(struct virtio_mmio *t, uint32_t q)
{
	drv_write(t, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

/* Read InterruptStatus and acknowledge what it shows, as an interrupt handler does. */
static inline uint32_t drv_take_isr(struct virtio_mmio *t)
{
	uint32_t isr = drv_read(t, VIRTIO_MMIO_INTERRUPT_STATUS);

	drv_write(t, VIRTIO_MMIO_INTERRUPT_ACK, isr);
	return isr;
}

static inline uint64_t drv_config_read(struct virtio_mmio *t, uint32_t off, unsigned len)
{
	return virtio_mmio_ops.read(t, VIRTIO_MMIO_CONFIG + off, len);
}

static inline void drv_config_write(struct virtio_mmio *t, uint32_t off, unsigned len,
				    uint64_t v)
{
	virtio_mmio_ops.write(t, VIRTIO_MMIO_CONFIG + off, len, v);
}

#endif
