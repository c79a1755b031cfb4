/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free page hints in the world of fuzz_balloon.c: what the session must be at while the driver
 * is tame. And what holds whatever the driver does:
 *
 *   - the field shows a session's id as long as it's on, and else DONE, or STOP after a reset;
 *   - nothing is collected but while a session runs; what the host took is never touched again;
 *   - there is no set without a session; a new id is none that is reserved, or not stopped.
 */
#ifndef AEROSTAT_TESTS_BALLOON_HINT_MODEL_H
#define AEROSTAT_TESTS_BALLOON_HINT_MODEL_H

#include "tests/fuzz/balloon_world.h"
#include "vmm/base/clock.h"
#include "vmm/reclaim/hintset.h"

#define HINTS_MAX 256
#define LONG_NS	  (3600 * NSEC_PER_SEC)

/* A message that waits: a command, or blocks from gpa on. */
struct hint_msg {
	bool command;
	bool bad; /* must latch the device */
	uint32_t id;
	unsigned n;
	struct {
		uint64_t gpa;
		uint32_t len;
	} block[BLOCKS];
};

static struct hint_model {
	enum hint_state state;
	uint32_t id;	/* of the session, or the last one */
	uint32_t open;	/* what the guest has started and not stopped; 0: nothing */
	uint32_t field; /* what the guest reads */
	bool pinned;	/* it hasn't taken note of the last session's end */
	uint64_t late;	/* blocks that came out of turn */
	bool hinted[RAM_PAGES];
	struct hint_msg msg[HINTS_MAX];
	unsigned nmsg, nslots; /* of those, how many use a slot of the driver's memory */

	struct hintset *set; /* in the host's hands */
	bool taken[RAM_PAGES];
	bool is_taken; /* of this session */

	/* As it was before the step. */
	struct hint_info before;
} h;

static bool hint_on(enum hint_state s)
{
	return s == HINT_REQUESTED || s == HINT_RUNNING || s == HINT_GUEST_DONE;
}

/* ---- what happens ---- */

static void hint_end(enum hint_state how)
{
	h.state = how;
	h.field = HINT_ID_DONE;
	h.pinned = true;
}

static void hint_model_reset(void)
{
	if (hint_on(h.state))
		h.state = HINT_FAILED;
	h.field = HINT_ID_STOP;
	h.open = 0;
	h.pinned = false;
	h.nmsg = h.nslots = 0;
}

/* The device is latched: a session is none any more. */
static void hint_model_latched(void)
{
	if (hint_on(h.state))
		hint_end(HINT_FAILED);
}

static void apply_command(uint32_t id)
{
	bool running = h.state == HINT_RUNNING;

	h.open = id;
	if (!id) {
		if (running)
			h.state = HINT_GUEST_DONE;
		return;
	}
	/* Whatever it holds from now on, it will give back at the next DONE. */
	h.pinned |= h.field == HINT_ID_DONE;
	if (h.state == HINT_REQUESTED && id == h.id)
		h.state = HINT_RUNNING;
	else if (running && id != h.id)
		hint_end(HINT_FAILED);
}

static void apply_block(uint64_t gpa, uint32_t len)
{
	uint64_t first = (gpa + GMEM_PAGE_SIZE - 1) / GMEM_PAGE_SIZE;
	uint64_t end = (gpa + len) / GMEM_PAGE_SIZE, index;

	if (h.state != HINT_RUNNING) {
		h.late++;
		return;
	}
	for (; first < end; first++) {
		CHECK(gmem_pfn_to_index(&w.mem, first, &index));
		h.hinted[index] = true;
	}
}

/* A message is taken in. False: the device is latched. */
static bool apply_hint(const struct hint_msg *m)
{
	if (m->bad) {
		hint_model_latched();
		return false;
	}
	if (m->command)
		apply_command(m->id);
	for (unsigned i = 0; i < m->n; i++)
		apply_block(m->block[i].gpa, m->block[i].len);
	return true;
}

/* All that waits in the queue. */
static bool apply_hints(void)
{
	bool ok = true;

	for (unsigned i = 0; i < h.nmsg && ok; i++)
		ok = apply_hint(&h.msg[i]);
	h.nmsg = h.nslots = 0;
	return ok;
}

static void hint_model_start(uint32_t id)
{
	CHECK(id >= HINT_ID_FIRST && id != h.id && !(w.tame && id == h.open));
	h.state = HINT_REQUESTED;
	h.id = h.field = id;
	h.pinned = h.is_taken = false;
	memset(h.hinted, 0, sizeof(h.hinted));
}

/* The guest reads [off, off + len) of the configuration. */
static void hint_model_read(uint32_t off, uint32_t len)
{
	if (off <= 8 && off + len >= 12 && h.field == HINT_ID_DONE && !h.open)
		h.pinned = false;
}

/* ---- what must be ---- */

static void check_set(const struct hintset *set, const bool *want)
{
	uint64_t at = 0, expect = 0, start, n;

	while (hintset_next(set, &at, RAM_PAGES, false, &start, &n)) {
		for (; expect < start; expect++)
			CHECK(!want[expect]);
		for (; expect < start + n; expect++)
			CHECK(want[expect]);
	}
	for (; expect < RAM_PAGES; expect++)
		CHECK(!want[expect]);
}

static void check_always(const struct hint_info *now)
{
	const struct hint *hint = &w.b->hint;

	if (hint_on(now->state))
		CHECK(hint->field == now->id && now->id >= HINT_ID_FIRST);
	else
		CHECK(hint->field == HINT_ID_DONE || hint->field == HINT_ID_STOP);
	CHECK(!w.b->hints == !(hint_on(now->state) && !h.is_taken));
	if (w.b->hints)
		CHECK(hintset_pages(w.b->hints) * GMEM_PAGE_SIZE == now->bytes);
	/* A start and all that follows may be in one step, but not without it being seen. */
	if (now->id == h.before.id && h.before.state != HINT_REQUESTED &&
	    h.before.state != HINT_RUNNING)
		CHECK(now->bytes == h.before.bytes);
	if (h.set)
		check_set(h.set, h.taken);
}

static void check_hints(void)
{
	struct hint_info now;

	balloon_hint_query(w.b, &now);
	check_always(&now);
	h.before = now;
	if (!w.tame)
		return;
	CHECK(now.state == h.state);
	CHECK(now.pinned == h.pinned);
	CHECK(now.late_blocks == h.late);
	CHECK(w.b->hint.field == h.field);
	if (w.b->hints)
		check_set(w.b->hints, h.hinted);
}

/* After a wild phase and a reset: what the model can't know. */
static void hint_model_learn(void)
{
	struct hint_info now;

	balloon_hint_query(w.b, &now);
	CHECK(!hint_on(now.state) && !now.pinned && w.b->hint.field == HINT_ID_STOP);
	h.state = now.state;
	h.id = now.id;
	h.late = now.late_blocks;
}

#endif
