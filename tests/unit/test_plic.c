// SPDX-License-Identifier: Apache-2.0
#include "devices/legacy/plic.h"

#include "tests/unit/unit.h"

#define CONTEXTS 3

#define PRIORITY(source)   (4ull * (source))
#define PENDING		   0x1000ull
#define ENABLE(context)	   (0x2000 + 0x80ull * (context))
#define THRESHOLD(context) (0x200000 + 0x1000ull * (context))
#define CLAIM(context)	   (THRESHOLD(context) + 4)

static struct plic *plic;
static bool level[CONTEXTS];
static unsigned changes;

static void output(void *opaque, unsigned context, bool now)
{
	ck_assert_ptr_eq(opaque, level);
	ck_assert_uint_lt(context, CONTEXTS);
	ck_assert_int_ne(now, level[context]); /* only changes are told */
	level[context] = now;
	changes++;
}

static uint32_t rd(uint64_t off)
{
	return (uint32_t)plic_bus_ops.read(plic, off, 4);
}

static void wr(uint64_t off, uint32_t value)
{
	plic_bus_ops.write(plic, off, 4, value);
}

static void create(void)
{
	plic = plic_create(CONTEXTS, output, level);
	ck_assert_ptr_nonnull(plic);
}

/* As Linux sets a source up: priority 1, enabled for one context. */
static void use(uint32_t source, unsigned context)
{
	wr(PRIORITY(source), 1);
	wr(ENABLE(context), rd(ENABLE(context)) | 1u << source);
}

START_TEST(an_edge_is_claimed_and_completed)
{
	create();
	use(5, 1);
	plic_edge(plic, 5);
	ck_assert(!level[0] && level[1] && !level[2]);
	ck_assert_uint_eq(rd(PENDING), 1u << 5);
	ck_assert_uint_eq(rd(CLAIM(0)), 0);
	ck_assert_uint_eq(rd(CLAIM(1)), 5);
	ck_assert(!level[1]);
	ck_assert_uint_eq(rd(PENDING), 0);
	ck_assert_uint_eq(rd(CLAIM(1)), 0);
	wr(CLAIM(1), 5);
	ck_assert(!level[1]);
	ck_assert_uint_eq(changes, 2);
	plic_destroy(plic);
}
END_TEST

/* What a driver that thinks in levels needs to lose none. */
START_TEST(an_edge_during_the_handler_comes_after_it)
{
	create();
	use(16, 0);
	plic_edge(plic, 16);
	ck_assert_uint_eq(rd(CLAIM(0)), 16);
	plic_edge(plic, 16);
	plic_edge(plic, 16);
	ck_assert(!level[0]);
	ck_assert_uint_eq(rd(CLAIM(0)), 0);
	wr(CLAIM(0), 16);
	ck_assert(level[0]);
	ck_assert_uint_eq(rd(CLAIM(0)), 16);
	wr(CLAIM(0), 16);
	ck_assert(!level[0]);
	ck_assert_uint_eq(rd(CLAIM(0)), 0);
	plic_destroy(plic);
}
END_TEST

START_TEST(an_edge_waits_for_enable_priority_and_threshold)
{
	create();
	plic_edge(plic, 7);
	wr(ENABLE(2), 1u << 7);
	ck_assert(!level[2]);
	wr(PRIORITY(7), 3);
	ck_assert(level[2]);
	wr(THRESHOLD(2), 3);
	ck_assert(!level[2]);
	wr(THRESHOLD(2), 2);
	ck_assert(level[2]);
	wr(PRIORITY(7), 0);
	ck_assert(!level[2]);
	ck_assert_uint_eq(rd(CLAIM(2)), 0);
	wr(PRIORITY(7), 7);
	wr(ENABLE(2), 0);
	ck_assert(!level[2]);
	ck_assert_uint_eq(rd(CLAIM(2)), 0);
	ck_assert_uint_eq(rd(PENDING), 1u << 7);
	plic_destroy(plic);
}
END_TEST

/* Chapter 9: "the claim operation is not affected by the setting of the threshold". */
START_TEST(a_claim_does_not_look_at_the_threshold)
{
	create();
	use(3, 0);
	wr(THRESHOLD(0), 7);
	plic_edge(plic, 3);
	ck_assert(!level[0]);
	ck_assert_uint_eq(rd(CLAIM(0)), 3);
	plic_destroy(plic);
}
END_TEST

START_TEST(higher_priority_first_then_lower_number)
{
	static const uint32_t want[] = {9, 31, 2, 4, 1, 0};

	create();
	for (uint32_t i = 1; i <= PLIC_SOURCES; i++)
		use(i, 0);
	wr(PRIORITY(9), 7);
	wr(PRIORITY(31), 6);
	wr(PRIORITY(2), 2);
	wr(PRIORITY(4), 2);
	plic_edge(plic, 1);
	plic_edge(plic, 4);
	plic_edge(plic, 2);
	plic_edge(plic, 31);
	plic_edge(plic, 9);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(rd(CLAIM(0)), want[i]);
	ck_assert_uint_eq(changes, 2);
	plic_destroy(plic);
}
END_TEST

