/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the known word closest to a mistyped one. Pure. */
#ifndef AEROSTAT_CONFIG_NEAREST_H
#define AEROSTAT_CONFIG_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word;
	size_t len;
	unsigned distance; /* of best */
	const char *best;  /* NULL: nothing offered was close enough to be meant */
};

/* word, of len bytes, need not be NUL-terminated; it and the offers must outlive n. */
void nearest_init(struct nearest *n, const char *word, size_t len);

/* Take the candidate if it is closer than what was offered before. */
void nearest_offer(struct nearest *n, const char *candidate);

#endif
