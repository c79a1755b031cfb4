/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of a split virtqueue (virtio 1.2, section 2.7) for tests: puts buffers into
 * a ring in guest memory and takes used ones out. Layout and event rule come from the UAPI
 * header <linux/virtio_ring.h>, so that a mistake in virtqueue.c isn't made twice.
 *
 * A well-behaved driver uses ring_add(), ring_add_indirect() and ring_used(); a hostile one
 * writes with ring_set_desc(), ring_put() and ring_set_idx() whatever it likes. One thread per
 * ring; the device's side may run on another. Mistakes of the test are asserted.
 */
#ifndef AEROSTAT_TESTS_RING_H
#define AEROSTAT_TESTS_RING_H

#include <assert.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vmm/mem/gmem.h"

#define RING_MAX 1024
#define RING_END 0xffffu

struct ring {
	const struct gmem *mem;
	uint16_t num;
	bool event_idx;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint64_t end; /* gpa of the first page behind the ring */

	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;

	uint16_t idx;	    /* what avail->idx holds */
	uint16_t last_used; /* next used entry to take */
	uint16_t kicked;    /* idx at the last ring_needs_kick() */
	uint16_t cursor;    /* where the search for free descriptors begins */
	bool busy[RING_MAX];
	uint16_t next[RING_MAX]; /* our own record of chains in flight */
};

/* A buffer of a chain; write: the device writes it. */
struct ring_buf {
	uint64_t gpa;
	uint32_t len;
	bool write;
};

/* Copy between the test and guest memory. The range must be RAM. */
static inline void ring_poke(const struct gmem *mem, uint64_t gpa, const void *p, size_t len)
{
	void *hva = gmem_ptr(mem, gpa, len);

	assert(hva);
	memcpy(hva, p, len);
}

static inline void ring_peek(const struct gmem *mem, uint64_t gpa, void *p, size_t len)
{
	const void *hva = gmem_ptr(mem, gpa, len);

	assert(hva);
	memcpy(p, hva, len);
}

/* An empty ring of num entries at gpa (page-aligned); its areas follow each other. */
static inline void ring_init(struct ring *r, const struct gmem *mem, uint64_t gpa, uint16_t num,
			     bool event_idx)
{
	uint64_t avail_len = sizeof(struct vring_avail) + 2ull * num + 2;
	uint64_t used_len =
		sizeof(struct vring_used) + sizeof(struct vring_used_elem) * num + 2;

	assert(num && num <= RING_MAX && !(gpa % GMEM_PAGE_SIZE));
	memset(r, 0, sizeof(*r));
	r->mem = mem;
	r->num = num;
	r->event_idx = event_idx;
	r->desc_gpa = gpa;
	r->avail_gpa = gpa + sizeof(struct vring_desc) * num;
	r->used_gpa = (r->avail_gpa + avail_len + 3) & ~3ull;
	r->end = (r->used_gpa + used_len + GMEM_PAGE_SIZE - 1) & ~(GMEM_PAGE_SIZE - 1);
	r->desc = gmem_ptr(mem, gpa, r->end - gpa);
	assert(r->desc);
	memset(r->desc, 0, r->end - gpa);
	r->avail = gmem_ptr(mem, r->avail_gpa, avail_len);
	r->used = gmem_ptr(mem, r->used_gpa, used_len);
}

/* ---- raw writes, for hostile drivers ---- */

static inline void ring_set_desc(struct ring *r, uint16_t i, uint64_t gpa, uint32_t len,
				 uint16_t flags, uint16_t next)
{
	r->desc[i] = (struct vring_desc){gpa, len, flags, next};
}

/* Publish avail->idx as it is given. */
static inline void ring_set_idx(struct ring *r, uint16_t idx)
{
	r->idx = idx;
	__atomic_store_n(&r->avail->idx, idx, __ATOMIC_RELEASE);
}

/* Make head available, whatever it is. */
static inline void ring_put(struct ring *r, uint16_t head)
{
	r->avail->ring[r->idx % r->num] = head;
	ring_set_idx(r, (uint16_t)(r->idx + 1));
}

/* ---- a well-behaved driver ---- */

