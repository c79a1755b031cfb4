// SPDX-License-Identifier: Apache-2.0
/*
 * The inflate and deflate queues (virtio 1.2, section 5.5.6). A message is a readable buffer of
 * le32 page numbers, 4 KiB pages whatever the guest's own size.
 */
#include <endian.h>
#include <string.h>

#include "devices/balloon/internal.h"
#include "vmm/base/clock.h"

/* Page numbers are copied out of guest memory in pieces of this many, each read once. */
#define PIECE_PFNS 256

static const char *const queue_name[] = {
	[BALLOON_VQ_INFLATE] = "inflate",
	[BALLOON_VQ_DEFLATE] = "deflate",
};

/* The page numbers are turned to the host's byte order in place. */
static void move_piece(struct balloon *b, unsigned q, uint32_t *pfn, size_t n,
		       struct reclaim_bad *bad)
{
	for (size_t i = 0; i < n; i++)
		pfn[i] = le32toh(pfn[i]);
	if (q == BALLOON_VQ_INFLATE) {
		reclaim_take(b->reclaim, pfn, n, bad);
		return;
	}
	reclaim_give(b->reclaim, pfn, n, bad);
	if (b->populate)
		reclaim_populate(b->reclaim, pfn, n);
}

/* Hand the page numbers of a checked chain to the engine. Segments may cut a number in two. */
static void move_pages(struct balloon *b, unsigned q, const struct vq_chain *c)
{
	uint32_t piece[PIECE_PFNS];
	struct reclaim_bad bad = {0};
	size_t fill = 0;

	for (unsigned i = 0; i < c->nout; i++) {
		const uint8_t *p = c->seg[i].hva;
		size_t left = c->seg[i].len;

		while (left) {
			size_t n = sizeof(piece) - fill < left ? sizeof(piece) - fill : left;

			memcpy((uint8_t *)piece + fill, p, n);
			p += n;
			left -= n;
			fill += n;
			if (fill == sizeof(piece)) {
				move_piece(b, q, piece, PIECE_PFNS, &bad);
				fill = 0;
			}
		}
	}
	move_piece(b, q, piece, fill / sizeof(piece[0]), &bad);
	/*
	 * Not worth a reset of the device: nothing was touched, and a guest may well have page
	 * numbers that we don't back, such as memory it was given by another device.
	 */
	if (bad.n && log_limit_ok(&b->log, clock_now_ns()))
		log_warn("balloon: %s: ignored %zu page numbers that are not RAM, first 0x%x",
			 queue_name[q], bad.n, bad.first);
}

/* What is wrong with a message's form, or NULL. */
static const char *chain_fault(const struct vq_chain *c)
{
	uint64_t bytes = 0;

	if (c->nin)
		return "a message with a device-writable buffer";
	if (!c->nout)
		return "an empty message";
	for (unsigned i = 0; i < c->nout; i++)
		bytes += c->seg[i].len;
	if (bytes % sizeof(uint32_t))
		return "a message that ends inside a page number";
	if (bytes / sizeof(uint32_t) > BALLOON_MAX_PFNS)
		return "a message of too many pages";
	return NULL;
}

/*
 * Take every message that is there, and only then return them. The order is the promise: a page
 * whose deflate message came back is not going to be discarded any more. A page whose inflate
 * message came back is on its way to the host, or gone when the driver did not negotiate
 * MUST_TELL_HOST: then it may use the page again at any moment.
 *
 * It also bounds the work of a kick without losing one. While nothing is returned vq_pop()
 * hands out no more than vq->num chains: a driver that keeps to the ring's rules has no more,
 * so the ring is then seen empty, which is when vq_pop() asks for the next kick; one that adds
 * more is using descriptors we still hold, and breaks the queue.
 */
void balloon_pages_kick(struct balloon *b, unsigned q)
{
	struct virtqueue *vq = &b->vq[q];
	struct vq_seg seg[BALLOON_QUEUE_SIZE];
	struct vq_chain c = {.seg = seg, .seg_max = BALLOON_QUEUE_SIZE};
	uint16_t taken[BALLOON_QUEUE_SIZE];
	uint64_t before = balloon_pages(b);
	unsigned n = 0;
	int rc;

	while ((rc = vq_pop(vq, &c)) > 0) {
		const char *fault = chain_fault(&c);

		if (fault) {
			virtio_violation(&b->dev, "%s: %s", queue_name[q], fault);
			break;
		}
		move_pages(b, q, &c);
		taken[n++] = c.head;
	}
	if (rc < 0)
		virtio_violation(&b->dev, "%s: %s", queue_name[q], vq->why_broken);
	if (!n)
		return;
	if (q == BALLOON_VQ_INFLATE)
		reclaim_settle(b->reclaim, virtio_has(&b->dev, BALLOON_F_BIT_MUST_TELL_HOST));
	for (unsigned i = 0; i < n; i++)
		vq_push(vq, taken[i], 0);
	*(q == BALLOON_VQ_INFLATE ? &b->inflate_msgs : &b->deflate_msgs) += n;
	if (balloon_pages(b) != before)
		b->progress_ns = clock_now_ns();
	virtio_notify_soon(&b->dev, vq);
}
