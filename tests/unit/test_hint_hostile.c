// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that sends whatever it likes whenever it likes, against every order of what the host
 * does, until no new state is found. What hint.c does is compared with a second opinion that is
 * kept beside it; and from every state a guest that mends its ways gets a session.
 */
#include <errno.h>
#include <stdio.h>

#include "devices/balloon/hint.h"
#include "tests/unit/explore.h"
#include "tests/unit/unit.h"

#define REQUESTS 3

/* No padding: states are compared as bytes. */
struct world {
	uint32_t id, field, last_id, started;
	uint8_t state, pinned, deadline, requests;

	/* The second opinion. */
	uint8_t on;	 /* there is a session */
	uint8_t began;	 /* the guest started it */
	uint8_t stopped; /* and stopped it */
	uint8_t ended;	 /* there was one since the last reset */
	uint8_t owes;	 /* the guest hasn't noticed its end */
	uint8_t unused[3];
	uint32_t open; /* the guest's last start that has no stop */
};

_Static_assert(sizeof(struct world) == 16 + 12 + 4, "no holes");

enum act {
	REQUEST,
	REQUEST_WRAPPED, /* the guest's open start, else this session's id, is next */
	FINISH,
	CANCEL,
	EXPIRE,
	FAIL_HOST,
	FAIL_PROTOCOL,
	RESET,
	READ,
	START,
	START_BEFORE,
	START_NEXT,
	START_DONE,
	STOP,
	BLOCK,
	BLOCK_GIANT,
	ACTS,
};

static struct explore space;
static uint32_t current;
static uint16_t action;

