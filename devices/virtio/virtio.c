// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/virtio.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/clock.h"

#define CORE_FEATURES                                                                          \
	(VIRTIO_FEATURE(VIRTIO_F_BIT_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX) |     \
	 VIRTIO_FEATURE(VIRTIO_F_BIT_INDIRECT_DESC))

void virtio_init(struct virtio_device *dev, const struct virtio_device_ops *ops,
		 uint64_t offered, struct virtqueue *vq, unsigned nvq, const struct gmem *mem,
		 const struct irq_line *irq)
{
	*dev = (struct virtio_device){
		.ops = ops,
		.mem = mem,
		.irq = irq,
		.vq = vq,
		.nvq = nvq,
		.offered = offered | CORE_FEATURES,
	};
	pthread_mutex_init(&dev->lock, NULL);
	for (unsigned i = 0; i < nvq; i++) {
		uint16_t max = vq[i].num_max;

		assert(max && max <= VQ_MAX_SIZE && !(max & (max - 1)));
		vq_reset(&vq[i]);
	}
}

void virtio_fini(struct virtio_device *dev)
{
	pthread_mutex_destroy(&dev->lock);
}

void virtio_lock(struct virtio_device *dev)
{
	pthread_mutex_lock(&dev->lock);
}

void virtio_unlock(struct virtio_device *dev)
{
	pthread_mutex_unlock(&dev->lock);
}

bool virtio_live(const struct virtio_device *dev)
{
	return (dev->status & (VIRTIO_S_DRIVER_OK | VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED)) ==
	       VIRTIO_S_DRIVER_OK;
}

static void interrupt(struct virtio_device *dev, uint8_t isr)
{
	dev->isr |= isr;
	dev->interrupts++;
	irq_line_raise(dev->irq);
}

/* Not live: also with NEEDS_RESET buffers used before the violation are the driver's again. */
static bool may_notify(const struct virtio_device *dev)
{
	return dev->status & VIRTIO_S_DRIVER_OK;
}

static bool notify_at_once(struct virtio_device *dev, struct virtqueue *vq)
{
	if (!may_notify(dev) || !vq_need_interrupt(vq))
		return false;
	interrupt(dev, VIRTIO_ISR_QUEUE);
	return true;
}

void virtio_notify_used(struct virtio_device *dev, struct virtqueue *vq)
{
	notify_at_once(dev, vq);
}

static void set_alarm(struct virtio_device *dev)
{
	dev->alarm_set = true;
	dev->alarm.set(dev->alarm.opaque);
}

void virtio_notify_soon(struct virtio_device *dev, struct virtqueue *vq)
{
	if (!vq->event_idx || vq->at_once) {
		if (notify_at_once(dev, vq) && vq->at_once)
			vq->at_once--;
		return;
	}
	if (!may_notify(dev) || !vq_owe_interrupt(vq))
		return;
	vq->owed_young = dev->alarm_set;
	if (!dev->alarm_set)
		set_alarm(dev);
}

/* Is an interrupt owed for vq, and due? One that may become due asks for another look. */
static bool is_due(struct virtqueue *vq, bool *look_again)
{
	if (!vq->owed)
		return false;
	if (!vq_still_owed(vq)) {
		vq->at_once_of = 0;
		return false;
	}
	/*
	 * Pushed since the alarm was set, perhaps just now: that the driver hasn't taken it yet
	 * says nothing about it.
	 */
	if (vq->owed_young) {
		vq->owed_young = false;
		*look_again = true;
		return false;
	}
	vq_paid(vq);
	if (!vq->at_once_of)
		vq->at_once_of = VIRTIO_AT_ONCE_MIN;
	else if (vq->at_once_of < VIRTIO_AT_ONCE_MAX)
		vq->at_once_of *= 2;
	vq->at_once = vq->at_once_of;
	return true;
}

void virtio_look(struct virtio_device *dev)
{
	bool due = false, again = false;

	virtio_lock(dev);
	dev->alarm_set = false;
	for (unsigned i = 0; i < dev->nvq; i++)
		due |= is_due(&dev->vq[i], &again);
	if (due)
		interrupt(dev, VIRTIO_ISR_QUEUE);
	if (again)
		set_alarm(dev);
	virtio_unlock(dev);
}

void virtio_notify_config(struct virtio_device *dev)
{
	dev->config_gen++;
	if (virtio_live(dev))
		interrupt(dev, VIRTIO_ISR_CONFIG);
}

__attribute__((format(printf, 2, 0))) static void count(struct virtio_device *dev,
							const char *fmt, va_list ap)
{
	char text[256];

	dev->violations++;
	if (!log_limit_ok(&dev->log, clock_now_ns()))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	log_warn("%s: guest error: %s", dev->ops->name, text);
}

