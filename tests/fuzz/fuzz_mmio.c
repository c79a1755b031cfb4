// SPDX-License-Identifier: Apache-2.0
/*
 * A driver's register accesses, in any order, with any width and value, and a device behind
 * them that echoes its buffers. The input is a list of operations: single accesses, the steps
 * of a bring-up (so that deep states are found soon), writes to guest memory, and events of the
 * device. The device (virtio_fake.h) asserts what the core promises it; here after each
 * operation:
 *   - status bits stand in their order, and NEEDS_RESET goes by reset only;
 *   - features are final from FEATURES_OK on and a subset of the offered ones;
 *   - a queue is ready only with settings that are right, whose areas are RAM;
 *   - reads have no bits beyond their width, nor beyond the configuration space.
 */
#include <assert.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "devices/virtio/mmio.h"
#include "tests/unit/virtio_fake.h"

#define RAM_LEN 0x4000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

struct world {
	struct gmem mem;
	struct irq_line irq;
	struct fake fake;
	struct virtio_mmio t;
	/* As of the operation before. */
	uint8_t status;
	uint64_t acked;
	unsigned resets;
};

static uint8_t u8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static uint16_t u16(struct input *in)
{
	uint16_t v = u8(in);

	return (uint16_t)(v | u8(in) << 8);
}

static uint64_t u64(struct input *in)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | u8(in);
	return v;
}

static void check_queue(const struct world *w, const struct virtqueue *vq)
{
	if (!vq->ready)
		return;
	assert(w->fake.virtio.status & VIRTIO_S_FEATURES_OK);
	assert(vq->num && vq->num <= vq->num_max && !(vq->num & (vq->num - 1)));
	assert(vq->desc == gmem_ptr(&w->mem, vq->desc_gpa, 16ull * vq->num));
	assert(vq->avail == gmem_ptr(&w->mem, vq->avail_gpa, 6 + 2ull * vq->num));
	assert(vq->used == gmem_ptr(&w->mem, vq->used_gpa, 6 + 8ull * vq->num));
	assert(vq->desc && vq->avail && vq->used);
	assert(vq->event_idx == virtio_has(&w->fake.virtio, VIRTIO_F_BIT_EVENT_IDX));
	assert(vq->indirect == virtio_has(&w->fake.virtio, VIRTIO_F_BIT_INDIRECT_DESC));
	assert((uint16_t)(vq->next_avail - vq->next_used) <= vq->num);
	assert(!vq->broken || w->fake.virtio.status & VIRTIO_S_NEEDS_RESET);
}

static void check(struct world *w)
{
	const struct virtio_device *dev = &w->fake.virtio;
	uint8_t order = dev->status & 15;

	assert(order == 0 || order == 1 || order == 3 || order == 11 || order == 15);
	assert(!(dev->status & ~(15 | VIRTIO_S_NEEDS_RESET | VIRTIO_S_FAILED)));
	assert(!(dev->isr & ~3) && (!dev->isr || dev->status & VIRTIO_S_DRIVER_OK));
	if (dev->status & VIRTIO_S_FEATURES_OK) {
		assert(!(dev->acked & ~dev->offered));
		assert(dev->acked >> 32 & 1);
	}
	if (w->fake.resets == w->resets) {
		assert(!(w->status & ~dev->status)); /* no bit went */
		if (w->status & VIRTIO_S_FEATURES_OK)
			assert(dev->acked == w->acked);
	} else {
		assert(w->fake.resets == w->resets + 1);
		assert(!dev->status && !dev->isr && !dev->acked);
	}
	for (unsigned q = 0; q < FAKE_NVQ; q++)
		check_queue(w, &w->fake.vq[q]);
	w->status = dev->status;
	w->acked = dev->acked;
	w->resets = w->fake.resets;
}

static void put(struct world *w, uint32_t reg, uint32_t v)
{
	virtio_mmio_ops.write(&w->t, reg, 4, v);
	check(w);
}

static void access_register(struct world *w, struct input *in, bool write)
{
	uint8_t how = u8(in);
	unsigned len = how & 0xf0 ? 4 : 1u << (how & 3);
	uint64_t off = how & 0x80 ? u16(in) % VIRTIO_MMIO_WINDOW : u8(in) * 4ull % 0x120;
	uint64_t v;

	if (off + len > VIRTIO_MMIO_WINDOW)
		return;
	if (write) {
		virtio_mmio_ops.write(&w->t, off, len, how & 0x40 ? u64(in) : u8(in));
		return;
	}
	v = virtio_mmio_ops.read(&w->t, off, len);
	assert(len == 8 || !(v >> 8 * len));
	if (off >= VIRTIO_MMIO_CONFIG + FAKE_CONFIG_LONG)
		assert(!v);
}

