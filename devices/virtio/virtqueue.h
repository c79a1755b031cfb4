/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device side of a split virtqueue (virtio 1.2, section 2.7), with indirect descriptors
 * (2.7.5.3) and event idx (2.7.10).
 *
 * The ring in guest memory, written by the driver at any time:
 *
 *      descriptor table          avail ring              used ring
 *      addr len flags next       flags idx ring[num]     flags idx ring[num]{id,len}
 *            |                   used_event              avail_event
 *            |                        |                       ^
 *            +---- head <-------------+                       |
 *            |                                                |
 *      vq_pop() gives a chain of segments -> device -> vq_push()
 *
 * All validation of what the guest wrote is here and only here: a chain that vq_pop() hands out
 * lies inside guest RAM, ends, is no longer than the queue, and has its readable segments
 * before its writable ones. Every descriptor and index is read once into a local. A ring that
 * breaks the rules makes vq_pop() return -EPROTO with a reason; the queue is then broken and
 * stays empty until it is reset. Rules whose breach is refused:
 *
 *   - avail idx never moves back, nor past the descriptors that the driver can own: chains
 *     available and chains in flight together are at most the queue size (2.7.6.1);
 *   - heads and next fields are inside their table; a chain has at most queue size segments,
 *     so a loop is refused, and at most 2^32 bytes (2.7.5.2);
 *   - a segment has at least one byte, and lies in one region of RAM;
 *   - an indirect descriptor needs the feature, ends its chain, isn't in an indirect table, and
 *     its table is a positive multiple of 16 bytes inside RAM (2.7.5.3). Ordinary descriptors
 *     may come before it, and its write flag means nothing (2.7.5.3.2).
 *
 * What is written into the ring here is marked by gmem_dirty(). A device that fills a writable
 * segment marks that itself, before it pushes the chain.
 *
 * A queue belongs to its device's lock; nothing here locks.
 */
#ifndef AEROSTAT_DEVICES_VIRTIO_VIRTQUEUE_H
#define AEROSTAT_DEVICES_VIRTIO_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem/gmem.h"

#define VQ_MAX_SIZE 1024 /* entries; our limit, virtio allows 32768 */

struct virtqueue {
	/* Set by the device at creation. */
	uint16_t num_max;

	/* Set by the driver through the transport while the queue isn't ready. */
	uint16_t num;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	bool ready;

	/* Ours, valid while ready. */
	const struct gmem *mem;
	void *desc, *avail, *used; /* validated as a whole by vq_enable() */
	uint16_t next_avail;	   /* next avail ring entry to look at */
	uint16_t next_used;	   /* next used ring entry to write */
	uint32_t unsignalled;	   /* pushed since the last vq_need_interrupt() */
	uint32_t owed;		   /* how many of the last pushed, see vq_owe_interrupt() */
	bool owed_young;	   /* for virtio_look(): younger than the alarm */
	uint16_t at_once;	   /* for virtio.h: so many interrupts are raised at once, */
	uint16_t at_once_of;	   /* of so many */
	bool event_idx, indirect;  /* negotiated */
	bool broken;
	const char *why_broken; /* static text */
};

/* One buffer of a chain. hva is valid for len bytes; len is at least 1. */
struct vq_seg {
	uint64_t gpa;
	void *hva;
	uint32_t len;
};

/*
 * A popped chain. seg[] is the caller's array of seg_max entries: nout readable segments, then
 * nin writable ones. A chain with more segments than the array breaks the queue.
 */
struct vq_chain {
	uint16_t head;
	uint16_t nout, nin;
	uint16_t seg_max;
	struct vq_seg *seg;
};

/* Forget the driver's settings and ours; keeps num_max. num becomes num_max. */
void vq_reset(struct virtqueue *vq);

/*
 * The driver made the queue ready: check num (power of two, 1..num_max), alignment (16, 2, 4;
 * section 2.7) and that the three areas lie in guest RAM, then start at index 0 with a cleared
 * used ring header. mem must outlive the queue's use. 0, or -EPROTO with *why set to a static
 * text.
 */
int vq_enable(struct virtqueue *vq, const struct gmem *mem, bool event_idx, bool indirect,
	      const char **why);

/*
 * The driver takes the queue away; its addresses and size stay. Chains in flight are gone: to
 * push one does nothing.
 */
void vq_disable(struct virtqueue *vq);

/*
 * Take the next available chain. 1 and *c filled, 0 when the ring is empty (or the queue isn't
 * ready, or broken), -EPROTO when the ring breaks the rules: the queue is broken from then on
 * and vq->why_broken says why.
 *
 * Pop until it gives 0: only on an empty ring avail_event is moved so that the driver's next
 * buffer makes it notify us. A device that stops earlier has to come back by itself.
 */
int vq_pop(struct virtqueue *vq, struct vq_chain *c);

/*
 * Return a chain with the number of bytes written into its writable part. Every popped chain
 * is pushed exactly once, in any order, unless the queue is reset before; one push too many is
 * asserted. Does nothing on a queue that isn't ready or is broken.
 */
void vq_push(struct virtqueue *vq, uint16_t head, uint32_t written);

/*
 * Must the driver be interrupted for what was pushed since the last call? Answers by
 * used_event with event idx (2.7.10), else by the avail ring's flags (2.7.7). Call once after
 * one or more vq_push(); false when there were none, or the queue isn't ready.
 */
bool vq_need_interrupt(struct virtqueue *vq);

/*
 * For an interrupt that comes later or not at all; with event idx only (asserted).
 *
 * vq_owe_interrupt() answers as vq_need_interrupt(). Where that is true the interrupt is owed
 * from then on, for what was pushed since the last call and for all that is pushed until it is
 * raised. One that was owed before is then done with: used_event got past its buffers.
 *
 * vq_still_owed(): is an interrupt owed, and used_event still among the buffers it is owed for?
 * If it isn't, the driver took them meanwhile, and nothing is owed any more. No driver is left
 * asleep by this: one that moves used_event looks at used idx once more before it sleeps
 * (2.7.14), and our buffers are there.
 *
 * vq_paid(): the interrupt was raised.
 */
bool vq_owe_interrupt(struct virtqueue *vq);
bool vq_still_owed(struct virtqueue *vq);
void vq_paid(struct virtqueue *vq);

#endif
