// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"

static struct fake_run r;
static char all[sizeof(r.out)];

START_TEST(without_a_word_it_is_the_list_of_commands)
{
	const struct command *c;
	const char *at;

	FAKE_RUN(&r, &cmd_help, NULL);
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.err, "");
	at = r.out;
	ck_assert_int_eq(strncmp(at, "usage: aerostat COMMAND ", 24), 0);
	/* In the order of the table. */
	for (unsigned i = 0; (c = cli_command_at(i)); i++) {
		char row[256];

		snprintf(row, sizeof(row), "\n  %-10s%s\n", c->name, c->summary);
		at = strstr(at, row);
		ck_assert_msg(at != NULL, "no '%s' in its place in:\n%s", c->name, r.out);
	}
}
END_TEST

START_TEST(of_a_command_it_is_what_the_command_says_itself)
{
	const struct command *c;

	FAKE_RUN(&r, &cmd_help, NULL);
	memcpy(all, r.out, sizeof(all));
	for (unsigned i = 0; (c = cli_command_at(i)); i++) {
		char own[sizeof(r.out)];

		FAKE_RUN(&r, c, "-h");
		memcpy(own, r.out, sizeof(own));
		FAKE_RUN(&r, &cmd_help, c->name);
		ck_assert_int_eq(r.status, 0);
		ck_assert_str_eq(r.err, "");
		ck_assert_str_eq(r.out, own);
		ck_assert_str_ne(r.out, all);
	}
}
END_TEST

START_TEST(its_own_help_names_the_word_it_takes)
{
	FAKE_RUN(&r, &cmd_help, "--help");
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_eq(strstr(r.out, "usage: aerostat help [OPTION]... [COMMAND]\n"), r.out);
}
END_TEST

START_TEST(no_command_of_that_name)
{
	FAKE_RUN(&r, &cmd_help, "pasue");
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, "aerostat: unknown command 'pasue'; did you mean 'pause'?\n");
	FAKE_RUN(&r, &cmd_help, "xyzzy");
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.err, "aerostat: unknown command 'xyzzy'; see 'aerostat help'\n");
	FAKE_RUN(&r, &cmd_help, "run", "stop");
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "");
	ck_assert_msg(fake_lines(r.err, 1) && strstr(r.err, "'stop'"), "%s", r.err);
}
END_TEST

UNIT_MAIN("cmd_help", without_a_word_it_is_the_list_of_commands,
	  of_a_command_it_is_what_the_command_says_itself, its_own_help_names_the_word_it_takes,
	  no_command_of_that_name)
