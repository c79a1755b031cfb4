// SPDX-License-Identifier: Apache-2.0
/* What must hold for every command: names, tables and texts that the parser and help rely on.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"

static struct fake_run r;

static void check_rows(const char *who, const struct opt_table *t, bool keys)
{
	ck_assert_uint_le(t->count, OPTIONS_MAX);
	for (unsigned i = 0; i < t->count; i++) {
		const struct opt *o = &t->rows[i];

		ck_assert_msg(o->letter != 'h' && strcmp(o->name, "help"), "%s has -h", who);
		ck_assert_msg(!keys || (!o->letter && o->type != OPT_FLAG), "%s %s", who,
			      o->name);
		ck_assert_msg(o->help && o->help[0], "%s --%s has no help", who, o->name);
		ck_assert_msg((o->type == OPT_FLAG) == !o->arg, "%s --%s", who, o->name);
		ck_assert_msg(o->type != OPT_SIZE || o->unit, "%s --%s has no unit", who,
			      o->name);
		ck_assert_msg(o->type != OPT_UINT || (o->min <= o->max && o->max <= UINT32_MAX),
			      "%s --%s", who, o->name);
		ck_assert_msg((o->type == OPT_CHOICE) == !!o->choices, "%s --%s", who, o->name);
		ck_assert_msg((o->type == OPT_KEYS) == !!o->keys, "%s --%s", who, o->name);
		for (unsigned j = 0; j < i; j++) {
			ck_assert_str_ne(o->name, t->rows[j].name);
			ck_assert(!o->letter || o->letter != t->rows[j].letter);
		}
		if (o->keys)
			check_rows(who, o->keys, true);
	}
}

START_TEST(tables_are_sound)
{
	const struct command *c;
	unsigned n = 0;

	for (; (c = cli_command_at(n)); n++) {
		ck_assert_ptr_eq(cli_command_find(c->name), c);
		ck_assert(c->summary[0] && c->notes && c->main);
		check_rows(c->name, c->table, false);
	}
	ck_assert_uint_eq(n, 10);
	ck_assert_ptr_null(cli_command_find(""));
	ck_assert_ptr_null(cli_command_find("ru"));
	ck_assert_ptr_eq(cli_command_find("--help"), &cmd_help);
	ck_assert_ptr_eq(cli_command_find("--version"), &cmd_version);
}
END_TEST

START_TEST(every_command_explains_itself)
{
	const struct command *c;
	char usage[64];

	for (unsigned i = 0; (c = cli_command_at(i)); i++) {
		FAKE_RUN(&r, c, "--help");
		ck_assert_int_eq(r.status, 0);
		ck_assert_str_eq(r.err, "");
		snprintf(usage, sizeof(usage), "usage: aerostat %s [OPTION]...", c->name);
		ck_assert_ptr_eq(strstr(r.out, usage), r.out);
		for (unsigned o = 0; o < c->table->count; o++)
			ck_assert_ptr_nonnull(strstr(r.out, c->table->rows[o].name));
		FAKE_RUN(&r, c, "--no-such-option");
		ck_assert_int_eq(r.status, 2);
		ck_assert(fake_lines(r.err, 1));
		ck_assert_str_eq(r.out, "");
	}
}
END_TEST

START_TEST(help_lists_all)
{
	const struct command *c;

	FAKE_RUN(&r, &cmd_help, NULL);
	for (unsigned i = 0; (c = cli_command_at(i)); i++)
		ck_assert_ptr_nonnull(strstr(r.out, c->summary));
	FAKE_RUN(&r, &cmd_help, "baloon");
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.err,
			 "aerostat: unknown command 'baloon'; did you mean 'balloon'?\n");
}
END_TEST

START_TEST(errors_are_one_line_whatever_they_quote)
{
	FAKE_RUN(&r, &cmd_run, "--cpus", "a\nb\033[31m\x7f");
	ck_assert_int_eq(r.status, 2);
	ck_assert(fake_lines(r.err, 1));
	ck_assert_ptr_nonnull(strstr(r.err, "'a?b?[31m?'"));
}
END_TEST

UNIT_MAIN("command_table", tables_are_sound, every_command_explains_itself, help_lists_all,
	  errors_are_one_line_whatever_they_quote)