void virtio_violation(struct virtio_device *dev, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	count(dev, fmt, ap);
	va_end(ap);
	if (dev->status & VIRTIO_S_NEEDS_RESET)
		return;
	dev->status |= VIRTIO_S_NEEDS_RESET;
	if (dev->status & VIRTIO_S_DRIVER_OK)
		interrupt(dev, VIRTIO_ISR_CONFIG);
}

void virtio_refuse(struct virtio_device *dev, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	count(dev, fmt, ap);
	va_end(ap);
}

static bool features_acceptable(const struct virtio_device *dev)
{
	return !(dev->acked & ~dev->offered) && virtio_has(dev, VIRTIO_F_BIT_VERSION_1);
}

/* The one bit that a driver may add to these, besides FAILED; 0: none. */
static uint8_t next_status_bit(uint8_t status)
{
	switch (status) {
	case 0:
		return VIRTIO_S_ACKNOWLEDGE;
	case VIRTIO_S_ACKNOWLEDGE:
		return VIRTIO_S_DRIVER;
	case VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER:
		return VIRTIO_S_FEATURES_OK;
	case VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK:
		return VIRTIO_S_DRIVER_OK;
	default:
		return 0;
	}
}

void virtio_set_status(struct virtio_device *dev, uint32_t value)
{
	uint8_t latched = dev->status & VIRTIO_S_NEEDS_RESET;
	uint8_t have = dev->status & ~VIRTIO_S_NEEDS_RESET;
	uint32_t bits = value & ~(uint32_t)latched;
	uint32_t added = bits & ~(uint32_t)have;
	bool dropped = have & ~bits;

	if (!value) {
		virtio_reset(dev);
		return;
	}
	if (!dropped && !added)
		return;
	if (dropped || (added != next_status_bit(have) && added != VIRTIO_S_FAILED)) {
		virtio_refuse(dev, "status 0x%x written over 0x%x", value, dev->status);
		return;
	}
	if (added == VIRTIO_S_FEATURES_OK && !features_acceptable(dev)) {
		virtio_refuse(dev, "features 0x%llx refused, 0x%llx are offered",
			      (unsigned long long)dev->acked, (unsigned long long)dev->offered);
		return;
	}
	dev->status |= (uint8_t)added;
	if (added == VIRTIO_S_DRIVER_OK && virtio_live(dev))
		dev->ops->driver_ok(dev);
}

void virtio_set_features(struct virtio_device *dev, uint32_t sel, uint32_t bits)
{
	const uint8_t stage = VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK | VIRTIO_S_FAILED;
	uint64_t mask;

	if ((dev->status & stage) != VIRTIO_S_DRIVER) {
		virtio_refuse(dev, "features written at status 0x%x", dev->status);
		return;
	}
	if (sel > 1) {
		if (bits)
			virtio_refuse(dev, "feature bits 0x%x of word %u don't exist", bits,
				      sel);
		return;
	}
	mask = 0xffffffffull << 32 * sel;
	dev->acked = (dev->acked & ~mask) | (uint64_t)bits << 32 * sel;
}

void virtio_kick(struct virtio_device *dev, uint32_t q)
{
	/* A driver that hasn't seen NEEDS_RESET yet goes on kicking, which is no news. */
	if (!virtio_live(dev))
		return;
	if (q >= dev->nvq || !dev->vq[q].ready) {
		virtio_refuse(dev, "queue %u was notified but isn't ready", q);
		return;
	}
	dev->notifies++;
	dev->ops->notify(dev, q);
}

/* How many of the len bytes from off on are configuration space. */
static uint32_t config_clip(const struct virtio_device *dev, uint32_t off, uint32_t len)
{
	uint32_t size = dev->ops->config_len(dev);

	if (off >= size)
		return 0;
	return len < size - off ? len : size - off;
}

void virtio_config_read(struct virtio_device *dev, uint32_t off, void *buf, uint32_t len)
{
	uint32_t n = config_clip(dev, off, len);

	memset(buf, 0, len);
	if (n)
		dev->ops->config_read(dev, off, buf, n);
}

void virtio_config_write(struct virtio_device *dev, uint32_t off, const void *buf, uint32_t len)
{
	uint32_t n = config_clip(dev, off, len);

	if (n)
		dev->ops->config_write(dev, off, buf, n);
}

void virtio_reset(struct virtio_device *dev)
{
	dev->ops->reset(dev);
	for (unsigned i = 0; i < dev->nvq; i++)
		vq_reset(&dev->vq[i]);
	dev->status = 0;
	dev->isr = 0;
	dev->acked = 0;
}
