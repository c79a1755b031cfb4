// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/bitmap.h"

#include <string.h>

#include "tests/unit/unit.h"

START_TEST(words)
{
	ck_assert_uint_eq(bitmap_words(0), 0);
	ck_assert_uint_eq(bitmap_words(1), 1);
	ck_assert_uint_eq(bitmap_words(64), 1);
	ck_assert_uint_eq(bitmap_words(65), 2);
	ck_assert_uint_eq(bitmap_words(1ull << 38), 1ull << 32);
}
END_TEST

START_TEST(set_and_clear_touch_one_bit)
{
	uint64_t map[3];

	for (unsigned bit = 0; bit < 192; bit++) {
		memset(map, 0, sizeof(map));
		bitmap_set(map, bit);
		for (unsigned i = 0; i < 192; i++) {
			if (bitmap_test(map, i) != (i == bit))
				ck_abort_msg("set of %u changed %u", bit, i);
		}
		memset(map, 0xff, sizeof(map));
		bitmap_clear(map, bit);
		for (unsigned i = 0; i < 192; i++) {
			if (bitmap_test(map, i) != (i != bit))
				ck_abort_msg("clear of %u changed %u", bit, i);
		}
	}
}
END_TEST

START_TEST(next_at_the_ends)
{
	uint64_t map[2] = {0, 0};

	ck_assert_uint_eq(bitmap_next(map, 0, 0, true), 0);
	ck_assert_uint_eq(bitmap_next(map, 100, 0, true), 100);
	ck_assert_uint_eq(bitmap_next(map, 100, 100, true), 100);
	ck_assert_uint_eq(bitmap_next(map, 100, 1000, false), 100);
	ck_assert_uint_eq(bitmap_next(map, 100, 99, false), 99);
	/* Bits behind the end don't exist, whatever they hold. */
	bitmap_set(map, 100);
	ck_assert_uint_eq(bitmap_next(map, 100, 0, true), 100);
	memset(map, 0xff, sizeof(map));
	bitmap_clear(map, 101);
	ck_assert_uint_eq(bitmap_next(map, 100, 0, false), 100);
	ck_assert_uint_eq(bitmap_next(map, 128, 0, false), 101);
}
END_TEST

/* Every from and both values, against a loop over bits. */
START_TEST(next_like_a_loop)
{
	unsigned seed = 1;

	for (unsigned round = 0; round < 200; round++) {
		uint64_t map[4];
		uint64_t bits = 1 + (unsigned)rand_r(&seed) % 256;
		unsigned density = 1 + (unsigned)rand_r(&seed) % 64;

		memset(map, round & 1 ? 0xff : 0, sizeof(map));
		for (unsigned i = 0; i < 256; i++) {
			if ((unsigned)rand_r(&seed) % density)
				continue;
			if (round & 1)
				bitmap_clear(map, i);
			else
				bitmap_set(map, i);
		}
		for (uint64_t from = 0; from <= bits; from++) {
			uint64_t set = from, clear = from;

			while (set < bits && !bitmap_test(map, set))
				set++;
			while (clear < bits && bitmap_test(map, clear))
				clear++;
			if (bitmap_next(map, bits, from, true) != set ||
			    bitmap_next(map, bits, from, false) != clear)
				ck_abort_msg("%u bits from %u", (unsigned)bits, (unsigned)from);
		}
	}
}
END_TEST

UNIT_MAIN("bitmap", words, set_and_clear_touch_one_bit, next_at_the_ends, next_like_a_loop)
