/* SPDX-License-Identifier: Apache-2.0 */
/* What a vCPU's report says, whichever architecture formats it. */
#ifndef AEROSTAT_TESTS_UNIT_REPORT_TEXT_H
#define AEROSTAT_TESTS_UNIT_REPORT_TEXT_H

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* An architecture's format function. */
typedef void (*report_fn)(const void *report, char *out, size_t len);

static char text[4096];

/* Into text, whole. */
static inline void report_format(report_fn put, const void *report)
{
	memset(text, 'x', sizeof(text));
	put(report, text, sizeof(text));
	ck_assert(text[strlen(text) - 1] == '\n');
}

#define SAYS(what)	 ck_assert_msg(strstr(text, what) != NULL, "no \"%s\" in:\n%s", what, text)
#define SAYS_NOTHING(of) ck_assert_msg(strstr(text, of) == NULL, "\"%s\" in:\n%s", of, text)

/* Whatever the room, it ends with a NUL in it; AddressSanitizer looks, too. */
static inline void report_cut(report_fn put, const void *report)
{
	size_t full;

	report_format(put, report);
	full = strlen(text);
	ck_assert_uint_lt(full, 2048);
	for (size_t len = 1; len <= full + 1; len++) {
		char *out = malloc(len);

		ck_assert_ptr_nonnull(out);
		put(report, out, len);
		ck_assert_uint_eq(strlen(out), len - 1);
		ck_assert_mem_eq(out, text, len - 1);
		free(out);
	}
	put(report, NULL, 0);
}

#endif
