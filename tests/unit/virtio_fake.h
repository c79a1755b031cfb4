/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small virtio device for the tests of the core and the transport, and their fuzzer. Kicked,
 * it copies each buffer's readable part into its writable part and returns it. Its 10 bytes of
 * configuration count up from 0xa0, the last 4 of them only with FAKE_F_LONG. It asserts what
 * the core promises to a device, and to its owner.
 */
#ifndef AEROSTAT_TESTS_VIRTIO_FAKE_H
#define AEROSTAT_TESTS_VIRTIO_FAKE_H

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "devices/virtio/virtio.h"

#define FAKE_ID		  42u
#define FAKE_NVQ	  2
#define FAKE_F_LONG	  0 /* feature bits of its own */
#define FAKE_F_HIGH	  40
#define FAKE_FEATURES	  (VIRTIO_FEATURE(FAKE_F_LONG) | VIRTIO_FEATURE(FAKE_F_HIGH))
#define FAKE_SEGS	  8
#define FAKE_CONFIG_SHORT 6u
#define FAKE_CONFIG_LONG  10u

struct fake {
	struct virtio_device virtio; /* first */
	struct virtqueue vq[FAKE_NVQ];
	uint8_t config[FAKE_CONFIG_LONG];
	unsigned oks, kicks, resets, popped;
	unsigned kicked; /* the queue of the last kick */
	unsigned config_writes;
	bool soon; /* notifies by virtio_notify_soon() */
	unsigned alarms;
	bool alarm_set;
	uint32_t last_off, last_len; /* of the last configuration access */
};

static inline struct fake *fake_of(struct virtio_device *dev)
{
	return (struct fake *)dev;
}

static inline uint32_t fake_config_len(const struct virtio_device *dev)
{
	return virtio_has(dev, FAKE_F_LONG) ? FAKE_CONFIG_LONG : FAKE_CONFIG_SHORT;
}

static inline void fake_config_read(struct virtio_device *dev, uint32_t off, void *buf,
				    uint32_t len)
{
	struct fake *f = fake_of(dev);

	assert(len && off < fake_config_len(dev) && len <= fake_config_len(dev) - off);
	f->last_off = off;
	f->last_len = len;
	memcpy(buf, f->config + off, len);
}

static inline void fake_config_write(struct virtio_device *dev, uint32_t off, const void *buf,
				     uint32_t len)
{
	struct fake *f = fake_of(dev);

	assert(len && off < fake_config_len(dev) && len <= fake_config_len(dev) - off);
	f->last_off = off;
	f->last_len = len;
	f->config_writes++;
	memcpy(f->config + off, buf, len);
}

static inline void fake_driver_ok(struct virtio_device *dev)
{
	assert(virtio_live(dev));
	fake_of(dev)->oks++;
}

static inline uint32_t fake_echo(const struct vq_chain *c)
{
	unsigned out = 0, in = c->nout;
	uint32_t out_off = 0, in_off = 0, written = 0;

	while (out < c->nout && in < c->nout + c->nin) {
		const struct vq_seg *from = &c->seg[out], *to = &c->seg[in];
		uint32_t n = from->len - out_off;

		if (n > to->len - in_off)
			n = to->len - in_off;
		/* A driver may give the same memory twice. */
		memmove((char *)to->hva + in_off, (char *)from->hva + out_off, n);
		written += n;
		out_off += n;
		in_off += n;
		if (out_off == from->len) {
			out++;
			out_off = 0;
		}
		if (in_off == to->len) {
			in++;
			in_off = 0;
		}
	}
	return written;
}

static inline void fake_notify(struct virtio_device *dev, unsigned q)
{
	struct vq_seg seg[FAKE_SEGS];
	struct vq_chain c = {.seg = seg, .seg_max = FAKE_SEGS};
	struct fake *f = fake_of(dev);
	struct virtqueue *vq = &f->vq[q];
	int rc;

	assert(virtio_live(dev) && q < FAKE_NVQ && vq->ready);
	f->kicks++;
	f->kicked = q;
	while ((rc = vq_pop(vq, &c)) > 0) {
		f->popped++;
		vq_push(vq, c.head, fake_echo(&c));
	}
	if (rc < 0)
		virtio_violation(dev, "queue %u: %s", q, vq->why_broken);
	if (f->soon)
		virtio_notify_soon(dev, vq);
	else
		virtio_notify_used(dev, vq);
}

static inline void fake_reset(struct virtio_device *dev)
{
	fake_of(dev)->resets++;
}

static const struct virtio_device_ops fake_ops = {
	.device_id = FAKE_ID,
	.name = "fake",
	.config_len = fake_config_len,
	.config_read = fake_config_read,
	.config_write = fake_config_write,
	.driver_ok = fake_driver_ok,
	.notify = fake_notify,
	.reset = fake_reset,
};

static inline void fake_set_alarm(void *opaque)
{
	struct fake *f = opaque;

	assert(!f->alarm_set);
	f->alarm_set = true;
	f->alarms++;
}

/* The alarm, if it was set, goes off. */
static inline void fake_look(struct fake *f)
{
	if (!f->alarm_set)
		return;
	f->alarm_set = false;
	virtio_look(&f->virtio);
}

/* Queue 0 has up to 8 entries, queue 1 up to 256. */
static inline void fake_init(struct fake *f, const struct gmem *mem, const struct irq_line *irq)
{
	memset(f, 0, sizeof(*f));
	f->vq[0].num_max = 8;
	f->vq[1].num_max = 256;
	for (unsigned i = 0; i < sizeof(f->config); i++)
		f->config[i] = (uint8_t)(0xa0 + i);
	virtio_init(&f->virtio, &fake_ops, FAKE_FEATURES, f->vq, FAKE_NVQ, mem, irq);
	f->virtio.alarm = (struct virtio_alarm){.set = fake_set_alarm, .opaque = f};
}

#endif
