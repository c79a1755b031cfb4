// SPDX-License-Identifier: Apache-2.0
/*
 * The session's table, row by row, and what a guest may get wrong. Every order of events is
 * gone through by test_hint_model.c and test_hint_hostile.c.
 */
#include "devices/balloon/hint.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

#define TIMEOUT 100
#define BLOCK	(4ull << 20)

/*
 * A script is what happens, a letter each; a small letter where it is refused, ignored or has
 * no effect: Q  request, q too early (EBUSY), w the guest isn't ready (EAGAIN) S  start with
 * the session's id, s ignored; O with another id, which fails the session, o ignored; D with
 * DONE, ignored T  stop, t ignored B  block collected, b ignored F  finish, C cancel, H host
 * failure, V violation, X deadline passed, R reset r  the field is read
 */
static const struct {
	const char *script;
	enum hint_state state;
	enum hint_why why;
	char field; /* 'i': the session's id, 'D': DONE, 'S': STOP */
	unsigned late, stray;
} cases[] = {
	/* As it should be. */
	{"", HINT_NONE, HINT_WHY_NONE, 'S', 0, 0},
	{"Q", HINT_REQUESTED, HINT_WHY_NONE, 'i', 0, 0},
	{"QrS", HINT_RUNNING, HINT_WHY_NONE, 'i', 0, 0},
	{"QrSBBT", HINT_GUEST_DONE, HINT_WHY_NONE, 'i', 0, 0},
	{"QrSBBTF", HINT_FINISHED, HINT_WHY_NONE, 'D', 0, 0},
	{"QrSBBTFr", HINT_FINISHED, HINT_WHY_NONE, 'D', 0, 0},
	{"QrSTF", HINT_FINISHED, HINT_WHY_NONE, 'D', 0, 0},
	{"QrSBBTFrQrSBBTFrQ", HINT_REQUESTED, HINT_WHY_NONE, 'i', 0, 0},
	/* A resize makes the driver read the field at any moment. */
	{"rQrrSrBrTrF", HINT_FINISHED, HINT_WHY_NONE, 'D', 0, 0},

	/* The host, out of turn. */
	{"fchvx", HINT_NONE, HINT_WHY_NONE, 'S', 0, 0},
	{"Qqf", HINT_REQUESTED, HINT_WHY_NONE, 'i', 0, 0},
	{"QSq", HINT_RUNNING, HINT_WHY_NONE, 'i', 0, 0},
	{"QSTqx", HINT_GUEST_DONE, HINT_WHY_NONE, 'i', 0, 0},
	{"QSTFwfchvx", HINT_FINISHED, HINT_WHY_NONE, 'D', 0, 0},
	{"QSBF", HINT_FINISHED, HINT_WHY_NONE, 'D', 0, 0},

	/* Ends. */
	{"QC", HINT_CANCELLED, HINT_WHY_NONE, 'D', 0, 0},
	{"QSBC", HINT_CANCELLED, HINT_WHY_NONE, 'D', 0, 0},
	{"QSBTC", HINT_CANCELLED, HINT_WHY_NONE, 'D', 0, 0},
	{"QX", HINT_FAILED, HINT_WHY_NO_ANSWER, 'D', 0, 0},
	{"QrX", HINT_FAILED, HINT_WHY_NO_ANSWER, 'D', 0, 0},
	{"QSX", HINT_FAILED, HINT_WHY_NO_STOP, 'D', 0, 0},
	{"QH", HINT_FAILED, HINT_WHY_HOST, 'D', 0, 0},
	{"QSH", HINT_FAILED, HINT_WHY_HOST, 'D', 0, 0},
	{"QSTH", HINT_FAILED, HINT_WHY_HOST, 'D', 0, 0},
	{"QV", HINT_FAILED, HINT_WHY_PROTOCOL, 'D', 0, 0},
	{"QSV", HINT_FAILED, HINT_WHY_PROTOCOL, 'D', 0, 0},
	{"QSTV", HINT_FAILED, HINT_WHY_PROTOCOL, 'D', 0, 0},
	{"R", HINT_NONE, HINT_WHY_NONE, 'S', 0, 0},
	{"QR", HINT_FAILED, HINT_WHY_RESET, 'S', 0, 0},
	{"QSBR", HINT_FAILED, HINT_WHY_RESET, 'S', 0, 0},
	{"QSBTR", HINT_FAILED, HINT_WHY_RESET, 'S', 0, 0},
	{"QSBTFR", HINT_FINISHED, HINT_WHY_NONE, 'S', 0, 0},
	{"QCRQ", HINT_REQUESTED, HINT_WHY_NONE, 'i', 0, 0},

	/* The guest, out of turn: ignored. */
	{"otbD", HINT_NONE, HINT_WHY_NONE, 'S', 1, 3},
	{"Qtb", HINT_REQUESTED, HINT_WHY_NONE, 'i', 1, 1},
	{"QobbtD", HINT_REQUESTED, HINT_WHY_NONE, 'i', 2, 3},
	{"QobtSB", HINT_RUNNING, HINT_WHY_NONE, 'i', 1, 2},
	{"QSBsB", HINT_RUNNING, HINT_WHY_NONE, 'i', 0, 1},
	{"QSBTbsbtob", HINT_GUEST_DONE, HINT_WHY_NONE, 'i', 3, 3},
	{"QSBTFbsbtob", HINT_FINISHED, HINT_WHY_NONE, 'D', 3, 3},
	{"QSCbt", HINT_CANCELLED, HINT_WHY_NONE, 'D', 1, 1},
	{"QSXbt", HINT_FAILED, HINT_WHY_NO_STOP, 'D', 1, 1},
	{"QSRbt", HINT_FAILED, HINT_WHY_RESET, 'S', 1, 1},
	/* Counts go on in the next session, which an old one's leftovers don't touch. */
	{"QXrstrQob", HINT_REQUESTED, HINT_WHY_NONE, 'i', 1, 3},

	/* With a session of its own in the middle of ours: nothing it says is of use. */
	{"QSO", HINT_FAILED, HINT_WHY_PROTOCOL, 'D', 0, 0},
	{"QSBObt", HINT_FAILED, HINT_WHY_PROTOCOL, 'D', 1, 1},

	/* No new session before the driver knows that the last one is over, */
	{"QSTFw", HINT_FINISHED, HINT_WHY_NONE, 'D', 0, 0},
	{"QCw", HINT_CANCELLED, HINT_WHY_NONE, 'D', 0, 0},
	{"QCrQ", HINT_REQUESTED, HINT_WHY_NONE, 'i', 0, 0},
	{"QSTFRQ", HINT_REQUESTED, HINT_WHY_NONE, 'i', 0, 0},
	/* and acts on it: not in the middle of a run, which it ends first. */
	{"QSXrw", HINT_FAILED, HINT_WHY_NO_STOP, 'D', 0, 0},
	{"QSXrtw", HINT_FAILED, HINT_WHY_NO_STOP, 'D', 0, 1},
	{"QSXrtrQ", HINT_REQUESTED, HINT_WHY_NONE, 'i', 0, 1},
	{"QSXRQ", HINT_REQUESTED, HINT_WHY_NONE, 'i', 0, 0},
	/* One that was about to start reads DONE and starts with that (Linux does). */
	{"QrXrDbw", HINT_FAILED, HINT_WHY_NO_ANSWER, 'D', 1, 1},
	{"QrXrDbtrQS", HINT_RUNNING, HINT_WHY_NONE, 'i', 1, 2},
};

