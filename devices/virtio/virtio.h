/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio device core (virtio 1.2, sections 2 and 3): status, features, configuration
 * generation, queues, interrupts. A device embeds struct virtio_device and gives a const table
 * of operations; a transport (mmio.h) drives the core by the functions marked "transport".
 *
 * Thread and lock: `lock` protects everything of the device and its queues. The transport takes
 * it around every register access of a vCPU and calls the operations with it held. Anyone else
 * (event loop) takes it by virtio_lock(). No operation may wait for another thread, but for one
 * that takes no lock of a device while it is waited for: the reclaim engine's, a device's own.
 * It is a leaf but for the locks of those.
 */
#ifndef AEROSTAT_DEVICES_VIRTIO_VIRTIO_H
#define AEROSTAT_DEVICES_VIRTIO_VIRTIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/virtio/virtqueue.h"
#include "vmm/base/log.h"
#include "vmm/io/irq.h"

/* Feature bits of every device (virtio 1.2, section 6). */
#define VIRTIO_F_BIT_INDIRECT_DESC 28
#define VIRTIO_F_BIT_EVENT_IDX	   29
#define VIRTIO_F_BIT_VERSION_1	   32
#define VIRTIO_FEATURE(bit)	   (1ull << (bit))

/* Device status bits (2.1). */
#define VIRTIO_S_ACKNOWLEDGE 1u
#define VIRTIO_S_DRIVER	     2u
#define VIRTIO_S_DRIVER_OK   4u
#define VIRTIO_S_FEATURES_OK 8u
#define VIRTIO_S_NEEDS_RESET 64u
#define VIRTIO_S_FAILED	     128u

/* Interrupt status bits (4.2.2). */
#define VIRTIO_ISR_QUEUE  1u
#define VIRTIO_ISR_CONFIG 2u

struct virtio_device;

/* All are set; an operation with nothing to do is empty. */
struct virtio_device_ops {
	uint32_t device_id; /* section 5 */
	const char *name;   /* for the log */

	/*
	 * The size of the configuration space under the features negotiated so far, in bytes.
	 * The core answers zeros beyond it and drops writes beyond it.
	 */
	uint32_t (*config_len)(const struct virtio_device *dev);
	/* off + len is inside config_len. buf is little endian. */
	void (*config_read)(struct virtio_device *dev, uint32_t off, void *buf, uint32_t len);
	void (*config_write)(struct virtio_device *dev, uint32_t off, const void *buf,
			     uint32_t len);

	/* DRIVER_OK was set and the device is live; features and ready queues are final. */
	void (*driver_ok)(struct virtio_device *dev);
	/* The driver kicked queue q, which exists and is ready; only after DRIVER_OK. */
	void (*notify)(struct virtio_device *dev, unsigned q);
	/*
	 * Drop everything the driver gave, chains in flight too. The core resets queues and
	 * status afterwards. Also called on a device that is already reset.
	 */
	void (*reset)(struct virtio_device *dev);
};

/*
 * A way to be called later, from the device's owner. set() has virtio_look() called once,
 * VIRTIO_LOOK_NS from now, by a thread that doesn't hold the lock. set() itself is called with
 * the lock held, by any thread, and not again before that look has begun.
 */
struct virtio_alarm {
	void (*set)(void *opaque);
	void *opaque;
};

/*
 * One millisecond: a look costs less than the interrupts of the messages that a fast driver
 * sends in that time, and a driver that does sleep loses this much once in VIRTIO_AT_ONCE_MAX
 * messages, which take it longer than that by far. It begins with few of them and doubles while
 * the driver is found asleep, for a vCPU that lost its processor looks the same.
 */
#define VIRTIO_LOOK_NS	   1000000ull
#define VIRTIO_AT_ONCE_MIN 4
#define VIRTIO_AT_ONCE_MAX 256

struct virtio_device {
	const struct virtio_device_ops *ops;
	const struct gmem *mem;
	const struct irq_line *irq;
	struct virtio_alarm alarm; /* set by the device, if it calls virtio_notify_soon() */
	bool alarm_set;		   /* virtio_look() is to come */
	struct virtqueue *vq;	   /* nvq of them, owned by the device that embeds this */
	unsigned nvq;

	pthread_mutex_t lock;
	uint64_t offered, acked; /* feature bits */
	uint8_t status;
	uint8_t isr;	     /* VIRTIO_ISR_* waiting for InterruptACK */
	uint32_t config_gen; /* counts configuration changes made by the device */

