// SPDX-License-Identifier: Apache-2.0
#include "guest/flat/flat.h"

/* The two lists are taken from the first range itself, which is large. */
void pool_init(struct flat_pool *pool, uint64_t mib)
{
	struct flat_range r[RANGES_MAX];
	unsigned n = machine_ram(r);
	uint64_t pages = 0, want = mib << (20 - PAGE_SHIFT);

	if (!n)
		__builtin_trap();
	for (unsigned i = 0; i < n; i++)
		pages += (r[i].end - r[i].start) >> PAGE_SHIFT;
	pool->pfn = (uint32_t *)r[0].start;
	pool->mark = pool->pfn + pages;
	pool->n = 0;
	r[0].start += (pages * 8 + LARGE_SIZE - 1) & ~(LARGE_SIZE - 1);
	for (unsigned i = 0; i < n; i++)
		for (uint64_t at = r[i].start; at < r[i].end; at += PAGE_SIZE)
			if (!want || pool->n < want)
				pool->pfn[pool->n++] = (uint32_t)(at >> PAGE_SHIFT);
}
