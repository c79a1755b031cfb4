/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of fuzz_balloon.c about free page hints: a tame driver's messages, and the host's part.
 */
#ifndef AEROSTAT_TESTS_BALLOON_HINT_STEPS_H
#define AEROSTAT_TESTS_BALLOON_HINT_STEPS_H

#include "tests/fuzz/balloon_model.h"

/* ---- the driver ---- */

/* Of 4 bytes, in one piece or two; or of another length. Returns the number of segments. */
static unsigned make_command(struct input *in, uint8_t shape, uint64_t gpa, struct hint_msg *m,
			     struct ring_buf *buf)
{
	uint8_t pick = byte(in);
	const uint32_t ids[] = {HINT_ID_STOP, h.field,	    h.field, HINT_ID_STOP,
				h.id + 1,     HINT_ID_DONE, h.id,    pick};
	uint32_t len = shape >> 2 == 0x3f ? 5 : shape >> 2 == 0x3e ? 3 : 4;

	m->command = true;
	m->id = ids[pick % 8];
	m->bad |= len != 4;
	ring_poke(&w.mem, gpa, &m->id, sizeof(m->id));
	buf[0] = (struct ring_buf){gpa, len, false};
	if (!(shape & 4))
		return 1;
	buf[0].len = 1 + (pick >> 3) % 2;
	buf[1] = (struct ring_buf){gpa + buf[0].len, len - buf[0].len, false};
	return 2;
}

/* Up to three, most of them whole pages of RAM. */
static unsigned make_blocks(struct input *in, uint8_t shape, struct hint_msg *m,
			    struct ring_buf *buf)
{
	m->n = 1 + (shape >> 2) % BLOCKS;
	for (unsigned i = 0; i < m->n; i++) {
		uint8_t how = byte(in);
		uint64_t gpa = (uint64_t)pick_pfn(byte(in)) * GMEM_PAGE_SIZE;
		uint32_t len = (1 + how % 8) * (uint32_t)GMEM_PAGE_SIZE;

		if (how >= 0xe0) {
			gpa += how >> 3 & 1 ? 1 + how % 8 : 0;
			len = how >> 4 & 1 ? len - 1 : how % 8;
		}
		m->block[i].gpa = gpa;
		m->block[i].len = len;
		m->bad |= !gmem_ptr(&w.mem, gpa, len);
		buf[i] = (struct ring_buf){gpa, len, true};
	}
	return m->n;
}

static void step_hint(struct input *in)
{
	uint8_t shape = byte(in);
	struct ring *r = &w.ring[HINT];
	uint64_t slot = SLOT_GPA(HINT, w.slot[HINT] % QUEUE_MAX);
	struct ring_buf buf[2 + BLOCKS];
	struct hint_msg m = {0};
	unsigned n = 0;

	if (!w.tame || !w.set_up || h.nmsg >= r->num || h.nslots >= QUEUE_MAX)
		return;
	if (shape % 4 < 2 || shape >= 0xfe)
		n = make_command(in, shape, slot, &m, buf);
	if (shape % 4 >= 2)
		n += make_blocks(in, shape, &m, buf + n);
	m.bad |= m.command && m.n;
	if (n > r->num || free_descs(r) < n)
		return;
	if (shape & 64 && w.features >> VIRTIO_F_BIT_INDIRECT_DESC & 1)
		ring_add_indirect(r, slot + SLOT_TABLE, buf, n);
	else
		ring_add(r, buf, n);
	h.msg[h.nmsg++] = m;
	h.nslots++;
	w.slot[HINT]++;
}

static bool room_for_one(void)
{
	return w.tame && w.set_up && h.nmsg < w.ring[HINT].num && free_descs(&w.ring[HINT]);
}

/* A block of one page. */
static void add_page(uint8_t pick)
{
	const uint64_t gpa = (uint64_t)pick_pfn(pick % 240) * GMEM_PAGE_SIZE;

	if (!room_for_one())
		return;
	h.msg[h.nmsg++] = (struct hint_msg){.n = 1, .block = {{gpa, GMEM_PAGE_SIZE}}};
	ring_add(&w.ring[HINT], &(struct ring_buf){gpa, GMEM_PAGE_SIZE, true}, 1);
}

/* As many as there is room for, or as are asked for. */
static void step_hint_many(struct input *in)
{
	uint8_t n = byte(in), from = byte(in);

	for (; n && room_for_one(); n--)
		add_page(from++);
}

