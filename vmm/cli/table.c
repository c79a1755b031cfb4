// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int table_row(struct table *t, const char *const *texts)
{
	size_t used = t->rows * t->columns;
	char(*grown)[TABLE_CELL];

	assert(t->columns && t->columns <= TABLE_COLUMNS);
	grown = realloc(t->cell, (used + t->columns) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->cell = grown;
	for (unsigned c = 0; c < t->columns; c++)
		snprintf(t->cell[used + c], TABLE_CELL, "%s", texts[c]);
	t->rows++;
	return 0;
}

void table_print(const struct table *t, FILE *out)
{
	size_t width[TABLE_COLUMNS] = {0};

	for (size_t i = 0; i < t->rows * t->columns; i++) {
		size_t len = strlen(t->cell[i]);

		if (len > width[i % t->columns])
			width[i % t->columns] = len;
	}
	for (size_t r = 0; r < t->rows; r++) {
		const char(*row)[TABLE_CELL] =
			(const char(*)[TABLE_CELL])t->cell + r * t->columns;

		for (unsigned c = 0; c + 1 < t->columns; c++)
			fprintf(out, "%-*s  ", (int)width[c], row[c]);
		fprintf(out, "%s\n", row[t->columns - 1]);
	}
}

void table_free(struct table *t)
{
	free(t->cell);
	t->cell = NULL;
	t->rows = 0;
}
