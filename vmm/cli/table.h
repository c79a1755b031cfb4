/* SPDX-License-Identifier: Apache-2.0 */
/* A table for people: columns as wide as their widest cell, two spaces between them. */
#ifndef AEROSTAT_CLI_TABLE_H
#define AEROSTAT_CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS 8
#define TABLE_CELL    80 /* bytes, NUL included; longer text is cut */

/* Zero-initialise but for columns. */
struct table {
	unsigned columns;
	size_t rows;
	char (*cell)[TABLE_CELL];
};

/* Add a row of t->columns texts. Out of memory: the row is left out and -ENOMEM. */
int table_row(struct table *t, const char *const *texts);
void table_print(const struct table *t, FILE *out);
void table_free(struct table *t);

#endif