/* As far as a driver comes in one go; each of its steps may be left out. */
static void bring_up(struct world *w, struct input *in)
{
	uint8_t skip = u8(in), how = u8(in);
	uint32_t q = how & 1;

	if (!(skip & 1))
		put(w, VIRTIO_MMIO_STATUS, 0);
	if (!(skip & 2))
		put(w, VIRTIO_MMIO_STATUS, 1);
	put(w, VIRTIO_MMIO_STATUS, 3);
	put(w, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(w, VIRTIO_MMIO_DRIVER_FEATURES, skip & 4 ? u8(in) : 1);
	put(w, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	put(w, VIRTIO_MMIO_DRIVER_FEATURES, (how & 7) >> 1 << 28 | (how >> 3 & 1));
	put(w, VIRTIO_MMIO_STATUS, 11);
	put(w, VIRTIO_MMIO_QUEUE_SEL, skip & 8 ? u8(in) : q);
	put(w, VIRTIO_MMIO_QUEUE_NUM, skip & 16 ? u16(in) : q ? 32 : 8);
	put(w, VIRTIO_MMIO_QUEUE_DESC_LOW, how == 0xff ? u16(in) : 0);
	put(w, VIRTIO_MMIO_QUEUE_AVAIL_LOW, skip & 32 ? u16(in) : 0x400);
	put(w, VIRTIO_MMIO_QUEUE_USED_LOW, skip & 64 ? u16(in) : 0x800);
	if (how & 64) {
		put(w, VIRTIO_MMIO_QUEUE_DESC_HIGH, how & 16);
		put(w, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, how & 32);
		put(w, VIRTIO_MMIO_QUEUE_USED_HIGH, how & 128);
	}
	put(w, VIRTIO_MMIO_QUEUE_READY, 1);
	if (!(skip & 128))
		put(w, VIRTIO_MMIO_STATUS, 15);
}

static void write_memory(struct world *w, struct input *in)
{
	struct vring_desc d = {.addr = u16(in) & 0x7fff, .len = u8(in)};
	uint8_t where = u8(in);

	d.flags = u8(in) & 7;
	d.next = u8(in) % 10;
	if (d.flags & VRING_DESC_F_INDIRECT) {
		d.addr = 0x1000;
		d.len = 16 * (d.len % 12);
	}
	memcpy(w->mem.region[0].hva + (where & 128 ? 0x1000 : 0) + 16 * (where & 15), &d,
	       sizeof(d));
}

/* Make a descriptor of queue q available, and perhaps kick. */
static void offer(struct world *w, struct input *in)
{
	uint8_t how = u8(in);
	uint32_t q = how & 1;
	const struct virtqueue *vq = &w->fake.vq[q];
	uint8_t *avail = vq->ready ? vq->avail : NULL;
	uint16_t idx, head = how >> 1 & 7;

	if (avail) {
		memcpy(&idx, avail + 2, sizeof(idx));
		memcpy(avail + 4 + 2 * (idx % vq->num), &head, sizeof(head));
		idx = (uint16_t)(idx + (how >= 0xf8 ? u8(in) : 1));
		memcpy(avail + 2, &idx, sizeof(idx));
	}
	if (how & 16)
		put(w, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

/* What comes from the other side: the device itself, or the machine. */
static void event(struct world *w, struct input *in)
{
	uint8_t how = u8(in);

	if (how >= 0xfc) {
		virtio_mmio_reset(&w->t);
		return;
	}
	virtio_lock(&w->fake.virtio);
	if (how & 1)
		virtio_notify_config(&w->fake.virtio);
	else if (how & 2)
		virtio_notify_used(&w->fake.virtio, &w->fake.vq[how >> 2 & 1]);
	else if (how >= 0xf0)
		virtio_violation(&w->fake.virtio, "fuzz");
	virtio_unlock(&w->fake.virtio);
}

static void step(struct world *w, struct input *in)
{
	switch (u8(in) % 10) {
	case 0:
	case 1:
		access_register(w, in, false);
		break;
	case 2:
	case 3:
	case 4:
		access_register(w, in, true);
		break;
	case 5:
		bring_up(w, in);
		break;
	case 6:
	case 7:
		write_memory(w, in);
		break;
	case 8:
		offer(w, in);
		break;
	case 9:
		event(w, in);
		break;
	}
	check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gmem_span span = {0, RAM_LEN};
	static struct world w;
	struct input in = {data, size};

	log_set_level(LOG_ERROR);
	if (!w.mem.nregions &&
	    (gmem_create(&w.mem, &span, 1, NULL) || irq_line_init(&w.irq, 0)))
		return 0;
	memset(w.mem.region[0].hva, 0, RAM_LEN);
	fake_init(&w.fake, &w.mem, &w.irq);
	virtio_mmio_init(&w.t, &w.fake.virtio);
	w.status = 0;
	w.acked = 0;
	w.resets = 0;
	while (in.left)
		step(&w, &in);
	/* Whatever happened, a driver that does everything right gets its device. */
	w.resets = w.fake.resets;
	put(&w, VIRTIO_MMIO_STATUS, 0);
	put(&w, VIRTIO_MMIO_STATUS, 1);
	put(&w, VIRTIO_MMIO_STATUS, 3);
	put(&w, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(&w, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	put(&w, VIRTIO_MMIO_STATUS, 11);
	put(&w, VIRTIO_MMIO_STATUS, 15);
	assert(virtio_live(&w.fake.virtio));
	virtio_fini(&w.fake.virtio);
	return 0;
}
