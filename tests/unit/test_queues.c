// SPDX-License-Identifier: Apache-2.0
#include "devices/balloon/queues.h"

#include "devices/balloon/balloon.h"
#include "tests/unit/unit.h"

#define S (1u << BALLOON_F_BIT_STATS_VQ)
#define H (1u << BALLOON_F_BIT_FREE_PAGE_HINT)
#define R (1u << BALLOON_F_BIT_REPORTING)
#define X BALLOON_NO_QUEUE

/* Statistics, hints, reporting: their numbers, for every set of features and each way. */
static const struct {
	unsigned features;
	uint8_t compact[3], fixed[3];
} rows[] = {
	{0, {X, X, X}, {X, X, X}},     {S, {2, X, X}, {2, X, X}},
	{H, {X, 2, X}, {X, 3, X}},     {S | H, {2, 3, X}, {2, 3, X}},
	{R, {X, X, 2}, {X, X, 4}},     {S | R, {2, X, 3}, {2, X, 4}},
	{H | R, {X, 2, 3}, {X, 3, 4}}, {S | H | R, {2, 3, 4}, {2, 3, 4}},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Others of the device, which have no queue. */
#define OTHERS (1u << BALLOON_F_BIT_MUST_TELL_HOST | 1u << BALLOON_F_BIT_PAGE_POISON | 1u << 6)

static unsigned ready_of(const uint8_t number[3])
{
	unsigned ready = 3;

	for (unsigned i = 0; i < 3; i++) {
		if (number[i] != X)
			ready |= 1u << number[i];
	}
	return ready;
}

static void expect(unsigned features, unsigned ready, const uint8_t want[3])
{
	uint8_t number[BALLOON_NVQ];

	balloon_number_queues(features, ready, number);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_msg(number[BALLOON_VQ_STATS + i] == want[i],
			      "features 0x%x, ready 0x%x: queue %u has number %u, not %u",
			      features, ready, BALLOON_VQ_STATS + i,
			      number[BALLOON_VQ_STATS + i], want[i]);
	for (unsigned v = 0; v < BALLOON_VQ_STATS; v++)
		ck_assert_uint_eq(number[v], ready >> v & 1 ? v : X);
}

START_TEST(one_after_the_other)
{
	for (unsigned i = 0; i < ROWS; i++) {
		expect(rows[i].features, ready_of(rows[i].compact), rows[i].compact);
		expect(rows[i].features | OTHERS, ready_of(rows[i].compact), rows[i].compact);
	}
}
END_TEST

START_TEST(as_the_standard_has_them)
{
	for (unsigned i = 0; i < ROWS; i++) {
		expect(rows[i].features, ready_of(rows[i].fixed), rows[i].fixed);
		expect(rows[i].features | OTHERS, ready_of(rows[i].fixed), rows[i].fixed);
	}
}
END_TEST

/* A driver that makes every queue ready knows the standard's numbers. */
START_TEST(all_are_ready)
{
	for (unsigned i = 0; i < ROWS; i++)
		expect(rows[i].features, 0x1f, rows[i].fixed);
}
END_TEST

/* What isn't ready has no number, and the others keep theirs. */
START_TEST(some_are_not_ready)
{
	expect(S | H | R, 0, (uint8_t[]){X, X, X});
	expect(S | H | R, 3 | 1 << 3, (uint8_t[]){X, 3, X});
	expect(S | R, 3 | 1 << 4, (uint8_t[]){X, X, 4});
	expect(S | R, 3 | 1 << 3, (uint8_t[]){X, X, 3});
	expect(S | R, 3 | 1 << 2, (uint8_t[]){2, X, X});
	expect(R, 3, (uint8_t[]){X, X, X});
	expect(R, 1 << 2, (uint8_t[]){X, X, 2});
	expect(H | R, 3 | 1 << 2, (uint8_t[]){X, 2, X});
	expect(H | R, 3 | 1 << 4, (uint8_t[]){X, X, 4});
}
END_TEST

/* Whatever is ready: a number is ready, no two are the same, statistics have 2. */
START_TEST(every_set_of_ready_queues)
{
	for (unsigned i = 0; i < ROWS; i++) {
		for (unsigned ready = 0; ready < 0x20; ready++) {
			uint8_t number[BALLOON_NVQ];
			unsigned taken = 0;

			balloon_number_queues(rows[i].features, ready, number);
			for (unsigned v = 0; v < BALLOON_NVQ; v++) {
				if (number[v] == X)
					continue;
				ck_assert(ready >> number[v] & 1);
				ck_assert(!(taken >> number[v] & 1));
				taken |= 1u << number[v];
			}
			ck_assert(number[BALLOON_VQ_STATS] == 2 ||
				  number[BALLOON_VQ_STATS] == X);
		}
	}
}
END_TEST

UNIT_MAIN("queues", one_after_the_other, as_the_standard_has_them, all_are_ready,
	  some_are_not_ready, every_set_of_ready_queues)
