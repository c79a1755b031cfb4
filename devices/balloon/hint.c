// SPDX-License-Identifier: Apache-2.0
#include "devices/balloon/hint.h"

#include <assert.h>
#include <errno.h>

#include "vmm/mem/gmem.h"

enum event {
	EV_REQUEST,
	EV_START,
	EV_OTHER,
	EV_STOP,
	EV_BLOCK,
	EV_FINISH,
	EV_CANCEL,
	EV_BROKEN,
	EV_HOST,
	EV_EXPIRE,
	EV_RESET,
	EVENTS,
};

enum act {
	NOTHING,
	REFUSE,
	STRAY,
	BEGIN,
	RUN,
	TAKE,
	STOP,
	END,
};

/* next and why count for BEGIN, RUN, STOP and END. */
struct cell {
	enum act act;
	enum hint_state next;
	enum hint_why why;
};

#define FAIL(why)                                                                              \
	{                                                                                      \
		END, HINT_FAILED, HINT_WHY_##why                                               \
	}

/* clang-format off */
#define BETWEEN_SESSIONS {                                                                     \
	[EV_REQUEST] = {BEGIN, HINT_REQUESTED, HINT_WHY_NONE},                                 \
	[EV_START]   = {.act = STRAY},                                                         \
	[EV_OTHER]   = {.act = STRAY},                                                         \
	[EV_STOP]    = {.act = STRAY},                                                         \
	[EV_BLOCK]   = {.act = STRAY},                                                         \
	[EV_FINISH]  = {.act = REFUSE},                                                        \
	[EV_CANCEL]  = {.act = REFUSE},                                                        \
}

static const struct cell table[HINT_STATES][EVENTS] = {
	[HINT_NONE] = BETWEEN_SESSIONS,
	[HINT_REQUESTED] = {
		[EV_REQUEST] = {.act = REFUSE},
		[EV_START]   = {RUN, HINT_RUNNING, HINT_WHY_NONE},
		[EV_OTHER]   = {.act = STRAY},
		[EV_STOP]    = {.act = STRAY},
		[EV_BLOCK]   = {.act = STRAY},
		[EV_FINISH]  = {.act = REFUSE},
		[EV_CANCEL]  = {END, HINT_CANCELLED, HINT_WHY_NONE},
		[EV_BROKEN]  = FAIL(PROTOCOL),
		[EV_HOST]    = FAIL(HOST),
		[EV_EXPIRE]  = FAIL(NO_ANSWER),
		[EV_RESET]   = FAIL(RESET),
	},
	[HINT_RUNNING] = {
		[EV_REQUEST] = {.act = REFUSE},
		[EV_START]   = {.act = STRAY},
		/* Not in good faith: since this session's start the field showed nothing else. */
		[EV_OTHER]   = FAIL(PROTOCOL),
		[EV_STOP]    = {STOP, HINT_GUEST_DONE, HINT_WHY_NONE},
		[EV_BLOCK]   = {.act = TAKE},
		[EV_FINISH]  = {END, HINT_FINISHED, HINT_WHY_NONE},
		[EV_CANCEL]  = {END, HINT_CANCELLED, HINT_WHY_NONE},
		[EV_BROKEN]  = FAIL(PROTOCOL),
		[EV_HOST]    = FAIL(HOST),
		[EV_EXPIRE]  = FAIL(NO_STOP),
		[EV_RESET]   = FAIL(RESET),
	},
	[HINT_GUEST_DONE] = {
		[EV_REQUEST] = {.act = REFUSE},
		[EV_START]   = {.act = STRAY},
		[EV_OTHER]   = {.act = STRAY},
		[EV_STOP]    = {.act = STRAY},
		[EV_BLOCK]   = {.act = STRAY},
		[EV_FINISH]  = {END, HINT_FINISHED, HINT_WHY_NONE},
		[EV_CANCEL]  = {END, HINT_CANCELLED, HINT_WHY_NONE},
		[EV_BROKEN]  = FAIL(PROTOCOL),
		[EV_HOST]    = FAIL(HOST),
		[EV_RESET]   = FAIL(RESET),
	},
	[HINT_FINISHED] = BETWEEN_SESSIONS,
	[HINT_CANCELLED] = BETWEEN_SESSIONS,
	[HINT_FAILED] = BETWEEN_SESSIONS,
};
/* clang-format on */

const char *hint_state_name(enum hint_state s)
{
	static const char *const name[] = {
		[HINT_NONE] = "none",	      [HINT_REQUESTED] = "requested",
		[HINT_RUNNING] = "running",   [HINT_GUEST_DONE] = "guest-done",
		[HINT_FINISHED] = "finished", [HINT_CANCELLED] = "cancelled",
		[HINT_FAILED] = "failed",
	};

	assert((unsigned)s < HINT_STATES);
	return name[s];
}

const char *hint_why_name(enum hint_why why)
{
	static const char *const name[] = {
		[HINT_WHY_NONE] = "",
		[HINT_WHY_NO_ANSWER] = "no answer",
		[HINT_WHY_NO_STOP] = "no stop",
		[HINT_WHY_RESET] = "reset",
		[HINT_WHY_PROTOCOL] = "protocol violation",
		[HINT_WHY_HOST] = "host failure",
	};

	assert((unsigned)why < HINT_WHYS);
	return name[why];
}

