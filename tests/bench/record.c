// SPDX-License-Identifier: Apache-2.0
/*
 * Linked with the monitor by --wrap=reclaim_take --wrap=reclaim_give: writes down what the
 * guest sends to its balloon, in the format of tests/bench/streams/, into the file that
 * AEROSTAT_RECORD names, and passes it on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vmm/reclaim/internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *out;

/* How many numbers from pfn on are a row with an even step, and that step. */
static size_t row(const uint32_t *pfn, size_t n, long *step)
{
	size_t k = 1;

	*step = n > 1 ? (long)pfn[1] - (long)pfn[0] : 1;
	while (k < n && (long)pfn[k] - (long)pfn[k - 1] == *step)
		k++;
	/* Two numbers are in a row with any step: the second may begin a longer one. */
	if (k == 2 && *step != 1 && *step != -1) {
		*step = 1;
		return 1;
	}
	return k;
}

static void record(const struct reclaim *r, char kind, const uint32_t *pfn, size_t n)
{
	const char *name = getenv("AEROSTAT_RECORD");
	long step;

	if (!n || !name)
		return;
	pthread_mutex_lock(&lock);
	if (!out) {
		out = fopen(name, "we");
		if (!out) {
			perror(name);
			exit(1);
		}
		fprintf(out, "ram %llu\n", (unsigned long long)r->mem->npages);
	}
	fputc(kind, out);
	for (size_t i = 0, k; i < n; i += k) {
		k = row(pfn + i, n - i, &step);
		fprintf(out, " %u", pfn[i]);
		if (k > 1)
			fprintf(out, "*%zu", k);
		if (k > 1 && step != 1)
			fprintf(out, "%+ld", step);
	}
	fputc('\n', out);
	fflush(out);
	pthread_mutex_unlock(&lock);
}

void __real_reclaim_take(struct reclaim *, const uint32_t *, size_t, struct reclaim_bad *);
void __wrap_reclaim_take(struct reclaim *, const uint32_t *, size_t, struct reclaim_bad *);
void __wrap_reclaim_take(struct reclaim *r, const uint32_t *pfn, size_t n,
			 struct reclaim_bad *bad)
{
	record(r, 'i', pfn, n);
	__real_reclaim_take(r, pfn, n, bad);
}

void __real_reclaim_give(struct reclaim *, const uint32_t *, size_t, struct reclaim_bad *);
void __wrap_reclaim_give(struct reclaim *, const uint32_t *, size_t, struct reclaim_bad *);
void __wrap_reclaim_give(struct reclaim *r, const uint32_t *pfn, size_t n,
			 struct reclaim_bad *bad)
{
	record(r, 'd', pfn, n);
	__real_reclaim_give(r, pfn, n, bad);
}
