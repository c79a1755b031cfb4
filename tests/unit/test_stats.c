// SPDX-License-Identifier: Apache-2.0
#include "devices/balloon/stats.h"

#include <string.h>

#include "tests/unit/unit.h"

/* Append a little-endian entry; returns the new length. */
static size_t put(uint8_t *buf, size_t len, uint16_t tag, uint64_t value)
{
	buf[len++] = (uint8_t)tag;
	buf[len++] = (uint8_t)(tag >> 8);
	for (unsigned i = 0; i < 8; i++)
		buf[len++] = (uint8_t)(value >> 8 * i);
	return len;
}

START_TEST(names)
{
	for (unsigned i = 0; i < BALLOON_STATS_TAGS; i++) {
		ck_assert_ptr_nonnull(balloon_stats_name(i));
		ck_assert(balloon_stats_name(i)[0]);
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(balloon_stats_name(i), balloon_stats_name(j));
	}
	ck_assert_str_eq(balloon_stats_name(0), "swap-in");
	ck_assert_str_eq(balloon_stats_name(4), "free");
	ck_assert_str_eq(balloon_stats_name(15), "direct-reclaim");
	ck_assert(balloon_stats_is_bytes(4) && balloon_stats_is_bytes(12));
	ck_assert(!balloon_stats_is_bytes(2) && !balloon_stats_is_bytes(11));
}
END_TEST

START_TEST(all_known_tags)
{
	uint8_t buf[BALLOON_STATS_TAGS * BALLOON_STATS_ENTRY];
	struct balloon_stats s;
	size_t len = 0;

	for (unsigned i = BALLOON_STATS_TAGS; i-- > 0;)
		len = put(buf, len, (uint16_t)i, 0x8000000000000000ull + i);
	balloon_stats_parse(&s, buf, len);
	ck_assert_uint_eq(s.present, (1u << BALLOON_STATS_TAGS) - 1);
	ck_assert_uint_eq(s.unknown, 0);
	for (unsigned i = 0; i < BALLOON_STATS_TAGS; i++)
		ck_assert_uint_eq(s.value[i], 0x8000000000000000ull + i);
}
END_TEST

START_TEST(unknown_repeated_and_cut)
{
	uint8_t buf[64];
	struct balloon_stats s;
	size_t len = 0;

	memset(&s, 0xff, sizeof(s));
	len = put(buf, len, 4, 1);
	len = put(buf, len, BALLOON_STATS_TAGS, 2);
	len = put(buf, len, 0xffff, 3);
	len = put(buf, len, 0x0104, 4); /* not tag 4: both bytes count */
	len = put(buf, len, 4, 5);
	len = put(buf, len, 5, 6);
	balloon_stats_parse(&s, buf, len - 1);
	ck_assert_uint_eq(s.present, 1u << 4);
	ck_assert_uint_eq(s.value[4], 5);
	ck_assert_uint_eq(s.value[5], 0);
	ck_assert_uint_eq(s.unknown, 3);
}
END_TEST

START_TEST(any_length)
{
	uint8_t buf[40] = {0};
	struct balloon_stats s;

	for (size_t len = 0; len <= sizeof(buf); len++) {
		/* Exact allocations, so that a byte too much is seen by the sanitizer. */
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, buf, len);
		balloon_stats_parse(&s, copy, len);
		ck_assert_uint_eq(s.present, len >= BALLOON_STATS_ENTRY);
		free(copy);
	}
}
END_TEST

START_TEST(no_more_than_the_maximum)
{
	size_t n = BALLOON_STATS_MAX_ENTRIES + 5;
	uint8_t *buf = malloc(n * BALLOON_STATS_ENTRY);
	struct balloon_stats s;
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len = put(buf, len, 100, i);
	put(buf, (n - 1) * BALLOON_STATS_ENTRY, 3, 1);
	balloon_stats_parse(&s, buf, len);
	ck_assert_uint_eq(s.unknown, BALLOON_STATS_MAX_ENTRIES);
	ck_assert_uint_eq(s.present, 0);
	free(buf);
}
END_TEST

UNIT_MAIN("stats", names, all_known_tags, unknown_repeated_and_cut, any_length,
	  no_more_than_the_maximum)
