// SPDX-License-Identifier: Apache-2.0
/*
 * The statistics queue (virtio 1.2, section 5.5.6.3) runs backwards: the driver queues one
 * buffer with its numbers, and we hold it until we want newer ones. Returning it is the
 * request; the answer is the same buffer, queued again.
 */
#include <errno.h>
#include <string.h>

#include "devices/balloon/internal.h"
#include "vmm/base/clock.h"

static void take_stats(struct balloon *b, const struct vq_chain *c)
{
	uint8_t copy[BALLOON_STATS_MAX_ENTRIES * BALLOON_STATS_ENTRY];
	size_t fill = 0;

	for (unsigned i = 0; i < c->nout && fill < sizeof(copy); i++) {
		size_t room = sizeof(copy) - fill;
		size_t n = c->seg[i].len < room ? c->seg[i].len : room;

		memcpy(copy + fill, c->seg[i].hva, n);
		fill += n;
	}
	balloon_stats_parse(&b->stats, copy, fill);
	b->stats_ns = clock_now_ns();
	b->stats_seq++;
	b->stats_held = true;
	b->stats_head = c->head;
}

void balloon_stats_kick(struct balloon *b)
{
	struct virtqueue *vq = balloon_queue(b, BALLOON_VQ_STATS);
	struct vq_seg seg[BALLOON_QUEUE_SIZE];
	struct vq_chain c = {.seg = seg, .seg_max = BALLOON_QUEUE_SIZE};
	int rc;

	while ((rc = vq_pop(vq, &c)) > 0) {
		const char *fault = NULL;

		/*
		 * A second buffer has no meaning, and returning either at once would make the
		 * driver fill it and kick again, round and round.
		 */
		if (b->stats_held)
			fault = "a second buffer";
		else if (c.nin || !c.nout)
			fault = "a buffer that is not readable";
		if (fault) {
			virtio_violation(&b->dev, "stats: %s", fault);
			return;
		}
		take_stats(b, &c);
	}
	if (rc < 0)
		virtio_violation(&b->dev, "stats: %s", vq->why_broken);
}

void balloon_stats_reset(struct balloon *b)
{
	b->stats_held = false;
	b->stats_ns = 0;
}

int balloon_stats_request(struct balloon *b)
{
	struct virtqueue *vq;
	int rc = 0;

	virtio_lock(&b->dev);
	if (b->dev.status & VIRTIO_S_NEEDS_RESET) {
		rc = -EIO;
	} else if (!virtio_live(&b->dev)) {
		rc = -ENOTCONN;
	} else if (!virtio_has(&b->dev, BALLOON_F_BIT_STATS_VQ)) {
		rc = -EOPNOTSUPP;
	} else if (!b->stats_held) {
		rc = -EINPROGRESS;
	} else {
		b->stats_held = false;
		vq = balloon_queue(b, BALLOON_VQ_STATS);
		vq_push(vq, b->stats_head, 0);
		virtio_notify_used(&b->dev, vq);
	}
	virtio_unlock(&b->dev);
	return rc;
}

int balloon_stats_get(struct balloon *b, struct balloon_stats *out, uint64_t *age_ms,
		      uint64_t *seq)
{
	int rc = -ENODATA;

	virtio_lock(&b->dev);
	if (b->stats_ns) {
		*out = b->stats;
		*age_ms = (clock_now_ns() - b->stats_ns) / NSEC_PER_MSEC;
		*seq = b->stats_seq;
		rc = 0;
	}
	virtio_unlock(&b->dev);
	return rc;
}

uint32_t balloon_stats_interval(struct balloon *b)
{
	uint32_t seconds;

	virtio_lock(&b->dev);
	seconds = b->stats_interval;
	virtio_unlock(&b->dev);
	return seconds;
}

void balloon_set_stats_interval(struct balloon *b, uint32_t seconds)
{
	virtio_lock(&b->dev);
	b->stats_interval = seconds;
	virtio_unlock(&b->dev);
}