static void add_command(uint32_t id)
{
	const uint64_t gpa = SLOT_GPA(HINT, w.slot[HINT] % QUEUE_MAX);

	if (!room_for_one() || h.nslots >= QUEUE_MAX)
		return;
	ring_poke(&w.mem, gpa, &id, sizeof(id));
	h.msg[h.nmsg++] = (struct hint_msg){.command = true, .id = id};
	ring_add(&w.ring[HINT], &(struct ring_buf){gpa, sizeof(id), false}, 1);
	h.nslots++;
	w.slot[HINT]++;
}

/* ---- the host ---- */

static void step_hint_start(void)
{
	bool can = serves(HINT);
	uint64_t before = interrupts();
	int rc = balloon_hint_start(w.b, LONG_NS);
	struct hint_info now;

	CHECK(rc == 0 || rc == -EIO || rc == -ENOTCONN || rc == -EOPNOTSUPP || rc == -EAGAIN ||
	      rc == -EBUSY);
	if (w.tame) {
		/* What waits there is of no session, or of the one that is on. */
		if (can) {
			ring_needs_kick(&w.ring[HINT]);
			model_kick(HINT);
			check_used(HINT);
		}
		CHECK(rc == (w.latched		? -EIO
			     : !w.live		? -ENOTCONN
			     : !can		? -EOPNOTSUPP
			     : h.pinned		? -EAGAIN
			     : hint_on(h.state) ? -EBUSY
						: 0));
	}
	if (rc)
		return;
	CHECK(interrupts() > before);
	balloon_hint_query(w.b, &now);
	CHECK(now.state == HINT_REQUESTED && !now.bytes);
	hint_model_start(now.id);
}

static void step_hint_end(unsigned how)
{
	uint64_t before = interrupts();
	int rc = balloon_hint_end(w.b, HINT_FINISHED + how % 3);
	bool ok = hint_on(h.state) && (how % 3 || h.state != HINT_REQUESTED);

	CHECK(rc == 0 || rc == -EINVAL);
	if (!w.tame)
		return;
	CHECK(rc == (ok ? 0 : -EINVAL));
	if (ok) {
		hint_end(HINT_FINISHED + how % 3);
		CHECK(interrupts() > before);
	}
}

static void step_hint_take(void)
{
	struct hintset *set = balloon_hint_take(w.b);
	uint64_t at = 0, start, n;

	CHECK(!w.tame || !set == !(h.state == HINT_GUEST_DONE && !h.is_taken));
	if (!set)
		return;
	CHECK(!h.is_taken);
	if (w.tame)
		check_set(set, h.hinted);
	hintset_destroy(h.set);
	h.set = set;
	h.is_taken = true;
	memset(h.taken, 0, sizeof(h.taken));
	while (hintset_next(set, &at, RAM_PAGES, false, &start, &n))
		memset(h.taken + start, true, n);
}

/* The time is up for a guest that is waited for. */
static void step_hint_expire(void)
{
	uint64_t now = clock_now_ns();
	struct hint_info info;

	balloon_hint_defer(w.b, 1);
	while (clock_now_ns() <= now + 1)
		;
	balloon_hint_query(w.b, &info);
	CHECK(info.state != HINT_REQUESTED && info.state != HINT_RUNNING);
	if (w.tame && (h.state == HINT_REQUESTED || h.state == HINT_RUNNING))
		hint_end(HINT_FAILED);
}

/* Nobody writes meanwhile. Whoever wrote before is the owner's matter, who isn't tested here.
 */
static void step_hint_discard(struct input *in)
{
	struct reclaim_hinted sum = {0};
	uint64_t max = 1 + byte(in) % 16, at = 0, pages = 0;

	if (!h.set)
		return;
	while (reclaim_discard_hinted(w.reclaim, h.set, &at, max, &sum))
		;
	for (uint64_t i = 0; i < RAM_PAGES; i++) {
		pages += h.taken[i];
		if (h.taken[i] && !w.ballooned[i])
			w.zero[i] = true;
	}
	CHECK(sum.discarded + sum.ballooned == pages * GMEM_PAGE_SIZE && !sum.failed);
}

static void step_hint_host(struct input *in)
{
	uint8_t what = byte(in);

	switch (what % 8) {
	case 0:
	case 1:
	case 2:
		step_hint_start();
		break;
	case 3:
		step_hint_take();
		break;
	case 4:
		step_hint_take();
		step_hint_discard(in);
		break;
	case 5:
		step_hint_end(what >> 3);
		break;
	case 6:
		step_hint_discard(in);
		break;
	case 7:
		step_hint_expire();
		break;
	}
}

#endif
