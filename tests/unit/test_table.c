// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "vmm/cli/table.h"

static char *printed(const struct table *t)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	table_print(t, f);
	fclose(f);
	return text;
}

START_TEST(columns_are_aligned)
{
	struct table t = {.columns = 3};
	char *text;

	ck_assert_int_eq(table_row(&t, (const char *[]){"NAME", "PID", "STATE"}), 0);
	ck_assert_int_eq(table_row(&t, (const char *[]){"longer", "7", "x"}), 0);
	ck_assert_int_eq(table_row(&t, (const char *[]){"a", "", "running"}), 0);
	text = printed(&t);
	ck_assert_str_eq(text, "NAME    PID  STATE\n"
			       "longer  7    x\n"
			       "a            running\n");
	free(text);
	table_free(&t);
	ck_assert_uint_eq(t.rows, 0);
}
END_TEST

START_TEST(long_cells_are_cut)
{
	struct table t = {.columns = 1};
	char cell[300];
	char *text;

	memset(cell, 'x', sizeof(cell) - 1);
	cell[sizeof(cell) - 1] = '\0';
	ck_assert_int_eq(table_row(&t, (const char *[]){cell}), 0);
	text = printed(&t);
	ck_assert_uint_eq(strlen(text), TABLE_CELL);
	free(text);
	table_free(&t);
}
END_TEST

START_TEST(no_rows_print_nothing)
{
	const struct table t = {.columns = 2};
	char *text = printed(&t);

	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

UNIT_MAIN("table", columns_are_aligned, long_cells_are_cut, no_rows_print_nothing)
