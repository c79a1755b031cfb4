// SPDX-License-Identifier: Apache-2.0
#include "devices/balloon/hint_message.h"

#include "tests/unit/vq_fixture.h"

#define BLOCK 0x20000ull /* 64 KiB there are the guest's free memory */
#define LATER 5

static struct hint hint;
static struct hintset *set;

static void begin(void)
{
	setup(NUM, false, false);
	hint = (struct hint){0};
	set = hintset_create(&mem);
	ck_assert_ptr_nonnull(set);
	ck_assert_int_eq(hint_request(&hint, 1, 100), 0);
}

static void end(void)
{
	hintset_destroy(set);
	gmem_destroy(&mem);
}

/* The driver queues a chain of n buffers; the device takes it in and returns it. */
static const char *send(const struct ring_buf *b, unsigned n)
{
	const char *fault;
	uint16_t head;
	uint32_t len;

	ring_add(&ring, b, n);
	pop_one();
	fault = hint_message(&hint, set, &chain, LATER);
	vq_push(&vq, chain.head, 0);
	ck_assert(ring_used(&ring, &head, &len) && !len);
	return fault;
}

static void command(uint32_t id)
{
	/* Little endian, whatever the host is. */
	const uint8_t le[] = {(uint8_t)id, (uint8_t)(id >> 8), (uint8_t)(id >> 16),
			      (uint8_t)(id >> 24)};

	ring_poke(&mem, DATA, le, sizeof(le));
	ck_assert_ptr_null(send(&(struct ring_buf){DATA, 4, false}, 1));
}

static void block(uint64_t gpa, uint32_t len)
{
	ck_assert_ptr_null(send(&(struct ring_buf){gpa, len, true}, 1));
}

START_TEST(a_session)
{
	static const uint8_t contents[] = {1, 2, 3, 4};
	uint8_t seen[4];

	begin();
	ring_poke(&mem, BLOCK, contents, sizeof(contents));
	command(hint.field);
	ck_assert_int_eq(hint.info.state, HINT_RUNNING);
	ck_assert_uint_eq(hint.info.started_ns, LATER);
	block(BLOCK, 0x8000);
	block(BLOCK + 0x8000, 0x8000);
	command(HINT_ID_STOP);
	ck_assert_int_eq(hint.info.state, HINT_GUEST_DONE);
	ck_assert_uint_eq(hint.info.blocks, 2);
	ck_assert_uint_eq(hint.info.bytes, 0x10000);
	ck_assert_uint_eq(hintset_pages(set), 16);
	ring_peek(&mem, BLOCK, seen, sizeof(seen));
	ck_assert_mem_eq(seen, contents, sizeof(seen));
	end();
}
END_TEST

START_TEST(what_comes_too_early_or_too_late_stays_out)
{
	begin();
	block(BLOCK, 0x1000);
	command(hint.field + 1);
	block(BLOCK, 0x1000);
	command(HINT_ID_STOP);
	ck_assert_int_eq(hint.info.state, HINT_REQUESTED);
	command(hint.field);
	command(HINT_ID_STOP);
	block(BLOCK, 0x1000);
	hint_cancel(&hint, LATER);
	hintset_destroy(set);
	set = NULL; /* as it is between sessions */
	block(BLOCK, 0x1000);
	ck_assert_uint_eq(hint.info.late_blocks, 4);
	ck_assert_uint_eq(hint.info.stray_commands, 2);
	ck_assert_uint_eq(hint.info.blocks, 0);
	end();
}
END_TEST

START_TEST(odd_blocks_do_no_harm)
{
	begin();
	command(hint.field);
	block(BLOCK, 4);	  /* the length of a command */
	block(BLOCK + 1, 0x1000); /* no whole page */
	block(BLOCK, 0xfff);
	block(BLOCK, 0x1000);
	block(BLOCK, 0x1000); /* again */
	ck_assert_uint_eq(hint.info.useless, 4);
	ck_assert_uint_eq(hint.info.bytes, 0x1000);
	ck_assert_uint_eq(hintset_pages(set), 1);
	ck_assert_int_eq(hint.info.state, HINT_RUNNING);
	end();
}
END_TEST

START_TEST(buffers_in_pieces)
{
	const struct ring_buf blocks[] = {
		{BLOCK, 0x1000, true}, {BLOCK + 0x3000, 0x2000, true}, {RAM2, 0x1000, true}};
	struct ring_buf pieces[] = {{DATA + 8, 1, false}, {DATA, 3, false}};
	uint32_t id;

	begin();
	id = hint.field;
	ring_poke(&mem, DATA + 8, &(uint8_t){(uint8_t)id}, 1);
	ring_poke(&mem, DATA, (uint8_t[]){0, 0, 0}, 3);
	ck_assert_ptr_null(send(pieces, 2));
	ck_assert_int_eq(hint.info.state, HINT_RUNNING);
	ck_assert_ptr_null(send(blocks, 3));
	ck_assert_uint_eq(hint.info.blocks, 3);
	ck_assert_uint_eq(hintset_pages(set), 4);
	end();
}
END_TEST

START_TEST(wrong_forms_fail_the_session)
{
	static const struct {
		struct ring_buf b[2];
		unsigned n;
	} cases[] = {
		{{{DATA, 3, false}}, 1},
		{{{DATA, 5, false}}, 1},
		{{{DATA, 4, false}, {DATA, 4, false}}, 2},
		{{{DATA, 0x1000, false}}, 1}, /* a block that is readable */
		{{{DATA, 4, false}, {BLOCK, 0x1000, true}}, 2},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		command(hint.field);
		block(BLOCK, 0x1000);
		ck_assert_ptr_nonnull(send(cases[i].b, cases[i].n));
		ck_assert_int_eq(hint.info.state, HINT_FAILED);
		ck_assert_int_eq(hint.info.why, HINT_WHY_PROTOCOL);
		ck_assert_uint_eq(hint.field, HINT_ID_DONE);
		ck_assert_uint_eq(hintset_pages(set), 1);
		end();
	}
}
END_TEST

UNIT_MAIN("hint_message", a_session, what_comes_too_early_or_too_late_stays_out,
	  odd_blocks_do_no_harm, buffers_in_pieces, wrong_forms_fail_the_session)