START_TEST(the_first_context_to_claim_has_it)
{
	create();
	use(8, 0);
	use(8, 2);
	plic_edge(plic, 8);
	ck_assert(level[0] && !level[1] && level[2]);
	ck_assert_uint_eq(rd(CLAIM(2)), 8);
	ck_assert(!level[0] && !level[2]);
	ck_assert_uint_eq(rd(CLAIM(0)), 0);
	plic_destroy(plic);
}
END_TEST

START_TEST(only_a_context_that_has_it_enabled_completes)
{
	create();
	use(8, 0);
	plic_edge(plic, 8);
	ck_assert_uint_eq(rd(CLAIM(0)), 8);
	plic_edge(plic, 8);
	wr(CLAIM(1), 8);
	ck_assert(!level[0]);
	wr(ENABLE(0), 0);
	wr(CLAIM(0), 8);
	wr(ENABLE(0), 1u << 8);
	ck_assert(!level[0]);
	wr(CLAIM(0), 8);
	ck_assert(level[0]);
	plic_destroy(plic);
}
END_TEST

START_TEST(registers_keep_what_they_have_bits_for)
{
	create();
	for (unsigned i = 0; i < CONTEXTS; i++) {
		wr(ENABLE(i), ~0u);
		ck_assert_uint_eq(rd(ENABLE(i)), ~1u);
		wr(THRESHOLD(i), 0xfffffffd);
		ck_assert_uint_eq(rd(THRESHOLD(i)), 5);
	}
	for (uint32_t i = 0; i <= PLIC_SOURCES; i++) {
		wr(PRIORITY(i), ~0u);
		ck_assert_uint_eq(rd(PRIORITY(i)), i ? PLIC_PRIO_MAX : 0);
	}
	wr(PENDING, ~0u);
	ck_assert_uint_eq(rd(PENDING), 0);
	ck_assert_uint_eq(changes, 0);
	plic_destroy(plic);
}
END_TEST

/* Every register of the window, and completions of what was never claimed. */
START_TEST(what_is_not_there_reads_0_and_takes_nothing)
{
	create();
	for (uint64_t off = 0; off < PLIC_LEN(CONTEXTS + 2); off += 4) {
		bool there = off <= PRIORITY(PLIC_SOURCES);

		for (unsigned c = 0; c < CONTEXTS; c++)
			there |= off == ENABLE(c) || off == THRESHOLD(c) || off == CLAIM(c);
		if (there)
			continue;
		wr(off, ~0u);
		ck_assert_msg(rd(off) == 0, "%#llx", (unsigned long long)off);
	}
	for (unsigned c = 0; c < CONTEXTS; c++) {
		wr(ENABLE(c), ~0u);
		wr(CLAIM(c), 0);
		wr(CLAIM(c), 5);
		wr(CLAIM(c), PLIC_SOURCES + 1);
		wr(CLAIM(c), ~0u);
		ck_assert_uint_eq(rd(CLAIM(c)), 0);
	}
	ck_assert_uint_eq(changes, 0);
	plic_destroy(plic);
}
END_TEST

START_TEST(other_widths_and_places_do_nothing)
{
	static const unsigned lens[] = {1, 2, 8};

	create();
	use(1, 0);
	plic_edge(plic, 1);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(plic_bus_ops.read(plic, CLAIM(0), lens[i]), 0);
		plic_bus_ops.write(plic, ENABLE(0), lens[i], 0);
	}
	ck_assert_uint_eq(plic_bus_ops.read(plic, CLAIM(0) + 2, 4), 0);
	plic_bus_ops.write(plic, ENABLE(0) + 1, 4, 0);
	ck_assert(level[0]);
	ck_assert_uint_eq(rd(ENABLE(0)), 2);
	ck_assert_uint_eq(rd(CLAIM(0)), 1);
	plic_destroy(plic);
}
END_TEST

START_TEST(a_reset_forgets_everything)
{
	create();
	use(1, 0);
	use(2, 0);
	plic_edge(plic, 1);
	plic_edge(plic, 2);
	ck_assert_uint_eq(rd(CLAIM(0)), 1);
	wr(THRESHOLD(1), 4);
	ck_assert(level[0]);
	plic_reset(plic);
	ck_assert(!level[0]);
	ck_assert_uint_eq(rd(PRIORITY(1)), 0);
	ck_assert_uint_eq(rd(ENABLE(0)), 0);
	ck_assert_uint_eq(rd(THRESHOLD(1)), 0);
	ck_assert_uint_eq(rd(PENDING), 0);
	/* 1 is not claimed any more. */
	use(1, 0);
	plic_edge(plic, 1);
	ck_assert(level[0]);
	plic_destroy(plic);
	plic_destroy(NULL);
}
END_TEST

UNIT_MAIN("plic", an_edge_is_claimed_and_completed, an_edge_during_the_handler_comes_after_it,
	  an_edge_waits_for_enable_priority_and_threshold,
	  a_claim_does_not_look_at_the_threshold, higher_priority_first_then_lower_number,
	  the_first_context_to_claim_has_it, only_a_context_that_has_it_enabled_completes,
	  registers_keep_what_they_have_bits_for, what_is_not_there_reads_0_and_takes_nothing,
	  other_widths_and_places_do_nothing, a_reset_forgets_everything)
