// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/mmio.h"

#define MAGIC	0x74726976u /* "virt" */
#define VERSION 2u
#define VENDOR	0x4f524541u /* "AERO" */

/* Section 4.2.2, table 4.1. */
enum {
	R_MAGIC = 0x000,
	R_VERSION = 0x004,
	R_DEVICE_ID = 0x008,
	R_VENDOR_ID = 0x00c,
	R_DEVICE_FEATURES = 0x010,
	R_DEVICE_FEATURES_SEL = 0x014,
	R_DRIVER_FEATURES = 0x020,
	R_DRIVER_FEATURES_SEL = 0x024,
	R_QUEUE_SEL = 0x030,
	R_QUEUE_NUM_MAX = 0x034,
	R_QUEUE_NUM = 0x038,
	R_QUEUE_READY = 0x044,
	R_QUEUE_NOTIFY = VIRTIO_MMIO_NOTIFY,
	R_INTERRUPT_STATUS = 0x060,
	R_INTERRUPT_ACK = 0x064,
	R_STATUS = 0x070,
	R_QUEUE_DESC_LOW = 0x080,
	R_QUEUE_DESC_HIGH = 0x084,
	R_QUEUE_DRIVER_LOW = 0x090,
	R_QUEUE_DRIVER_HIGH = 0x094,
	R_QUEUE_DEVICE_LOW = 0x0a0,
	R_QUEUE_DEVICE_HIGH = 0x0a4,
	R_SHM_SEL = 0x0ac,
	R_SHM_LEN_LOW = 0x0b0,
	R_SHM_LEN_HIGH = 0x0b4,
	R_SHM_BASE_LOW = 0x0b8,
	R_SHM_BASE_HIGH = 0x0bc,
	R_CONFIG_GENERATION = 0x0fc,
	R_CONFIG = 0x100,
};

static struct virtqueue *selected(const struct virtio_mmio *t)
{
	return t->queue_sel < t->dev->nvq ? &t->dev->vq[t->queue_sel] : NULL;
}

static uint32_t offered_word(const struct virtio_mmio *t)
{
	return t->device_features_sel > 1
		       ? 0
		       : (uint32_t)(t->dev->offered >> 32 * t->device_features_sel);
}

static uint32_t read_register(struct virtio_mmio *t, uint32_t reg)
{
	const struct virtqueue *vq = selected(t);
	struct virtio_device *dev = t->dev;

	switch (reg) {
	case R_MAGIC:
		return MAGIC;
	case R_VERSION:
		return VERSION;
	case R_DEVICE_ID:
		return dev->ops->device_id;
	case R_VENDOR_ID:
		return VENDOR;
	case R_DEVICE_FEATURES:
		return offered_word(t);
	case R_QUEUE_NUM_MAX:
		return vq ? vq->num_max : 0;
	case R_QUEUE_READY:
		return vq && vq->ready;
	case R_INTERRUPT_STATUS:
		return dev->isr;
	case R_STATUS:
		return dev->status;
	case R_SHM_LEN_LOW:
	case R_SHM_LEN_HIGH:
	case R_SHM_BASE_LOW:
	case R_SHM_BASE_HIGH:
		/* The answer for a region that doesn't exist (4.2.2.1). */
		return UINT32_MAX;
	case R_CONFIG_GENERATION:
		return dev->config_gen;
	default:
		virtio_refuse(dev, "read of register 0x%x", reg);
		return 0;
	}
}

/* Features are final and the driver doesn't use its queues yet (3.1.1, step 7). */
static bool queues_settable(const struct virtio_device *dev)
{
	const uint8_t stage = VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK | VIRTIO_S_FAILED |
			      VIRTIO_S_NEEDS_RESET;

	return (dev->status & stage) == VIRTIO_S_FEATURES_OK;
}

static void write_queue_ready(struct virtio_mmio *t, struct virtqueue *vq, uint32_t v)
{
	struct virtio_device *dev = t->dev;
	const char *why;

	if (!v) {
		if (vq)
			vq_disable(vq);
		return;
	}
	if (!vq || v != 1 || !queues_settable(dev)) {
		virtio_refuse(dev, "queue %u: ready 0x%x at status 0x%x", t->queue_sel, v,
			      dev->status);
		return;
	}
	if (!vq->ready && vq_enable(vq, dev->mem, virtio_has(dev, VIRTIO_F_BIT_EVENT_IDX),
				    virtio_has(dev, VIRTIO_F_BIT_INDIRECT_DESC), &why))
		virtio_violation(dev, "queue %u: %s", t->queue_sel, why);
}

static void set_low(uint64_t *gpa, uint32_t v)
{
	*gpa = (*gpa & ~0xffffffffull) | v;
}

