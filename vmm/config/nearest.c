// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/nearest.h"

#include <string.h>

/* Longer words are no typing errors of ours. */
#define WORD_MAX 32

/* Edits (insert, delete, replace one character) that turn a into b: Wagner and Fischer, by
 * rows. */
static unsigned edits(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned row[WORD_MAX + 1];

	for (size_t j = 0; j <= blen; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= alen; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= blen; j++) {
			unsigned cost = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			row[j] = cost;
		}
	}
	return row[blen];
}

void nearest_init(struct nearest *n, const char *word, size_t len)
{
	/* One edit, or one more per four characters: two neighbours that changed places are
	 * two. */
	*n = (struct nearest){.word = word, .len = len, .distance = (unsigned)(len / 4) + 2};
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	size_t len = strlen(candidate);
	unsigned d;

	if (n->len > WORD_MAX || len > WORD_MAX)
		return;
	d = edits(n->word, n->len, candidate, len);
	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
}
