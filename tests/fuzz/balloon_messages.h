/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of fuzz_balloon.c's tame driver: page numbers, statistics, reported blocks. */
#ifndef AEROSTAT_TESTS_BALLOON_MESSAGES_H
#define AEROSTAT_TESTS_BALLOON_MESSAGES_H

#include "tests/fuzz/balloon_model.h"

/* A message in one to three segments, by an indirect table when it may be. */
static void step_message(struct input *in, unsigned q)
{
	uint8_t shape = byte(in), cut = byte(in);
	struct ring *r = &w.ring[q];
	struct msg *m = &w.msg[q][w.nmsg[q]];
	uint64_t gpa;
	struct ring_buf buf[3];
	uint32_t len;
	unsigned n = 1 + shape % 3;

	if (!w.tame || !w.set_up || n > r->num || free_descs(r) < n || w.nmsg[q] >= r->num)
		return;
	gpa = SLOT_GPA(q, w.slot[q]++ % QUEUE_MAX);
	m->n = 1 + cut % MSG_PFNS;
	for (unsigned i = 0; i < m->n; i++)
		m->pfn[i] = pick_pfn(byte(in));
	ring_poke(&w.mem, gpa, m->pfn, m->n * 4);
	len = m->n * 4 - (shape >> 2 & 1);
	buf[0] = (struct ring_buf){gpa, n > 1 ? 1 + cut % (len - 2) : len, false};
	buf[1] = (struct ring_buf){gpa + buf[0].len, n > 2 ? 1 : len - buf[0].len, false};
	buf[2] = (struct ring_buf){gpa + buf[0].len + 1, len - buf[0].len - 1, false};
	if (!buf[n - 1].len) /* three segments of two bytes */
		return;
	buf[n - 1].write = shape >> 3 & 1;
	m->bad = buf[n - 1].write || (q != BALLOON_VQ_STATS && len % 4);
	if (shape >> 4 & 1 && w.features >> VIRTIO_F_BIT_INDIRECT_DESC & 1)
		ring_add_indirect(r, gpa + SLOT_TABLE, buf, n);
	else
		ring_add(r, buf, n);
	w.nmsg[q]++;
}

/* Up to three blocks, which must latch when one is odd. */
static void step_report(struct input *in)
{
	uint8_t shape = byte(in);
	struct ring *r = &w.ring[REP];
	struct msg *m = &w.msg[REP][w.nmsg[REP]];
	struct ring_buf buf[BLOCKS];
	unsigned n = 1 + shape % BLOCKS;

	if (!w.tame || !w.set_up || n > r->num || free_descs(r) < n || w.nmsg[REP] >= r->num)
		return;
	*m = (struct msg){.n = n};
	for (unsigned i = 0; i < n; i++) {
		uint8_t how = byte(in);
		uint64_t index;

		m->pfn[i] = pick_pfn(byte(in));
		m->pages[i] = 1 + how % 8;
		buf[i] = (struct ring_buf){(uint64_t)m->pfn[i] * GMEM_PAGE_SIZE,
					   m->pages[i] * (uint32_t)GMEM_PAGE_SIZE, true};
		if (how >= 0xf8) {
			buf[i].write = how & 1;
			buf[i].len -= how >> 1 & 1;
			buf[i].gpa += how >> 2 & 1;
			m->bad |= how != 0xf9;
		}
		if (!gmem_pfn_to_index(&w.mem, m->pfn[i], &index) ||
		    m->pages[i] > gmem_index_span(&w.mem, index))
			m->bad = true;
	}
	if (shape & 16 && w.features >> VIRTIO_F_BIT_INDIRECT_DESC & 1)
		ring_add_indirect(r, SLOT_GPA(REP, w.slot[REP]++ % QUEUE_MAX) + SLOT_TABLE, buf,
				  n);
	else
		ring_add(r, buf, n);
	w.nmsg[REP]++;
}

#endif