static void set_high(uint64_t *gpa, uint32_t v)
{
	*gpa = (*gpa & 0xffffffffull) | (uint64_t)v << 32;
}

static void write_queue_field(struct virtio_mmio *t, struct virtqueue *vq, uint32_t reg,
			      uint32_t v)
{
	if (!vq || vq->ready || !queues_settable(t->dev)) {
		virtio_refuse(t->dev, "queue %u: write of register 0x%x at status 0x%x",
			      t->queue_sel, reg, t->dev->status);
		return;
	}
	switch (reg) {
	case R_QUEUE_NUM:
		/* Not cut to 16 bits, which could make it valid; vq_enable() refuses 0. */
		vq->num = v > UINT16_MAX ? 0 : (uint16_t)v;
		break;
	case R_QUEUE_DESC_LOW:
		set_low(&vq->desc_gpa, v);
		break;
	case R_QUEUE_DESC_HIGH:
		set_high(&vq->desc_gpa, v);
		break;
	case R_QUEUE_DRIVER_LOW:
		set_low(&vq->avail_gpa, v);
		break;
	case R_QUEUE_DRIVER_HIGH:
		set_high(&vq->avail_gpa, v);
		break;
	case R_QUEUE_DEVICE_LOW:
		set_low(&vq->used_gpa, v);
		break;
	case R_QUEUE_DEVICE_HIGH:
		set_high(&vq->used_gpa, v);
		break;
	}
}

static void reset_locked(struct virtio_mmio *t)
{
	virtio_reset(t->dev);
	/* Not t->dev: another vCPU reads it on its way to the lock. */
	t->device_features_sel = t->driver_features_sel = t->queue_sel = 0;
}

static void write_register(struct virtio_mmio *t, uint32_t reg, uint32_t v)
{
	struct virtqueue *vq = selected(t);
	struct virtio_device *dev = t->dev;

	switch (reg) {
	case R_DEVICE_FEATURES_SEL:
		t->device_features_sel = v;
		break;
	case R_DRIVER_FEATURES:
		virtio_set_features(dev, t->driver_features_sel, v);
		break;
	case R_DRIVER_FEATURES_SEL:
		t->driver_features_sel = v;
		break;
	case R_QUEUE_SEL:
		t->queue_sel = v;
		break;
	case R_QUEUE_NUM:
	case R_QUEUE_DESC_LOW:
	case R_QUEUE_DESC_HIGH:
	case R_QUEUE_DRIVER_LOW:
	case R_QUEUE_DRIVER_HIGH:
	case R_QUEUE_DEVICE_LOW:
	case R_QUEUE_DEVICE_HIGH:
		write_queue_field(t, vq, reg, v);
		break;
	case R_QUEUE_READY:
		write_queue_ready(t, vq, v);
		break;
	case R_QUEUE_NOTIFY:
		virtio_kick(dev, v);
		break;
	case R_INTERRUPT_ACK:
		dev->isr &= (uint8_t)~v;
		break;
	case R_STATUS:
		if (v)
			virtio_set_status(dev, v);
		else
			reset_locked(t);
		break;
	case R_SHM_SEL:
		/* Whatever is selected doesn't exist. */
		break;
	default:
		virtio_refuse(dev, "write of register 0x%x", reg);
	}
}

static bool is_register(uint64_t off, unsigned len)
{
	return len == 4 && !(off % 4);
}

static uint64_t mmio_read(void *opaque, uint64_t off, unsigned len)
{
	struct virtio_mmio *t = opaque;
	uint64_t v = 0;

	virtio_lock(t->dev);
	if (off >= R_CONFIG)
		virtio_config_read(t->dev, (uint32_t)off - R_CONFIG, &v, len);
	else if (is_register(off, len))
		v = read_register(t, (uint32_t)off);
	else
		virtio_refuse(t->dev, "read of %u bytes at 0x%x", len, (unsigned)off);
	virtio_unlock(t->dev);
	return v;
}

static void mmio_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct virtio_mmio *t = opaque;

	virtio_lock(t->dev);
	if (off >= R_CONFIG)
		virtio_config_write(t->dev, (uint32_t)off - R_CONFIG, &value, len);
	else if (is_register(off, len))
		write_register(t, (uint32_t)off, (uint32_t)value);
	else
		virtio_refuse(t->dev, "write of %u bytes at 0x%x", len, (unsigned)off);
	virtio_unlock(t->dev);
}

const struct bus_ops virtio_mmio_ops = {.read = mmio_read, .write = mmio_write};

void virtio_mmio_init(struct virtio_mmio *t, struct virtio_device *dev)
{
	*t = (struct virtio_mmio){.dev = dev};
}

void virtio_mmio_reset(struct virtio_mmio *t)
{
	virtio_lock(t->dev);
	reset_locked(t);
	virtio_unlock(t->dev);
}
