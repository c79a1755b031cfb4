/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over MMIO, version 2 (virtio 1.2, section 4.2): one 4 KiB window per device.
 *
 * Registers (below 0x100) take aligned 4-byte accesses only; configuration space (from 0x100
 * on) takes 1, 2, 4 and 8 bytes. Anything else, also a register that doesn't exist in that
 * direction, reads as zero, is dropped when written, and is refused by virtio_refuse(): a
 * probing guest did no harm.
 *
 * QueueNum and the queue's addresses are writable, and QueueReady can be set, only between
 * FEATURES_OK and DRIVER_OK, and only while the queue isn't ready (4.2.2.2). QueueReady can be
 * cleared at any time: the queue stops. A ring that is unusable when it is made ready is a
 * violation. QueueReset isn't offered, and there is no shared memory.
 */
#ifndef AEROSTAT_DEVICES_VIRTIO_MMIO_H
#define AEROSTAT_DEVICES_VIRTIO_MMIO_H

#include "devices/virtio/virtio.h"
#include "vmm/io/bus.h"

#define VIRTIO_MMIO_WINDOW 0x1000u
#define VIRTIO_MMIO_NOTIFY 0x050u /* QueueNotify, for ioeventfd */

struct virtio_mmio {
	struct virtio_device *dev;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
};

void virtio_mmio_init(struct virtio_mmio *t, struct virtio_device *dev);

/* For bus_add(); opaque is the struct virtio_mmio. Takes the device's lock. Any vCPU thread. */
extern const struct bus_ops virtio_mmio_ops;

/*
 * Reset the device and the transport's selectors (guest reboot; vCPUs stopped). Takes the
 * device's lock. Writing 0 to the Status register does the same.
 */
void virtio_mmio_reset(struct virtio_mmio *t);

#endif
