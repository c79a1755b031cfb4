/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session of free page hinting (virtio 1.2, section 5.5.6.5) as a state machine: no rings, no
 * threads, no clock; times come in as CLOCK_MONOTONIC in nanoseconds.
 *
 * The host shows a command id in the configuration field free_page_hint_cmd_id. A driver that
 * sees a new one answers on the hint queue: a start (a readable buffer with that id), a
 * writable buffer for each free block, a stop (a readable buffer with 0). It holds the blocks
 * until it reads DONE in the field, or takes some back, without a word, when it runs short of
 * memory. Linux (drivers/virtio/virtio_balloon.c) reads the field after every configuration
 * interrupt, a resize of the balloon too: so the field shows the session's id for as long as it
 * lasts.
 *
 * The table. Rows are states, columns what happens, in capitals the state that follows:
 *
 *   the guest:   start    other   stop        block  reset
 *   none         stray    stray   stray       stray  -
 *   requested    RUNNING  stray   stray       stray  FAILED
 *   running      stray    FAILED  GUEST_DONE  take   FAILED
 *   guest-done   stray    stray   stray       stray  FAILED
 *   ended        stray    stray   stray       stray  -
 *
 *   the host:    request    finish    cancel     fail    expire
 *   none         REQUESTED  refuse    refuse     -       -
 *   requested    refuse     refuse    CANCELLED  FAILED  FAILED
 *   running      refuse     FINISHED  CANCELLED  FAILED  FAILED
 *   guest-done   refuse     FINISHED  CANCELLED  FAILED  -
 *   ended        REQUESTED  refuse    refuse     -       -
 *
 *   ended      finished, cancelled or failed
 *   start      a start with the session's id; other: with another one that isn't 0
 *   fail       the host can't go on, or the device latched DEVICE_NEEDS_RESET
 *   expire     the deadline passed. There is none from guest-done on: it's the host's turn
 *   stray      ignored and counted: it may be in good faith, of a session that has ended
 *
 * Every way out of a session shows DONE, or the guest's free memory would stay pinned; after a
 * reset the field shows STOP.
 *
 * Between sessions. A driver that reads the next session's id before DONE goes on holding the
 * blocks of the last one, and doesn't hint them again. So a request is refused (-EAGAIN) while
 * the guest may hold blocks: until it read DONE at a moment when it had no start open. Linux
 * reads it inside a run that it then breaks off, and would look for the reason once more only
 * after another interrupt; a stop that comes while DONE is shown therefore asks for one.
 *
 * Command ids count up from 2 (0 is STOP, 1 is DONE) and wrap around; one whose start hasn't
 * been stopped is left out.
 *
 * Under the balloon's lock. Inputs leave what is to be done in hint_effects().
 */
#ifndef AEROSTAT_DEVICES_BALLOON_HINT_H
#define AEROSTAT_DEVICES_BALLOON_HINT_H

#include <stdbool.h>
#include <stdint.h>

/* Values of free_page_hint_cmd_id that are no session's id (5.5.4). */
#define HINT_ID_STOP  0u
#define HINT_ID_DONE  1u
#define HINT_ID_FIRST 2u

/*
 * The largest block that is believed, in bytes: it bounds the work of a kick. Linux sends its
 * largest free blocks: 4 MiB, on some architectures up to 512 MiB.
 */
#define HINT_BLOCK_MAX (1ull << 30)

enum hint_state {
	HINT_NONE,	 /* there was no session yet */
	HINT_REQUESTED,	 /* the id is shown, the guest hasn't started */
	HINT_RUNNING,	 /* the guest sends blocks */
	HINT_GUEST_DONE, /* it has sent what it had: the host may use them */
	HINT_FINISHED,	 /* the host has used them */
	HINT_CANCELLED,	 /* by the host */
	HINT_FAILED,	 /* see enum hint_why */
	HINT_STATES,
};