unsigned hint_effects(struct hint *h)
{
	unsigned effects = h->effects;

	h->effects = 0;
	return effects;
}

static uint32_t next_id(const struct hint *h)
{
	uint32_t id = h->last_id;

	do {
		id++;
	} while (id < HINT_ID_FIRST || id == h->started);
	return id;
}

static void show(struct hint *h, uint32_t id)
{
	h->field = id;
	h->effects |= HINT_NOTIFY;
}

static void begin(struct hint *h, uint64_t now)
{
	h->last_id = next_id(h);
	h->info = (struct hint_info){
		.id = h->last_id,
		.requested_ns = now,
		.late_blocks = h->info.late_blocks,
		.stray_commands = h->info.stray_commands,
	};
	show(h, h->last_id);
}

static void end(struct hint *h, uint64_t now)
{
	h->info.ended_ns = now;
	h->info.pinned = true;
	h->deadline_ns = 0;
	show(h, HINT_ID_DONE);
}

/* What the table says; the act. */
static enum act step(struct hint *h, enum event ev, uint64_t now)
{
	const struct cell *c = &table[h->info.state][ev];

	switch (c->act) {
	case BEGIN:
		begin(h, now);
		break;
	case RUN:
		h->info.started_ns = now;
		break;
	case STOP:
		h->info.stopped_ns = now;
		h->deadline_ns = 0;
		break;
	case END:
		end(h, now);
		break;
	default:
		return c->act;
	}
	h->info.state = c->next;
	h->info.why = c->why;
	h->effects |= HINT_CHANGED;
	return c->act;
}

static uint64_t deadline(uint64_t now, uint64_t timeout)
{
	assert(timeout);
	return timeout < UINT64_MAX - now ? now + timeout : UINT64_MAX;
}

int hint_request(struct hint *h, uint64_t now_ns, uint64_t timeout_ns)
{
	if (h->info.pinned)
		return -EAGAIN;
	if (step(h, EV_REQUEST, now_ns) == REFUSE)
		return -EBUSY;
	h->deadline_ns = deadline(now_ns, timeout_ns);
	return 0;
}

int hint_finish(struct hint *h, uint64_t now_ns)
{
	return step(h, EV_FINISH, now_ns) == REFUSE ? -EINVAL : 0;
}

int hint_cancel(struct hint *h, uint64_t now_ns)
{
	return step(h, EV_CANCEL, now_ns) == REFUSE ? -EINVAL : 0;
}

void hint_fail(struct hint *h, enum hint_why why, uint64_t now_ns)
{
	assert(why == HINT_WHY_HOST || why == HINT_WHY_PROTOCOL);
	step(h, why == HINT_WHY_HOST ? EV_HOST : EV_BROKEN, now_ns);
}

void hint_expire(struct hint *h, uint64_t now_ns)
{
	if (h->deadline_ns && now_ns >= h->deadline_ns)
		step(h, EV_EXPIRE, now_ns);
}

void hint_defer(struct hint *h, uint64_t now_ns, uint64_t timeout_ns)
{
	if (h->deadline_ns)
		h->deadline_ns = deadline(now_ns, timeout_ns);
}

const char *hint_fault(unsigned readable, uint64_t readable_bytes, unsigned writable)
{
	if (readable && writable)
		return "a message that is both a command and a block";
	if (readable && readable_bytes != sizeof(uint32_t))
		return "a command that is not 4 bytes";
	return NULL;
}

/* A driver that starts after the end of a session holds blocks again. */
static void note_start(struct hint *h, uint32_t id)
{
	h->started = id;
	if (h->field == HINT_ID_DONE)
		h->info.pinned = true;
}

static void note_stop(struct hint *h)
{
	if (h->started && h->field == HINT_ID_DONE)
		h->effects |= HINT_NOTIFY;
	h->started = 0;
}

void hint_command(struct hint *h, uint32_t id, uint64_t now_ns)
{
	enum event ev = id == h->info.id ? EV_START : EV_OTHER;

	if (id == HINT_ID_STOP) {
		ev = EV_STOP;
		note_stop(h);
	} else {
		note_start(h, id);
	}
	if (step(h, ev, now_ns) == STRAY)
		h->info.stray_commands++;
}

bool hint_block(struct hint *h, uint64_t len)
{
	if (step(h, EV_BLOCK, 0) != TAKE) {
		h->info.late_blocks++;
		return false;
	}
	if (len > HINT_BLOCK_MAX) {
		h->info.useless++;
		return false;
	}
	return true;
}

void hint_collected(struct hint *h, uint64_t pages)
{
	if (!pages) {
		h->info.useless++;
		return;
	}
	h->info.blocks++;
	h->info.bytes += pages << GMEM_PAGE_SHIFT;
}

void hint_field_read(struct hint *h)
{
	if (h->field == HINT_ID_DONE && !h->started)
		h->info.pinned = false;
	if (h->field != HINT_ID_STOP && h->field == h->info.id)
		h->info.seen = true;
}

void hint_reset(struct hint *h, uint64_t now_ns)
{
	step(h, EV_RESET, now_ns);
	h->field = HINT_ID_STOP;
	h->started = 0;
	h->info.pinned = false;
	/* The next driver reads the field when it wants to; there is none to interrupt. */
	h->effects &= ~HINT_NOTIFY;
}