static unsigned current; /* case */
static unsigned at;	 /* letter */

#define OK(cond)                                                                               \
	do {                                                                                   \
		if (!(cond))                                                                   \
			ck_abort_msg("\"%s\", letter %u: %s", cases[current].script, at,       \
				     #cond);                                                   \
	} while (0)

static void request(struct hint *h, int rc, uint64_t now)
{
	uint32_t last = h->info.id;

	OK(hint_request(h, now, TIMEOUT) == rc);
	OK(rc || (h->info.id != last && h->info.id >= HINT_ID_FIRST && !h->info.bytes));
}

static void block(struct hint *h, bool taken)
{
	bool take = hint_block(h, BLOCK);

	OK(take == taken);
	if (take)
		hint_collected(h, BLOCK >> 12);
}

static void do_letter(struct hint *h, char c, uint64_t now)
{
	switch (c) {
	case 'Q':
		request(h, 0, now);
		break;
	case 'q':
		request(h, -EBUSY, now);
		break;
	case 'w':
		request(h, -EAGAIN, now);
		break;
	case 'S':
	case 's':
		hint_command(h, h->info.id ? h->info.id : 5, now);
		break;
	case 'O':
	case 'o':
		hint_command(h, h->info.id + 3, now);
		break;
	case 'D':
		hint_command(h, HINT_ID_DONE, now);
		break;
	case 'T':
	case 't':
		hint_command(h, HINT_ID_STOP, now);
		break;
	case 'B':
	case 'b':
		block(h, c == 'B');
		break;
	case 'F':
	case 'f':
		OK(hint_finish(h, now) == (c == 'F' ? 0 : -EINVAL));
		break;
	case 'C':
	case 'c':
		OK(hint_cancel(h, now) == (c == 'C' ? 0 : -EINVAL));
		break;
	case 'H':
	case 'h':
		hint_fail(h, HINT_WHY_HOST, now);
		break;
	case 'V':
	case 'v':
		hint_fail(h, HINT_WHY_PROTOCOL, now);
		break;
	case 'X':
	case 'x':
		hint_expire(h, now + TIMEOUT);
		break;
	case 'R':
		hint_reset(h, now);
		break;
	default:
		OK(c == 'r');
		hint_field_read(h);
	}
}

/* Letters that move the session: the owner is told of these, and of no others. */
static bool moves(char c, enum hint_state before)
{
	return strchr("QSOTFCHVX", c) ||
	       (c == 'R' && before >= HINT_REQUESTED && before <= HINT_GUEST_DONE);
}

START_TEST(scripts)
{
	for (current = 0; current < sizeof(cases) / sizeof(cases[0]); current++) {
		const char *s = cases[current].script;
		struct hint h = {0};

		for (at = 0; s[at]; at++) {
			enum hint_state before = h.info.state;
			uint32_t field = h.field;
			unsigned effects;

			do_letter(&h, s[at], 1000 + at);
			effects = hint_effects(&h);
			OK(!!(effects & HINT_CHANGED) == moves(s[at], before));
			OK((h.info.state != before) == moves(s[at], before));
			/* The guest is told of whatever it may read anew. */
			OK(s[at] == 'R' ? !(effects & HINT_NOTIFY)
					: field == h.field || effects & HINT_NOTIFY);
			OK(!hint_effects(&h));
		}
		OK(h.info.state == cases[current].state);
		OK(h.info.why == cases[current].why);
		OK(h.field == (cases[current].field == 'i'   ? h.info.id
			       : cases[current].field == 'D' ? HINT_ID_DONE
							     : HINT_ID_STOP));
		OK(h.info.late_blocks == cases[current].late);
		OK(h.info.stray_commands == cases[current].stray);
	}
}
END_TEST

static struct hint run(const char *script)
{
	struct hint h = {0};

	for (unsigned i = 0; script[i]; i++) {
		if (script[i] == 'Q')
			ck_assert_int_eq(hint_request(&h, 1000 + i, TIMEOUT), 0);
		else
			do_letter(&h, script[i], 1000 + i);
	}
	hint_effects(&h);
	return h;
}

START_TEST(times_and_deadline)
{
	struct hint h = run("Q");

	ck_assert_uint_eq(h.deadline_ns, 1100);
	hint_expire(&h, 1099);
	ck_assert_int_eq(h.info.state, HINT_REQUESTED);
	h = run("QrSBBTF");
	ck_assert(h.info.seen);
	ck_assert_uint_eq(h.info.requested_ns, 1000);
	ck_assert_uint_eq(h.info.started_ns, 1002);
	ck_assert_uint_eq(h.info.stopped_ns, 1005);
	ck_assert_uint_eq(h.info.ended_ns, 1006);
	ck_assert_uint_eq(h.deadline_ns, 0);
	h = run("QrSBTFrQ");
	ck_assert(!h.info.seen);
	ck_assert_uint_eq(h.info.started_ns | h.info.stopped_ns | h.info.ended_ns, 0);
	/* To wait for ever is to wait long. */
	h = (struct hint){0};
	ck_assert_int_eq(hint_request(&h, 5, UINT64_MAX), 0);
	ck_assert_uint_eq(h.deadline_ns, UINT64_MAX);
}
END_TEST

/* From now on, not from the request; and only while the guest is waited for. */
START_TEST(a_guest_that_works_gets_more_time)
{
	struct hint h = run("QSB");

	hint_defer(&h, 1050, TIMEOUT);
	ck_assert_uint_eq(h.deadline_ns, 1150);
	hint_expire(&h, 1149);
	ck_assert_int_eq(h.info.state, HINT_RUNNING);
	hint_defer(&h, 1149, 1);
	ck_assert_uint_eq(h.deadline_ns, 1150);
	ck_assert_uint_eq(hint_effects(&h), 0);
	hint_expire(&h, 1150);
	ck_assert_int_eq(h.info.why, HINT_WHY_NO_STOP);
	h = run("Q");
	hint_defer(&h, 2000, UINT64_MAX);
	ck_assert_uint_eq(h.deadline_ns, UINT64_MAX);
	h = run("QST");
	hint_defer(&h, 2000, TIMEOUT);
	ck_assert_uint_eq(h.deadline_ns, 0);
	h = run("QSTF");
	hint_defer(&h, 2000, TIMEOUT);
	ck_assert_uint_eq(h.deadline_ns, 0);
	h = run("");
	hint_defer(&h, 2000, TIMEOUT);
	ck_assert_uint_eq(h.deadline_ns, 0);
}
END_TEST

START_TEST(the_end_of_a_run_asks_for_another_look)
{
	/* The driver read DONE inside the run: once more, so that it gives its blocks back. */
	struct hint h = run("QSXr");

	ck_assert(h.info.pinned);
	hint_command(&h, HINT_ID_STOP, 1);
	ck_assert_uint_eq(hint_effects(&h), HINT_NOTIFY);
	ck_assert(h.info.pinned);
	hint_field_read(&h);
	ck_assert(!h.info.pinned);
	/* A second stop isn't the end of anything: no interrupt for as many as it likes. */
	hint_command(&h, HINT_ID_STOP, 1);
	ck_assert_uint_eq(hint_effects(&h), 0);
}
END_TEST

START_TEST(ids_skip_what_is_reserved_or_in_use)
{
	struct hint h = {.last_id = UINT32_MAX - 1};

	ck_assert_int_eq(hint_request(&h, 1, 1), 0);
	ck_assert_uint_eq(h.field, UINT32_MAX);
	ck_assert_int_eq(hint_cancel(&h, 1), 0);
	hint_field_read(&h);
	ck_assert_int_eq(hint_request(&h, 1, 1), 0);
	ck_assert_uint_eq(h.field, HINT_ID_FIRST);

	/* Between a reset and the next session nothing but a broken driver starts. */
	h = (struct hint){.last_id = UINT32_MAX};
	hint_command(&h, HINT_ID_FIRST, 1);
	ck_assert_int_eq(hint_request(&h, 1, 1), 0);
	ck_assert_uint_eq(h.field, HINT_ID_FIRST + 1);
	/* A reset doesn't count from the beginning: an old buffer may still carry an old id. */
	hint_reset(&h, 1);
	ck_assert_int_eq(hint_request(&h, 1, 1), 0);
	ck_assert_uint_eq(h.field, HINT_ID_FIRST + 2);
}
END_TEST

START_TEST(blocks_are_counted)
{
	struct hint h = run("QS");

	ck_assert(hint_block(&h, HINT_BLOCK_MAX));
	hint_collected(&h, 1024);
	ck_assert(hint_block(&h, 4)); /* a block all the same: its direction says so */
	hint_collected(&h, 0);
	ck_assert(hint_block(&h, BLOCK));
	hint_collected(&h, 1);
	ck_assert(!hint_block(&h, HINT_BLOCK_MAX + 1));
	ck_assert(!hint_block(&h, UINT64_MAX));
	ck_assert_uint_eq(h.info.blocks, 2);
	ck_assert_uint_eq(h.info.bytes, 1025 * 4096);
	ck_assert_uint_eq(h.info.useless, 3);
	ck_assert_uint_eq(h.info.late_blocks, 0);
	ck_assert_uint_eq(hint_effects(&h), 0);
}
END_TEST

START_TEST(forms_of_messages)
{
	static const struct {
		unsigned readable;
		uint64_t bytes;
		unsigned writable;
		const char *fault;
	} forms[] = {
		{1, 4, 0, NULL},
		{4, 4, 0, NULL}, /* the driver may cut a buffer as it likes (2.7.4) */
		{0, 0, 1, NULL},
		{0, 0, 32, NULL},
		{1, 4, 1, "both"},
		{1, 3, 0, "4 bytes"},
		{1, 5, 0, "4 bytes"},
		{2, 8, 0, "4 bytes"},
		{1, 4ull << 30, 0, "4 bytes"},
		{1, (4ull << 30) + 4, 0, "4 bytes"},
	};

	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const char *fault =
			hint_fault(forms[i].readable, forms[i].bytes, forms[i].writable);

		ck_assert_int_eq(!fault, !forms[i].fault);
		if (fault)
			ck_assert_ptr_nonnull(strstr(fault, forms[i].fault));
	}
}
END_TEST

START_TEST(names)
{
	for (unsigned s = 0; s < HINT_STATES; s++) {
		ck_assert_uint_gt(strlen(hint_state_name((enum hint_state)s)), 0);
		for (unsigned t = 0; t < s; t++)
			ck_assert_str_ne(hint_state_name((enum hint_state)s),
					 hint_state_name((enum hint_state)t));
	}
	ck_assert_str_eq(hint_why_name(HINT_WHY_NONE), "");
	for (unsigned w = 1; w < HINT_WHYS; w++)
		ck_assert_uint_gt(strlen(hint_why_name((enum hint_why)w)), 0);
}
END_TEST

UNIT_MAIN("hint", scripts, times_and_deadline, a_guest_that_works_gets_more_time,
	  the_end_of_a_run_asks_for_another_look, ids_skip_what_is_reserved_or_in_use,
	  blocks_are_counted, forms_of_messages, names)