#define OK(cond)                                                                               \
	do {                                                                                   \
		if (!(cond))                                                                   \
			give_up(#cond);                                                        \
	} while (0)

static void give_up(const char *what)
{
	static const char *const name[] = {
		"request",     "request, wrapped", "finish",	 "cancel", "expire",
		"host fails",  "violation",	   "reset",	 "read",   "start",
		"start id-1",  "start id+1",	   "start DONE", "stop",   "block",
		"block, giant"};
	uint32_t path[64], n = 0;

	_Static_assert(sizeof(name) / sizeof(name[0]) == ACTS, "a name for each");
	for (uint32_t i = current; i && n < 64; i = space.from[i])
		path[n++] = i;
	while (n--)
		printf("  %s\n", name[space.by[path[n]]]);
	printf("  %s\n", name[action]);
	ck_abort_msg("%s", what);
}

static struct hint load(const struct world *w)
{
	return (struct hint){
		.info = {.state = (enum hint_state)w->state, .id = w->id, .pinned = w->pinned},
		.deadline_ns = w->deadline ? 10 : 0,
		.field = w->field,
		.last_id = w->last_id,
		.started = w->started,
	};
}

static void store(struct world *w, const struct hint *h)
{
	w->state = (uint8_t)h->info.state;
	w->id = h->info.id;
	w->pinned = h->info.pinned;
	w->deadline = !!h->deadline_ns;
	w->field = h->field;
	w->last_id = h->last_id;
	w->started = h->started;
}

/* The session is over: what the second opinion says follows. */
static void over(struct world *w)
{
	w->on = w->began = w->stopped = 0;
	w->ended = w->owes = 1;
}

static bool running(const struct world *w)
{
	return w->on && w->began && !w->stopped;
}

static unsigned request(struct world *w, struct hint *h, bool wrapped)
{
	int rc;

	if (wrapped)
		h->last_id = (w->open ? w->open : w->id) - 1;
	rc = hint_request(h, 1, 9);
	OK(rc == (w->owes ? -EAGAIN : w->on ? -EBUSY : 0));
	if (rc)
		return 0;
	OK(h->field > HINT_ID_DONE && h->field != w->open && h->field == h->info.id);
	OK(!wrapped || w->open || h->field == w->id || w->id < HINT_ID_FIRST);
	OK(h->deadline_ns == 10 && h->info.requested_ns == 1);
	w->on = 1;
	w->requests++;
	return HINT_NOTIFY;
}

static unsigned host(struct world *w, struct hint *h, unsigned a)
{
	bool was_on = w->on;

	switch (a) {
	case FINISH:
		was_on = w->on && w->began;
		OK(!hint_finish(h, 5) == was_on);
		break;
	case CANCEL:
		OK(!hint_cancel(h, 5) == was_on);
		break;
	case EXPIRE:
		was_on = w->on && !w->stopped;
		hint_expire(h, 9);
		OK(h->info.state == w->state);
		hint_expire(h, 10);
		break;
	default:
		hint_fail(h, a == FAIL_HOST ? HINT_WHY_HOST : HINT_WHY_PROTOCOL, 5);
	}
	if (!was_on)
		return 0;
	OK(h->info.ended_ns >= 5 && !h->deadline_ns);
	over(w);
	return HINT_NOTIFY;
}

/* Every command moves the session or is counted. */
static unsigned command(struct world *w, struct hint *h, uint32_t id)
{
	unsigned due = 0;

	hint_command(h, id, 5);
	OK((h->info.state == w->state) == h->info.stray_commands);
	if (!w->on && w->ended && (id != HINT_ID_STOP))
		w->owes = 1;
	if (!w->on && w->ended && id == HINT_ID_STOP && w->open)
		due = HINT_NOTIFY;
	w->open = id;
	if (running(w) && id == HINT_ID_STOP) {
		w->stopped = 1;
	} else if (running(w) && id != w->id) {
		over(w);
		due = HINT_NOTIFY;
	} else if (w->on && id == w->id) {
		w->began = 1;
	}
	return due;
}

static void block(struct world *w, struct hint *h, bool giant)
{
	bool take = hint_block(h, giant ? HINT_BLOCK_MAX + 1 : HINT_BLOCK_MAX);

	OK(take == (running(w) && !giant));
	OK(h->info.late_blocks == !running(w));
	OK(h->info.useless == (running(w) && giant));
}

static unsigned guest(struct world *w, struct hint *h, unsigned a)
{
	switch (a) {
	case RESET:
		hint_reset(h, 5);
		w->on = w->began = w->stopped = w->ended = w->owes = 0;
		w->open = 0;
		return 0;
	case READ:
		hint_field_read(h);
		w->owes &= w->open || w->on || !w->ended;
		return 0;
	case START_BEFORE:
		return command(w, h, w->id > HINT_ID_FIRST ? w->id - 1 : UINT32_MAX);
	case START_NEXT:
		return command(w, h, w->id + 1);
	case START_DONE:
		return command(w, h, HINT_ID_DONE);
	case STOP:
		return command(w, h, HINT_ID_STOP);
	case BLOCK:
	case BLOCK_GIANT:
		block(w, h, a == BLOCK_GIANT);
		return 0;
	default:
		return command(w, h, w->id ? w->id : 7);
	}
}

/* Never later than the host's next request, the guest is let know; the owner, at once. */
static void act(struct world *w, unsigned a)
{
	struct hint h = load(w);
	unsigned due;

	if (a <= REQUEST_WRAPPED)
		due = request(w, &h, a == REQUEST_WRAPPED);
	else if (a <= FAIL_PROTOCOL)
		due = host(w, &h, a);
	else
		due = guest(w, &h, a);
	if (h.info.state != w->state)
		due |= HINT_CHANGED;
	OK(hint_effects(&h) == due && !hint_effects(&h));
	store(w, &h);
	OK(w->field == (w->on ? w->id : w->ended ? HINT_ID_DONE : HINT_ID_STOP));
	OK(w->pinned == w->owes && w->started == w->open);
	OK((w->state == HINT_GUEST_DONE) == w->stopped);
	OK((w->state == HINT_RUNNING) == running(w));
}

static void check_end(struct world w)
{
	act(&w, CANCEL);
	act(&w, STOP);
	act(&w, READ);
	act(&w, REQUEST);
	OK(w.state == HINT_REQUESTED);
	act(&w, START);
	act(&w, BLOCK);
	act(&w, STOP);
	act(&w, FINISH);
	OK(w.state == HINT_FINISHED && w.field == HINT_ID_DONE);
}

static void explore_all(uint32_t last_id)
{
	struct world w = {.last_id = last_id};

	space = (struct explore){.size = sizeof(w)};
	explore_add(&space, &w, 0, 0);
	for (current = 0; current < space.n; current++) {
		for (action = 0; action < ACTS; action++) {
			memcpy(&w, explore_state(&space, current), sizeof(w));
			if (action <= REQUEST_WRAPPED && w.requests == REQUESTS)
				continue;
			act(&w, action);
			if (explore_add(&space, &w, current, action))
				check_end(w);
		}
	}
	printf("%u states from id %u on\n", space.n, last_id);
	ck_assert_uint_gt(space.n, 100);
	explore_fini(&space);
}

START_TEST(whatever_it_sends)
{
	explore_all(0);
}
END_TEST

START_TEST(whatever_it_sends_over_the_wrap)
{
	explore_all(UINT32_MAX - 1);
}
END_TEST

UNIT_MAIN("hint_hostile", whatever_it_sends, whatever_it_sends_over_the_wrap)
