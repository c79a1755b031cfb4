/* SPDX-License-Identifier: Apache-2.0 */
/* One virtqueue in guest memory, and the driver's side of its ring; for its two test files. */
#ifndef AEROSTAT_TESTS_VQ_FIXTURE_H
#define AEROSTAT_TESTS_VQ_FIXTURE_H

#include "devices/virtio/virtqueue.h"
#include "tests/unit/ring.h"
#include "tests/unit/unit.h"

/* Two regions of RAM, with a hole between them. */
#define RAM	 0x10000ull
#define RAM_LEN	 0x100000ull
#define RAM2	 0x40000000ull
#define RAM2_LEN 0x10000ull

#define RING  RAM
#define DATA  0x80000ull
#define TABLE 0xa0000ull

#define NUM 8

static struct gmem mem;
static struct ring ring;
static struct virtqueue vq;
static struct vq_seg seg[RING_MAX];
static struct vq_chain chain;

static inline void use_ring(uint16_t num, bool event_idx, bool indirect)
{
	const char *why;

	ring_init(&ring, &mem, RING, num, event_idx);
	vq = (struct virtqueue){.num_max = VQ_MAX_SIZE};
	vq_reset(&vq);
	vq.num = num;
	vq.desc_gpa = ring.desc_gpa;
	vq.avail_gpa = ring.avail_gpa;
	vq.used_gpa = ring.used_gpa;
	ck_assert_int_eq(vq_enable(&vq, &mem, event_idx, indirect, &why), 0);
	chain = (struct vq_chain){.seg = seg, .seg_max = RING_MAX};
}

static inline void setup(uint16_t num, bool event_idx, bool indirect)
{
	const struct gmem_span spans[] = {{RAM, RAM_LEN}, {RAM2, RAM2_LEN}};

	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	use_ring(num, event_idx, indirect);
}

static inline void add_one(void)
{
	ring_add(&ring, &(struct ring_buf){DATA, 16, false}, 1);
}

static inline void pop_one(void)
{
	ck_assert_int_eq(vq_pop(&vq, &chain), 1);
}

static inline void check_seg(unsigned i, uint64_t gpa, uint32_t len)
{
	ck_assert_uint_eq(seg[i].gpa, gpa);
	ck_assert_uint_eq(seg[i].len, len);
	ck_assert_ptr_eq(seg[i].hva, gmem_ptr(&mem, gpa, len));
}

#endif
