// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <string.h>

#include "vmm/config/nearest.h"

static const char *nearest(const char *word)
{
	static const char *const known[] = {"balloon", "list", "stat", "stop", "version"};
	struct nearest n;

	nearest_init(&n, word, strlen(word));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		nearest_offer(&n, known[i]);
	return n.best;
}

START_TEST(slips_are_understood)
{
	ck_assert_str_eq(nearest("baloon"), "balloon");
	ck_assert_str_eq(nearest("ballloon"), "balloon");
	ck_assert_str_eq(nearest("lst"), "list");
	ck_assert_str_eq(nearest("lisy"), "list");
	ck_assert_str_eq(nearest("versino"), "version");
}
END_TEST

START_TEST(the_closest_wins_and_the_first_of_equals)
{
	ck_assert_str_eq(nearest("stat"), "stat");
	ck_assert_str_eq(nearest("stap"), "stat");
}
END_TEST

START_TEST(other_words_are_not_guessed)
{
	ck_assert_ptr_null(nearest(""));
	ck_assert_ptr_null(nearest("x"));
	ck_assert_ptr_null(nearest("migrate"));
	ck_assert_ptr_null(nearest("a-word-that-is-longer-than-any-option"));
}
END_TEST

START_TEST(the_word_has_a_length)
{
	struct nearest n;

	nearest_init(&n, "lis=5", 3);
	nearest_offer(&n, "list");
	ck_assert_str_eq(n.best, "list");
}
END_TEST

UNIT_MAIN("nearest", slips_are_understood, the_closest_wins_and_the_first_of_equals,
	  other_words_are_not_guessed, the_word_has_a_length)
