// SPDX-License-Identifier: Apache-2.0
/* The program's main(), under another name: from the words of the command line to a status. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>

/* Renames the member of struct command in this file too, so all that uses it comes before
 * #undef. */
#define main aerostat_main
int main(int argc, char **argv);
#include "tests/unit/fake_ctl.h"
#include "vmm/cli/main.c"

static struct fake_run r;
static const char *stdout_is; /* NULL: what the test reads */

static int program(int argc, char **argv)
{
	char *words[16] = {(char *)"aerostat"};

	ck_assert_int_lt(argc, 15);
	memcpy(words + 1, argv, (size_t)argc * sizeof(*argv));
	if (stdout_is)
		dup2(open(stdout_is, O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
	return main(argc + 1, words);
}

static const struct command whole = {.name = "whole", .main = program};
#undef main

START_TEST(no_command_is_a_usage_error)
{
	FAKE_RUN(&r, &whole, NULL);
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "");
	ck_assert_ptr_eq(strstr(r.err, "usage: aerostat COMMAND "), r.err);
}
END_TEST

START_TEST(an_unknown_command_is_a_usage_error)
{
	FAKE_RUN(&r, &whole, "sotp", "--all");
	ck_assert_int_eq(r.status, 2);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, "aerostat: unknown command 'sotp'; did you mean 'stop'?\n");
}
END_TEST

START_TEST(a_command_gets_the_words_after_its_name)
{
	fake_vms[0] = (struct fake_vm){.name = "one"};
	fake_vms[1] = (struct fake_vm){.name = "two"};
	FAKE_RUN(&r, &whole, "pause", "-n", "two");
	ck_assert_int_eq(r.status, 0);
	ck_assert_uint_eq(fake_vms[0].stops, 0);
	ck_assert_uint_eq(fake_vms[1].stops, 1);
	FAKE_RUN(&r, &whole, "pause");
	ck_assert_int_eq(r.status, 2);
	FAKE_RUN(&r, &whole, "pause", "-n", "three");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "aerostat: pause: no VM named 'three'\n");
}
END_TEST

START_TEST(options_in_the_place_of_a_command)
{
	FAKE_RUN(&r, &whole, "--version");
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.out, "aerostat " AEROSTAT_VERSION "\n");
	FAKE_RUN(&r, &whole, "--help");
	ck_assert_int_eq(r.status, 0);
	ck_assert_ptr_eq(strstr(r.out, "usage: aerostat COMMAND "), r.out);
	FAKE_RUN(&r, &whole, "--verbose");
	ck_assert_int_eq(r.status, 2);
}
END_TEST

START_TEST(output_that_cannot_be_written_is_a_failure)
{
	stdout_is = "/dev/full";
	FAKE_RUN(&r, &whole, "version");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "aerostat: version: cannot write to standard output: No space "
				"left on device\n");
}
END_TEST

/* What went wrong first is what the status tells. */
START_TEST(a_usage_error_stays_one_with_a_full_output)
{
	stdout_is = "/dev/full";
	FAKE_RUN(&r, &whole, "version", "now");
	ck_assert_int_eq(r.status, 2);
	ck_assert(fake_lines(r.err, 1));
}
END_TEST

UNIT_MAIN("main", no_command_is_a_usage_error, an_unknown_command_is_a_usage_error,
	  a_command_gets_the_words_after_its_name, options_in_the_place_of_a_command,
	  output_that_cannot_be_written_is_a_failure,
	  a_usage_error_stays_one_with_a_full_output)
