// SPDX-License-Identifier: Apache-2.0
/*
 * Every interleaving of a host that trims and a guest that answers as Linux's virtio_balloon.c
 * does, until no new state is found: interrupts that come at any moment, a queue that the
 * device looks at when it likes, free pages that become used and free again, a shrinker, a
 * driver that is loaded anew, a guest that says nothing, command ids that wrap around.
 *
 * What must hold in every state: the host discards nothing that the guest has use for; the
 * field shows what the table of hint.h promises; and whatever happened, once host and guest go
 * on in good faith the session ends, DONE is shown, the guest holds nothing, and the next
 * session succeeds.
 *
 * test_hint_hostile.c is about guests that do as they like.
 */
#include <stdio.h>

#include "devices/balloon/hint.h"
#include "tests/unit/explore.h"
#include "tests/unit/unit.h"

#define PAGES	 2
#define QUEUE	 3 /* messages; the driver keeps one place for its stop */
#define SESSIONS 3

enum page { FREE, HELD, LIVE }; /* LIVE: with contents that somebody will miss */
enum msg { MSG_START = 1, MSG_STOP, MSG_BLOCK }; /* MSG_BLOCK + page */

/* Where report_free_page_func() is. */
enum pc { PC_IDLE, PC_TOP, PC_START, PC_LOOP, PC_STOP };

/* All there is to know. No padding: states are compared as bytes. */
struct world {
	/* The device: what matters of struct hint. */
	uint32_t id, field, last_id, started;
	uint8_t state, pinned, deadline;
	/* The host. */
	uint8_t requests;		/* so many were made */
	uint8_t logging, dirty, hinted; /* dirty and hinted: a bit per page */
	/* The guest's driver; names as in Linux. */
	uint8_t pc, irq, config_read, queued;
	uint8_t page[PAGES];
	uint8_t queue[QUEUE], nqueue;
	uint8_t unused[3];
	uint32_t received, active;
};

_Static_assert(sizeof(struct world) == 16 + 11 + PAGES + QUEUE + 1 + 3 + 8, "no holes");

static struct explore space;
static uint32_t current; /* the state that is looked at */
static uint16_t action;
static const char *phase = "";

enum act {
	REQUEST,
	REQUEST_WRAPPED, /* after so many sessions that the driver's id is next */
	FINISH,
	CANCEL,
	EXPIRE,
	RESIZE,
	DEVICE, /* the device looks at one message */
	INTERRUPT,
	WORK,
	RELOAD,
	SHRINK, /* + page, as those below */
	USE = SHRINK + PAGES,
	RELEASE = USE + PAGES,
	ACTS = RELEASE + PAGES,
};

static const char *act_name(unsigned a)
{
	static const char *const name[] = {"request",	"request, ids wrapped",
					   "finish",	"cancel",
					   "expire",	"resize",
					   "device",	"interrupt",
					   "work",	"reload",
					   "shrink 0",	"shrink 1",
					   "use 0",	"use 1",
					   "release 0", "release 1"};

	_Static_assert(sizeof(name) / sizeof(name[0]) == ACTS, "a name for each");
	return name[a];
}

/* Tell how it came to this. */
static void give_up(const char *what)
{
	uint32_t path[256], n = 0;

	for (uint32_t i = current; i && n < 256; i = space.from[i])
		path[n++] = i;
	while (n--)
		printf("  %s\n", act_name(space.by[path[n]]));
	printf("  %s%s\n", act_name(action), phase);
	ck_abort_msg("%s", what);
}