/* Why a session failed. */
enum hint_why {
	HINT_WHY_NONE,	    /* it didn't */
	HINT_WHY_NO_ANSWER, /* the guest didn't start in time */
	HINT_WHY_NO_STOP,   /* it started and didn't stop in time */
	HINT_WHY_RESET,	    /* the driver reset the device: unloaded, or the guest rebooted */
	HINT_WHY_PROTOCOL,  /* it broke the rules */
	HINT_WHY_HOST,	    /* the host couldn't go on */
	HINT_WHYS,
};

const char *hint_state_name(enum hint_state s); /* "none", ... as in the table */
const char *hint_why_name(enum hint_why why);	/* "", "no answer", "no stop", ... */

/* The session, or the last one. Times are 0 for what didn't happen. */
struct hint_info {
	enum hint_state state;
	enum hint_why why;
	uint32_t id;
	bool seen;   /* the guest read the id */
	bool pinned; /* the guest may hold blocks of a session that has ended */
	uint64_t requested_ns, started_ns, stopped_ns, ended_ns;

	uint64_t blocks;  /* collected */
	uint64_t bytes;	  /* of those; no page counted twice in what is taken at once */
	uint64_t useless; /* blocks that hold no whole page of RAM, were too large, or known */

	/* Of all sessions: what came outside of one that was running. */
	uint64_t late_blocks;	 /* lost hints */
	uint64_t stray_commands; /* starts and stops */
};

/* All-zero is the state of a new device. For others than hint.c, info and deadline to read. */
struct hint {
	struct hint_info info;
	uint64_t deadline_ns; /* when hint_expire() is due; 0: never */
	uint32_t field;	      /* free_page_hint_cmd_id */
	uint32_t last_id;     /* the last one given to a session */
	uint32_t started;     /* by the guest, and not stopped: the id; 0: none */
	unsigned effects;
};

/* What an input asks for; reading clears. */
#define HINT_NOTIFY  1u /* a configuration interrupt: the guest is to read the field */
#define HINT_CHANGED 2u /* tell the owner: the session has another state */
unsigned hint_effects(struct hint *h);

/* ---- the host ---- */

/*
 * Begin a session that fails after timeout_ns (positive) unless the guest has stopped by then.
 * Before, the caller's dirty log is on and armed, and then the hint queue is emptied, every
 * message handled: one that waits there may be older than the log, and Linux's start is a
 * buffer that its next start overwrites, so an old one may carry the new id. 0; -EBUSY: there
 * is a session; -EAGAIN: the guest hasn't taken note of the last one's end yet.
 */
int hint_request(struct hint *h, uint64_t now_ns, uint64_t timeout_ns);

/* The blocks were used: all there are, or while the guest runs those that came. 0 or -EINVAL.
 */
int hint_finish(struct hint *h, uint64_t now_ns);

int hint_cancel(struct hint *h, uint64_t now_ns); /* 0, or -EINVAL: no session */

/* The host can't go on (why HINT_WHY_HOST), or the device needs a reset (HINT_WHY_PROTOCOL). */
void hint_fail(struct hint *h, enum hint_why why, uint64_t now_ns);

/* Fails the session if its deadline has passed. At any moment. */
void hint_expire(struct hint *h, uint64_t now_ns);

/* A new deadline, timeout_ns (positive) from now, for a session that has one. */
void hint_defer(struct hint *h, uint64_t now_ns, uint64_t timeout_ns);

/* ---- the guest ---- */

/*
 * What is wrong with the form of a message, or NULL. Direction tells a command from a block,
 * length doesn't. A wrong form is a violation: hint_fail() follows.
 */
const char *hint_fault(unsigned readable, uint64_t readable_bytes, unsigned writable);

/* A command: HINT_ID_STOP is a stop, anything else a start. */
void hint_command(struct hint *h, uint32_t id, uint64_t now_ns);

/*
 * A block of len bytes, anywhere. True: add it to the set, and call hint_collected() with the
 * number of pages that were new in it. False: it's counted, and that's all.
 */
bool hint_block(struct hint *h, uint64_t len);
void hint_collected(struct hint *h, uint64_t pages);

/* All four bytes of the field were read, which shows h->field. */
void hint_field_read(struct hint *h);

/* The device is reset: before the queues are. Blocks that were collected are no longer hints.
 */
void hint_reset(struct hint *h, uint64_t now_ns);

#endif