static inline uint16_t ring_alloc_desc(struct ring *r)
{
	for (unsigned i = 0; i < r->num; i++) {
		uint16_t d = (uint16_t)((r->cursor + i) % r->num);

		if (!r->busy[d]) {
			r->busy[d] = true;
			r->next[d] = RING_END;
			r->cursor = (uint16_t)((d + 1) % r->num);
			return d;
		}
	}
	assert(!"ring is full");
	return 0;
}

/* Make a chain of n buffers available. Returns its head. */
static inline uint16_t ring_add(struct ring *r, const struct ring_buf *b, unsigned n)
{
	uint16_t head = ring_alloc_desc(r), d = head;

	for (unsigned i = 0; i < n; i++) {
		uint16_t flags = b[i].write ? VRING_DESC_F_WRITE : 0;

		if (i + 1 < n) {
			r->next[d] = ring_alloc_desc(r);
			flags |= VRING_DESC_F_NEXT;
		}
		ring_set_desc(r, d, b[i].gpa, b[i].len, flags, r->next[d]);
		d = r->next[d];
	}
	ring_put(r, head);
	return head;
}

/* Write n descriptors, chained in order, into a table for an indirect descriptor. */
static inline void ring_fill_table(const struct ring *r, uint64_t table_gpa,
				   const struct ring_buf *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vring_desc d = {.addr = b[i].gpa, .len = b[i].len};

		d.flags = b[i].write ? VRING_DESC_F_WRITE : 0;
		if (i + 1 < n) {
			d.flags |= VRING_DESC_F_NEXT;
			d.next = (uint16_t)(i + 1);
		}
		ring_poke(r->mem, table_gpa + i * sizeof(d), &d, sizeof(d));
	}
}

/* The same chain through an indirect table at table_gpa (16-aligned, 16 bytes per buffer). */
static inline uint16_t ring_add_indirect(struct ring *r, uint64_t table_gpa,
					 const struct ring_buf *b, unsigned n)
{
	uint16_t head = ring_alloc_desc(r);

	ring_fill_table(r, table_gpa, b, n);
	ring_set_desc(r, head, table_gpa, (uint32_t)(n * sizeof(struct vring_desc)),
		      VRING_DESC_F_INDIRECT, 0);
	ring_put(r, head);
	return head;
}

/* Does the device want a kick for what was added since the last call? */
static inline bool ring_needs_kick(struct ring *r)
{
	uint16_t old = r->kicked;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r->kicked = r->idx;
	if (!r->event_idx) {
		uint16_t flags = __atomic_load_n(&r->used->flags, __ATOMIC_RELAXED);

		return !(flags & VRING_USED_F_NO_NOTIFY);
	}
	/* avail_event lies behind the used ring (2.7.10). */
	return vring_need_event(
		__atomic_load_n((const uint16_t *)&r->used->ring[r->num], __ATOMIC_RELAXED),
		r->idx, old);
}

/* Used entries that ring_used() hasn't taken yet. */
static inline uint16_t ring_used_pending(const struct ring *r)
{
	return (uint16_t)(__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) - r->last_used);
}

/* Take the next used buffer; false when there is none. Frees its descriptors. */
static inline bool ring_used(struct ring *r, uint16_t *head, uint32_t *len)
{
	struct vring_used_elem e;

	if (!ring_used_pending(r))
		return false;
	e = r->used->ring[r->last_used++ % r->num];
	assert(e.id < r->num);
	*head = (uint16_t)e.id;
	*len = e.len;
	for (uint16_t d = *head, next; d != RING_END && r->busy[d]; d = next) {
		next = r->next[d];
		r->busy[d] = false;
	}
	return true;
}

/* Interrupt me when used idx goes past v (event idx). */
static inline void ring_set_used_event(struct ring *r, uint16_t v)
{
	__atomic_store_n(&r->avail->ring[r->num], v, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Ask for no interrupts, or for them again (without event idx). */
static inline void ring_set_no_interrupt(struct ring *r, bool off)
{
	r->avail->flags = off ? VRING_AVAIL_F_NO_INTERRUPT : 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline uint16_t ring_avail_event(const struct ring *r)
{
	uint16_t v;

	memcpy(&v, &r->used->ring[r->num], sizeof(v));
	return v;
}

#endif