#define OK(cond)                                                                               \
	do {                                                                                   \
		if (!(cond))                                                                   \
			give_up(#cond);                                                        \
	} while (0)

/* ---- the device ---- */

static struct hint load(const struct world *w)
{
	return (struct hint){
		.info = {.state = (enum hint_state)w->state, .id = w->id, .pinned = w->pinned},
		.deadline_ns = w->deadline,
		.field = w->field,
		.last_id = w->last_id,
		.started = w->started,
	};
}

static bool in_session(const struct world *w)
{
	return w->state == HINT_REQUESTED || w->state == HINT_RUNNING ||
	       w->state == HINT_GUEST_DONE;
}

static void store(struct world *w, struct hint *h)
{
	if (hint_effects(h) & HINT_NOTIFY)
		w->irq = 1;
	/* Linux may be late; it breaks no rule. */
	OK(h->info.why != HINT_WHY_PROTOCOL);
	w->state = (uint8_t)h->info.state;
	w->id = h->info.id;
	w->pinned = h->info.pinned;
	w->deadline = !!h->deadline_ns;
	w->field = h->field;
	w->last_id = h->last_id;
	w->started = h->started;
	/* With the session goes what was collected for it. */
	if (!in_session(w))
		w->logging = w->dirty = w->hinted = 0;
	OK(in_session(w) ? w->field == w->id
			 : w->field == HINT_ID_DONE || w->field == HINT_ID_STOP);
	OK(w->deadline == (w->state == HINT_REQUESTED || w->state == HINT_RUNNING));
}

static void look_at_one(struct world *w)
{
	uint8_t msg = w->queue[0];
	struct hint h = load(w);

	memmove(w->queue, w->queue + 1, QUEUE - 1);
	w->queue[QUEUE - 1] = 0;
	w->nqueue--;
	/* Linux's start is a buffer that its next start overwrites. */
	if (msg == MSG_START) {
		hint_command(&h, w->active, 1);
	} else if (msg == MSG_STOP) {
		hint_command(&h, HINT_ID_STOP, 1);
	} else if (hint_block(&h, 4096)) {
		OK(w->state == HINT_RUNNING && w->logging);
		OK(w->started == w->id);
		w->hinted |= (uint8_t)(1 << (msg - MSG_BLOCK));
	}
	store(w, &h);
}

/* ---- the host ---- */

static bool holds_any(const struct world *w)
{
	for (unsigned p = 0; p < PAGES; p++) {
		if (w->page[p] == HELD)
			return true;
	}
	return false;
}

/* Ids that the driver has told, or is about to tell, and whose stop hasn't arrived. */
static bool id_in_use(const struct world *w, uint32_t id)
{
	bool stops = false;

	for (unsigned i = 0; i < w->nqueue; i++)
		stops |= w->queue[i] == MSG_STOP;
	return (w->pc == PC_LOOP || w->pc == PC_STOP || stops) && w->active == id;
}

static bool request(struct world *w, bool wrapped)
{
	struct hint h;
	int rc;

	if (w->requests == SESSIONS || (wrapped && w->active < HINT_ID_FIRST))
		return false;
	/* As the owner must do it: nothing in the queue is older than the log. */
	while (w->nqueue)
		look_at_one(w);
	h = load(w);
	if (wrapped)
		h.last_id = w->active - 1;
	rc = hint_request(&h, 1, 1);
	if (rc)
		return false;
	OK(!in_session(w) && !w->pinned);
	/* Else it would hold those all through the session, and not hint them. */
	OK(!holds_any(w));
	OK(h.field >= HINT_ID_FIRST && !id_in_use(w, h.field));
	w->requests++;
	store(w, &h);
	w->logging = 1;
	return true;
}

static bool finish(struct world *w)
{
	struct hint h = load(w);

	if (hint_finish(&h, 1)) {
		OK(w->state != HINT_RUNNING && w->state != HINT_GUEST_DONE);
		return false;
	}
	/* The vCPUs are parked, and what is hinted and not dirty is discarded. */
	for (unsigned p = 0; p < PAGES; p++)
		OK(!((w->hinted & ~w->dirty) >> p & 1 && w->page[p] == LIVE));
	store(w, &h);
	return true;
}

static bool cancel(struct world *w)
{
	struct hint h = load(w);

	if (hint_cancel(&h, 1)) {
		OK(!in_session(w));
		return false;
	}
	store(w, &h);
	OK(w->field == HINT_ID_DONE);
	return true;
}

static bool expire(struct world *w)
{
	struct hint h = load(w);

	if (!w->deadline)
		return false;
	hint_expire(&h, 2);
	store(w, &h);
	OK(w->state == HINT_FAILED && w->field == HINT_ID_DONE);
	return true;
}

/* ---- the guest: virtio_balloon.c of Linux 6.1 and 6.12 ---- */

static void interrupt(struct world *w)
{
	w->irq = 0;
	/* virtio_balloon_queue_free_page_work() */
	if (w->config_read)
		return;
	w->config_read = 1;
	w->queued = 1;
}

/* virtio_balloon_cmd_id_received() */
static uint32_t cmd_id_received(struct world *w)
{
	struct hint h;

	if (!w->config_read)
		return w->received;
	w->config_read = 0;
	h = load(w);
	w->received = h.field;
	hint_field_read(&h);
	store(w, &h);
	return w->received;
}

static void give_back(struct world *w)
{
	for (unsigned p = 0; p < PAGES; p++) {
		if (w->page[p] == HELD)
			w->page[p] = FREE;
	}
}

/* get_free_page_and_send(): false when nothing happens. */
static bool send_block(struct world *w)
{
	for (unsigned p = 0; p < PAGES; p++) {
		if (w->page[p] != FREE)
			continue;
		/* Without a place in the queue the block is let go, and allocated again. */
		if (w->nqueue >= QUEUE - 1)
			return false;
		w->page[p] = HELD;
		w->queue[w->nqueue++] = (uint8_t)(MSG_BLOCK + p);
		return true;
	}
	w->pc = PC_STOP;
	return true;
}

/* A step of report_free_page_func(). False when it has nothing to do. */
static bool work(struct world *w)
{
	switch ((enum pc)w->pc) {
	case PC_IDLE:
		if (!w->queued)
			return false;
		w->queued = 0;
		w->pc = PC_TOP;
		return true;
	case PC_TOP:
		w->pc = PC_IDLE;
		if (cmd_id_received(w) == HINT_ID_DONE)
			give_back(w);
		else if (w->received != HINT_ID_STOP && w->received != w->active)
			w->pc = PC_START;
		return true;
	case PC_START:
		if (w->nqueue == QUEUE)
			return false;
		w->active = cmd_id_received(w);
		w->queue[w->nqueue++] = MSG_START;
		w->pc = PC_LOOP;
		return true;
	case PC_LOOP:
		if (w->active != cmd_id_received(w)) {
			w->pc = PC_STOP;
			return true;
		}
		return send_block(w);
	case PC_STOP:
		if (w->nqueue == QUEUE)
			return false;
		w->queue[w->nqueue++] = MSG_STOP;
		w->pc = PC_IDLE;
		return true;
	}
	return false;
}

/* The driver goes, with a reset, and comes back. */
static void reload(struct world *w)
{
	struct hint h = load(w);

	give_back(w);
	hint_reset(&h, 1);
	store(w, &h);
	OK(w->field == HINT_ID_STOP && !in_session(w) && !w->pinned);
	w->pc = PC_IDLE;
	w->irq = w->config_read = w->queued = 0;
	memset(w->queue, 0, sizeof(w->queue));
	w->nqueue = 0;
	w->received = w->active = HINT_ID_STOP;
}

static bool turn(struct world *w, unsigned p, enum page from, enum page to)
{
	if (w->page[p] != from)
		return false;
	w->page[p] = (uint8_t)to;
	if (to == LIVE && w->logging)
		w->dirty |= (uint8_t)(1 << p);
	return true;
}

/* ---- all together ---- */

static bool act(struct world *w, unsigned a)
{
	if (a >= RELEASE)
		return turn(w, a - RELEASE, LIVE, FREE);
	if (a >= USE)
		return turn(w, a - USE, FREE, LIVE);
	if (a >= SHRINK)
		return turn(w, a - SHRINK, HELD, FREE);
	switch ((enum act)a) {
	case REQUEST:
	case REQUEST_WRAPPED:
		return request(w, a == REQUEST_WRAPPED);
	case FINISH:
		return finish(w);
	case CANCEL:
		return cancel(w);
	case EXPIRE:
		return expire(w);
	case RESIZE:
		w->irq = 1;
		return true;
	case DEVICE:
		if (!w->nqueue)
			return false;
		look_at_one(w);
		return true;
	case INTERRUPT:
		if (!w->irq)
			return false;
		interrupt(w);
		return true;
	case WORK:
		return work(w);
	default:
		reload(w);
		return true;
	}
}

/* Let guest and device do all that they have to do. */
static void settle(struct world *w)
{
	unsigned steps = 0;

	while (act(w, INTERRUPT) || act(w, DEVICE) || act(w, WORK))
		OK(++steps < 100);
}

/* From here on in good faith: all ends well, and the next session does. */
static void check_end(struct world w)
{
	uint8_t free_pages = 0;

	phase = ", then settle";
	settle(&w);
	if (!expire(&w))
		finish(&w);
	settle(&w);
	OK(!in_session(&w) && !w.pinned && !w.started);
	OK(w.field == HINT_ID_DONE || w.field == HINT_ID_STOP);
	OK(!holds_any(&w));

	phase = ", then settle and one more session";
	for (unsigned p = 0; p < PAGES; p++)
		free_pages |= (uint8_t)((w.page[p] == FREE) << p);
	w.requests = 0;
	OK(request(&w, false));
	settle(&w);
	OK(w.state == HINT_GUEST_DONE && w.hinted == free_pages);
	OK(finish(&w));
	settle(&w);
	OK(w.field == HINT_ID_DONE && !w.pinned && !holds_any(&w));
	phase = "";
}

static void explore_all(uint32_t last_id)
{
	struct world w = {.last_id = last_id, .page = {FREE, LIVE}};
	unsigned seen[HINT_STATES] = {0}, starts_with_done = 0;

	space = (struct explore){.size = sizeof(w)};
	explore_add(&space, &w, 0, 0);
	for (current = 0; current < space.n; current++) {
		for (action = 0; action < ACTS; action++) {
			memcpy(&w, explore_state(&space, current), sizeof(w));
			if (!act(&w, action))
				continue;
			if (explore_add(&space, &w, current, action)) {
				seen[w.state]++;
				starts_with_done += w.active == HINT_ID_DONE;
				check_end(w);
			}
		}
	}
	for (unsigned s = 1; s < HINT_STATES; s++)
		ck_assert_uint_gt(seen[s], 0);
	/* Linux reads the field again before its start, and may find DONE there. */
	ck_assert_uint_gt(starts_with_done, 0);
	printf("%u states from id %u on\n", space.n, last_id);
	explore_fini(&space);
}

START_TEST(every_interleaving)
{
	explore_all(0);
}
END_TEST

START_TEST(every_interleaving_over_the_wrap)
{
	explore_all(UINT32_MAX - 1);
}
END_TEST

UNIT_MAIN("hint_model", every_interleaving, every_interleaving_over_the_wrap)
