// SPDX-License-Identifier: Apache-2.0
/*
 * The reporting queue (virtio 1.2, section 5.5.6.7). A chain is up to BALLOON_QUEUE_SIZE
 * device-writable buffers, each a block of the guest's free memory. They are the device's until
 * the chain is returned; nothing is ever read from them or written to them. A block that is not
 * discarded, for whatever reason, is returned as it is: that is always allowed.
 */
#include "devices/balloon/internal.h"
#include "vmm/base/clock.h"

/*
 * How much is discarded before looking whether that is still wanted: more than a chain of
 * Linux's has, which is 32 times 4 MiB at most, and about 10 ms.
 */
#define PIECE_BYTES (128ull << 20)

/* What is wrong with a chain's form, or NULL. */
static const char *chain_fault(const struct vq_chain *c)
{
	if (c->nout)
		return "a chain with a device-readable buffer";
	for (unsigned i = 0; i < c->nin; i++) {
		if (c->seg[i].gpa % GMEM_PAGE_SIZE || c->seg[i].len % GMEM_PAGE_SIZE)
			return "a block that is not whole pages";
	}
	return NULL;
}

/*
 * May another len bytes go now? Each block takes the time that the rate gives for it, and the
 * next may go when that time has come; up to a second of it can be saved. A large block is let
 * through whole, and paid for by those after it.
 */
static bool within_rate(struct balloon *b, uint64_t len, uint64_t now)
{
	if (!b->report_rate)
		return true;
	if (b->report_paid_ns > now)
		return false;
	if (b->report_paid_ns + NSEC_PER_SEC < now)
		b->report_paid_ns = now - NSEC_PER_SEC;
	/* len has at most 32 bits, so no product here has more than 64. */
	b->report_paid_ns += len * NSEC_PER_SEC / b->report_rate;
	return true;
}

static void add_block(struct balloon *b, struct report *rep, const struct vq_seg *s,
		      uint64_t now)
{
	uint64_t unit = 1ull << b->dev.mem->region[0].page_shift;
	uint64_t begin = (s->gpa + unit - 1) & ~(unit - 1);
	uint64_t end = (s->gpa + s->len) & ~(unit - 1);
	uint64_t whole = begin < end ? end - begin : 0;
	struct balloon_reporting *count = &b->reporting;

	count->blocks++;
	count->reported += s->len;
	if (b->poison) {
		count->skipped_poison += s->len;
		return;
	}
	if (s->len < b->report_min) {
		count->skipped_min += s->len;
		return;
	}
	count->skipped_partial += s->len - whole;
	if (!whole)
		return;
	if (!within_rate(b, whole, now)) {
		count->skipped_rate += whole;
		return;
	}
	rep->range[rep->n++] = (struct reclaim_range){begin, whole};
	rep->bytes += whole;
}

bool balloon_report_take(struct balloon *b, struct report *rep)
{
	struct virtqueue *vq = balloon_queue(b, BALLOON_VQ_REPORTING);
	struct vq_seg seg[BALLOON_QUEUE_SIZE];
	struct vq_chain c = {.seg = seg, .seg_max = BALLOON_QUEUE_SIZE};
	uint64_t now = clock_now_ns();
	const char *fault;
	int rc;

	if (!vq || b->paused || !virtio_live(&b->dev))
		return false;
	rc = vq_pop(vq, &c);
	if (!rc)
		return false;
	fault = rc < 0 ? vq->why_broken : chain_fault(&c);
	if (fault) {
		virtio_violation(&b->dev, "reporting: %s", fault);
		return false;
	}
	rep->head = c.head;
	rep->n = 0;
	rep->bytes = rep->discarded = rep->failed = rep->ns = 0;
	for (unsigned i = 0; i < c.nin; i++)
		add_block(b, rep, &seg[i], now);
	return true;
}

/* The next piece: from range *i on, of which the first *done bytes are over with. */
static unsigned cut_piece(const struct report *rep, unsigned *i, uint64_t *done, uint64_t unit,
			  struct reclaim_range *piece, uint64_t *bytes)
{
	uint64_t room = unit > PIECE_BYTES ? unit : PIECE_BYTES;
	unsigned n = 0;

	*bytes = 0;
	while (*i < rep->n && room) {
		const struct reclaim_range *r = &rep->range[*i];
		uint64_t left = r->len - *done;
		uint64_t len = left < room ? left : room;

		piece[n++] = (struct reclaim_range){r->gpa + *done, len};
		*bytes += len;
		room -= len;
		*done += len;
		if (*done == r->len) {
			*done = 0;
			++*i;
		}
	}
	return n;
}

void balloon_report_discard(struct balloon *b, struct report *rep)
{
	uint64_t unit = 1ull << b->dev.mem->region[0].page_shift;
	struct reclaim_range piece[BALLOON_QUEUE_SIZE];
	uint64_t start = clock_now_ns();
	uint64_t done = 0, bytes;
	unsigned i = 0, n;

	while (!balloon_worker_stopped(b) &&
	       (n = cut_piece(rep, &i, &done, unit, piece, &bytes))) {
		uint64_t gone = reclaim_discard(b->reclaim, piece, n);

		rep->discarded += gone;
		rep->failed += bytes - gone;
	}
	rep->ns = clock_now_ns() - start;
}

void balloon_report_count(struct balloon *b, const struct report *rep)
{
	struct balloon_reporting *count = &b->reporting;

	count->discarded += rep->discarded;
	count->failed += rep->failed;
	count->skipped_stop += rep->bytes - rep->discarded - rep->failed;
	count->ns += rep->ns;
}

void balloon_report_return(struct balloon *b, uint16_t head)
{
	struct virtqueue *vq = balloon_queue(b, BALLOON_VQ_REPORTING);

	vq_push(vq, head, 0);
	virtio_notify_used(&b->dev, vq);
}
