// SPDX-License-Identifier: Apache-2.0
/*
 * The device's side of a virtqueue over memory that the guest fills as it likes.
 *
 * The input sets the queue up, then is a list of operations: write to memory (raw, or a
 * descriptor or ring entry that is nearly right), pop, push, decide on an interrupt. Checked:
 *   - a popped chain is what an independent walk of the same memory finds, inside RAM, and was
 *     made available by an avail idx ahead of ours;
 *   - chains in flight are never more than the queue size;
 *   - push and pop change no byte of memory outside the used ring, and a broken queue none;
 *   - an interrupt is owed as long as used_event is one of the indices it is owed for.
 */
#include <assert.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stddef.h>
#include <string.h>

#include "devices/virtio/virtqueue.h"

#define REGION	0x4000ull
#define RAM0	0x0ull
#define RAM1	0x10000ull /* behind a hole */
#define MAX_NUM 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

struct world {
	struct gmem mem;
	struct virtqueue vq;
	struct vq_seg seg[MAX_NUM];
	uint16_t flight[MAX_NUM]; /* heads popped and not pushed */
	unsigned nflight;
	uint16_t popped, pushed;
	bool owed;	       /* an interrupt, */
	uint16_t owed_from;    /* for this index and those pushed since */
	uint16_t decided_upto; /* what was pushed at the last decision */
	uint8_t before[2 * REGION];
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

/* An address in RAM or a little beside it, or far away. */
static uint64_t address(struct input *in)
{
	uint16_t v = u16(in);

	if (v >= 0xfff0)
		return ~0ull - (v & 15);
	return v & 1 ? RAM1 - 32 + (v >> 1) % (REGION + 64) : (uint64_t)(v >> 1);
}

static void *at(struct world *w, uint64_t gpa, uint64_t len)
{
	return gmem_ptr(&w->mem, gpa, len);
}

static void snapshot(struct world *w)
{
	memcpy(w->before, w->mem.region[0].hva, REGION);
	memcpy(w->before + REGION, w->mem.region[1].hva, REGION);
}

/* Nothing but the used ring changed, or nothing at all. */
static void check_unchanged(struct world *w, bool but_used)
{
	const struct virtqueue *vq = &w->vq;
	size_t len = 6 + sizeof(struct vring_used_elem) * vq->num;

	for (unsigned i = 0; i < 2; i++) {
		uint8_t *now = w->mem.region[i].hva, *old = w->before + i * REGION;
		uint8_t *used = vq->used;

		if (but_used && used >= now && used < now + REGION)
			memcpy(old + (used - now), used, len);
		assert(!memcmp(now, old, REGION));
	}
}

static void check_seg(struct world *w, const struct vq_seg *s, const struct vring_desc *d)
{
	assert(s->len == d->len && s->len && s->gpa == d->addr);
	assert(s->hva && s->hva == at(w, s->gpa, s->len));
}

/* Walk again as a driver's author would, trusting that the chain is right. */
static void check_chain(struct world *w, const struct vq_chain *c)
{
	unsigned n = 0, total = c->nout + c->nin;
	const uint8_t *table = w->vq.desc;
	uint16_t i = c->head;

	assert(c->head < w->vq.num && total >= 1 && total <= w->vq.num);
	for (;;) {
		struct vring_desc d;

		memcpy(&d, table + 16 * i, sizeof(d));
		if (d.flags & VRING_DESC_F_INDIRECT) {
			assert(w->vq.indirect && table == w->vq.desc);
			table = at(w, d.addr, d.len);
			assert(table && !(d.flags & VRING_DESC_F_NEXT));
			i = 0;
			continue;
		}
		assert(n < total);
		assert(!!(d.flags & VRING_DESC_F_WRITE) == (n >= c->nout));
		check_seg(w, &c->seg[n++], &d);
		if (!(d.flags & VRING_DESC_F_NEXT))
			break;
		i = d.next;
	}
	assert(n == total);
}

static uint16_t avail_idx(const struct world *w)
{
	uint16_t idx;

	memcpy(&idx, (const uint8_t *)w->vq.avail + 2, sizeof(idx));
	return idx;
}

static void pop(struct world *w)
{
	struct vq_chain c = {.seg = w->seg, .seg_max = w->vq.num_max};
	bool was_broken = w->vq.broken;
	uint16_t ahead;
	int rc;

	snapshot(w);
	rc = vq_pop(&w->vq, &c);
	if (!w->vq.ready || was_broken) {
		assert(rc == 0);
		check_unchanged(w, false);
		return;
	}
	assert(w->vq.broken == (rc == -EPROTO) && w->vq.broken == !!w->vq.why_broken);
	check_unchanged(w, rc == 0);
	if (rc <= 0)
		return;
	ahead = (uint16_t)(avail_idx(w) - w->popped);
	assert(ahead >= 1 && ahead <= w->vq.num);
	check_chain(w, &c);
	assert(w->nflight < w->vq.num);
	w->flight[w->nflight++] = c.head;
	w->popped++;
	assert(w->vq.next_avail == w->popped);
}

static void push(struct world *w, uint8_t which)
{
	struct vring_used_elem e;
	uint16_t head;

	if (!w->nflight)
		return;
	which %= w->nflight;
	head = w->flight[which];
	w->flight[which] = w->flight[--w->nflight];
	snapshot(w);
	vq_push(&w->vq, head, which);
	if (w->vq.broken || !w->vq.ready) {
		check_unchanged(w, false);
		return;
	}
	check_unchanged(w, true);
	memcpy(&e, (const uint8_t *)w->vq.used + 4 + 8 * (w->pushed % w->vq.num), sizeof(e));
	assert(e.id == head && e.len == which);
	w->pushed++;
	assert(!memcmp((const uint8_t *)w->vq.used + 2, &w->pushed, 2));
}

static void need_interrupt(struct world *w)
{
	snapshot(w);
	vq_need_interrupt(&w->vq);
	check_unchanged(w, false);
	assert(!vq_need_interrupt(&w->vq)); /* nothing was pushed since */
	w->decided_upto = w->pushed;
}

/* An input is too short for 65536 pushes, so indices tell everything. */
static bool event_since(const struct world *w, uint16_t from)
{
	const struct virtqueue *vq = &w->vq;
	uint16_t event;

	memcpy(&event, (const uint8_t *)vq->avail + 4 + 2 * vq->num, sizeof(event));
	return vring_need_event(event, w->pushed, from);
}

static void owe_interrupt(struct world *w)
{
	if (!w->vq.event_idx)
		return;
	if (vq_owe_interrupt(&w->vq)) {
		assert(event_since(w, w->decided_upto));
		w->owed = true;
		w->owed_from = w->decided_upto;
	} else if (w->vq.ready) {
		assert(!event_since(w, w->decided_upto));
	}
	w->decided_upto = w->pushed;
}

static void look(struct world *w, bool pay)
{
	snapshot(w);
	if (vq_still_owed(&w->vq)) {
		assert(w->owed && event_since(w, w->owed_from));
	} else {
		assert(!w->owed || !event_since(w, w->owed_from));
		w->owed = false;
	}
	if (pay) {
		vq_paid(&w->vq);
		w->owed = false;
		assert(!vq_still_owed(&w->vq));
	}
	check_unchanged(w, false);
}

static void disable(struct world *w)
{
	vq_disable(&w->vq);
	w->owed = false;
}

static void enable(struct world *w, struct input *in)
{
	uint8_t how = u8(in);
	const char *why = NULL;
	int rc;

	vq_reset(&w->vq);
	w->nflight = w->popped = w->pushed = w->decided_upto = 0;
	w->owed = false;
	w->vq.num = how & 1 ? u8(in) : MAX_NUM >> (how >> 1) % 5;
	w->vq.desc_gpa = how & 16 ? address(in) : 0;
	w->vq.avail_gpa = how & 32 ? address(in) : 0x400;
	w->vq.used_gpa = how & 64 ? address(in) : 0x800;
	rc = vq_enable(&w->vq, &w->mem, how & 128, u8(in) & 1, &why);
	assert(w->vq.ready == !rc && !why == !rc);
	if (rc)
		return;
	assert(w->vq.desc == at(w, w->vq.desc_gpa, 16ull * w->vq.num));
	assert(w->vq.avail == at(w, w->vq.avail_gpa, 6 + 2ull * w->vq.num));
	assert(w->vq.used == at(w, w->vq.used_gpa, 6 + 8ull * w->vq.num));
}

static void write_desc(struct world *w, struct input *in)
{
	uint64_t table = w->vq.desc_gpa;
	uint8_t where = u8(in);
	struct vring_desc d = {.addr = address(in)};
	void *hva;

	/* Into the ring's own table, or one for an indirect descriptor. */
	if (where & 0x80)
		table = 0x1000;
	d.len = u8(in);
	if (d.len >= 0xf0)
		d.len = 16 * (d.len & 15);
	d.flags = u8(in) & 15;
	d.next = u8(in) % 20;
	if (d.flags & 8)
		d.addr = 0x1000; /* reserved, so it may stay in the flags */
	hva = at(w, table + 16ull * (where & 31), sizeof(d));
	if (hva)
		memcpy(hva, &d, sizeof(d));
}

/* Make heads available; the indices may be ours, too many, or wild. */
static void write_avail(struct world *w, struct input *in)
{
	uint8_t how = u8(in), head = u8(in);
	uint16_t idx;
	uint8_t *avail = w->vq.ready ? w->vq.avail : NULL;

	if (!avail)
		return;
	memcpy(&idx, avail + 2, sizeof(idx));
	avail[4 + 2 * (idx % w->vq.num)] = head & 31;
	avail[5 + 2 * (idx % w->vq.num)] = head == 255;
	idx = how == 255 ? u16(in) : (uint16_t)(idx + (how > 250 ? how & 31 : 1));
	memcpy(avail + 2, &idx, sizeof(idx));
}

static void write_raw(struct world *w, struct input *in)
{
	uint64_t gpa = address(in);
	uint8_t len = u8(in) % 32 + 1;
	uint8_t *hva = at(w, gpa, len);

	for (unsigned i = 0; i < len; i++) {
		uint8_t v = u8(in);

		if (hva)
			hva[i] = v;
	}
}

static void step(struct world *w, struct input *in)
{
	switch (u8(in) % 12) {
	case 0:
	case 1:
	case 2:
		write_desc(w, in);
		break;
	case 3:
	case 4:
		write_avail(w, in);
		break;
	case 5:
	case 6:
	case 7:
		pop(w);
		break;
	case 8:
		push(w, u8(in));
		break;
	case 9:
		switch (u8(in) % 4) {
		case 0:
			need_interrupt(w);
			break;
		case 1:
			owe_interrupt(w);
			break;
		default:
			look(w, u8(in) & 1);
			break;
		}
		break;
	case 10:
		write_raw(w, in);
		break;
	case 11:
		/* Rarely: a dead queue teaches nothing. */
		if (u8(in) >= 0xf8)
			disable(w);
		else if (w->vq.broken || !w->vq.ready)
			enable(w, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gmem_span spans[] = {{RAM0, REGION}, {RAM1, REGION}};
	static struct world w;
	struct input in = {data, size};

	if (!w.mem.nregions && gmem_create(&w.mem, spans, 2, NULL))
		return 0;
	memset(w.mem.region[0].hva, 0, REGION);
	memset(w.mem.region[1].hva, 0, REGION);
	w.vq = (struct virtqueue){.num_max = MAX_NUM};
	enable(&w, &in);
	while (in.left)
		step(&w, &in);
	return 0;
}
