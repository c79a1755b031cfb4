// SPDX-License-Identifier: Apache-2.0
#include "guest/flat/flat.h"

/* Xen's public/arch-x86/hvm/start_info.h, version 1. */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct memmap {
	uint64_t addr, len;
	uint32_t type, reserved;
};

#define MEMMAP_RAM 1
#define RANGES_MAX 8
#define MAP_GIB	   64ull /* what page tables are there for */
#define GIB	   (1ull << 30)
#define PTE_TABLE  0x67 /* present, writable, user, accessed, dirty */
#define PTE_LARGE  0xe7
#define POOL_START 0x200000ull /* behind the program itself */

extern uint64_t flat_pdpt[512];
extern char flat_end[];

static uint64_t directory[MAP_GIB - 4][512] __attribute__((aligned(4096)));

struct range {
	uint64_t start, end;
};

const char *start_info_cmdline(uint64_t start_info)
{
	return (const char *)((const struct start_info *)start_info)->cmdline;
}

/* Filled before it is linked: a monitor that watches page tables isn't bothered. */
static void map_gib(uint64_t gib)
{
	uint64_t *pd = directory[gib - 4];

	for (uint64_t i = 0; i < 512; i++)
		pd[i] = (gib * GIB + i * LARGE_SIZE) | PTE_LARGE;
	flat_pdpt[gib] = (uint64_t)pd | PTE_TABLE;
}

static void map(uint64_t end)
{
	for (uint64_t gib = 4; gib < MAP_GIB && gib * GIB < end; gib++)
		map_gib(gib);
}

/* RAM above the program, whole 2 MiB pages only, in ascending order as PVH has it. */
static unsigned ranges(uint64_t start_info, struct range *out)
{
	const struct start_info *si = (const struct start_info *)start_info;
	const struct memmap *m = (const struct memmap *)si->memmap;
	unsigned n = 0;

	for (uint32_t i = 0; i < si->memmap_entries && n < RANGES_MAX; i++) {
		uint64_t start = (m[i].addr + LARGE_SIZE - 1) & ~(LARGE_SIZE - 1);
		uint64_t end = (m[i].addr + m[i].len) & ~(LARGE_SIZE - 1);

		if (m[i].type != MEMMAP_RAM)
			continue;
		start = start < POOL_START ? POOL_START : start;
		end = end > MAP_GIB * GIB ? MAP_GIB * GIB : end;
		if (start < end)
			out[n++] = (struct range){start, end};
	}
	return n;
}

/* The two lists are taken from the first range itself, which is low memory and large. */
void pool_init(struct flat_pool *pool, uint64_t start_info, uint64_t mib)
{
	struct range r[RANGES_MAX];
	unsigned n = ranges(start_info, r);
	uint64_t pages = 0, want = mib << (20 - PAGE_SHIFT);

	if ((uint64_t)flat_end > POOL_START || !n)
		__builtin_trap();
	for (unsigned i = 0; i < n; i++)
		pages += (r[i].end - r[i].start) >> PAGE_SHIFT;
	map(r[n - 1].end);
	pool->pfn = (uint32_t *)r[0].start;
	pool->mark = pool->pfn + pages;
	pool->n = 0;
	r[0].start += (pages * 8 + LARGE_SIZE - 1) & ~(LARGE_SIZE - 1);
	for (unsigned i = 0; i < n; i++)
		for (uint64_t at = r[i].start; at < r[i].end; at += PAGE_SIZE)
			if (!want || pool->n < want)
				pool->pfn[pool->n++] = (uint32_t)(at >> PAGE_SHIFT);
}