	/* Counters, for stat. Kept over a reset. */
	uint64_t notifies;   /* kicks handed to the device */
	uint64_t interrupts; /* edges raised */
	uint64_t violations; /* what virtio_violation() and virtio_refuse() were called for */
	struct log_limit log;
};

/*
 * offered: the device's own feature bits; VERSION_1, EVENT_IDX and INDIRECT_DESC are added.
 * vq[] must have num_max set (a power of two up to VQ_MAX_SIZE). mem and irq must outlive the
 * device.
 */
void virtio_init(struct virtio_device *dev, const struct virtio_device_ops *ops,
		 uint64_t offered, struct virtqueue *vq, unsigned nvq, const struct gmem *mem,
		 const struct irq_line *irq);
void virtio_fini(struct virtio_device *dev);

void virtio_lock(struct virtio_device *dev);
void virtio_unlock(struct virtio_device *dev);

/* ---- for devices, lock held ---- */

/*
 * Did the driver accept a feature that was offered? Final from FEATURES_OK on; until then the
 * driver may still change its mind, which matters to config_len() alone.
 */
static inline bool virtio_has(const struct virtio_device *dev, unsigned feature_bit)
{
	return (dev->acked & dev->offered) >> feature_bit & 1;
}

/* DRIVER_OK, and neither FAILED nor NEEDS_RESET. */
bool virtio_live(const struct virtio_device *dev);

/* Interrupt for used buffers of vq if the driver wants one. Only after DRIVER_OK (2.1.2). */
void virtio_notify_used(struct virtio_device *dev, struct virtqueue *vq);

/*
 * As virtio_notify_used(), for a queue whose driver is likely to look for its buffer by itself
 * as soon as its kick is over (Linux's balloon does), and then needs no interrupt, although
 * event idx has it ask for one. The interrupt is owed, and decided by virtio_look(): one to two
 * VIRTIO_LOOK_NS from now it is raised, unless the driver has taken the buffers. (The standard
 * says when an interrupt is wanted, not how soon it comes.) A driver that did wait for it gets
 * the next interrupts of this queue at once: VIRTIO_AT_ONCE_MIN of them, and twice as many each
 * time that happens again, up to VIRTIO_AT_ONCE_MAX. There are never more interrupts than with
 * virtio_notify_used(). Without event idx it is the same as that.
 */
void virtio_notify_soon(struct virtio_device *dev, struct virtqueue *vq);

/* The configuration changed: bump the generation and, when live, raise a config interrupt. */
void virtio_notify_config(struct virtio_device *dev);

/*
 * The guest broke the protocol: latch DEVICE_NEEDS_RESET (2.1.2), raise a config interrupt if
 * DRIVER_OK is set and it wasn't latched before, count and log (rate-limited). The device then
 * ignores kicks until it is reset. printf-like.
 */
void virtio_violation(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The guest did something that has no effect on the device but shouldn't have happened: count
 * and log as above, nothing else.
 */
void virtio_refuse(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- for the owner ---- */

/* The alarm went off. Takes the lock. At any moment, also unasked: it is harmless then. */
void virtio_look(struct virtio_device *dev);

/* ---- for transports, lock held ---- */

/*
 * Write of the status register. 0 resets at any moment. Else bits are added one at a time:
 * ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK in this order (3.1.1), and FAILED after any of
 * them, after which only a reset helps. The bits already there must be written along, but for
 * NEEDS_RESET, which a driver can neither set nor clear. Anything else is refused.
 *
 * FEATURES_OK stays clear when the driver accepted a feature that wasn't offered, or not
 * VERSION_1 (2.2.2, 6.1); it may try again.
 */
void virtio_set_status(struct virtio_device *dev, uint32_t value);
/* Bits 32 * sel on of the features that the driver accepts; only from DRIVER to FEATURES_OK. */
void virtio_set_features(struct virtio_device *dev, uint32_t sel, uint32_t bits);
/* The driver notified queue q. Ignored unless the device is live and q exists and is ready. */
void virtio_kick(struct virtio_device *dev, uint32_t q);
/* Any off and len. What lies beyond the configuration space reads as zeros. */
void virtio_config_read(struct virtio_device *dev, uint32_t off, void *buf, uint32_t len);
void virtio_config_write(struct virtio_device *dev, uint32_t off, const void *buf,
			 uint32_t len);
/* Full reset, as writing 0 to the status register does. config_gen and counters go on. */
void virtio_reset(struct virtio_device *dev);

#endif
