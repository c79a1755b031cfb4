/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of guest memory that this host can give, for tests that must hold for all. */
#ifndef AEROSTAT_TESTS_GMEM_KINDS_H
#define AEROSTAT_TESTS_GMEM_KINDS_H

#include <stdbool.h>
#include <stdio.h>

#include "vmm/base/size.h"
#include "vmm/mem/backing.h"
#include "vmm/mem/gmem.h"

static const struct {
	const char *name;
	struct gmem_config config;
} gmem_kinds[] = {
	{"anon", {.backing = GMEM_ANON}},
	{"anon, no thp", {.backing = GMEM_ANON, .thp = GMEM_THP_OFF}},
	{"anon, thp", {.backing = GMEM_ANON, .thp = GMEM_THP_ON}},
	{"anon, locked", {.backing = GMEM_ANON, .lock = true}},
	{"memfd", {.backing = GMEM_MEMFD}},
	{"memfd, thp", {.backing = GMEM_MEMFD, .thp = GMEM_THP_ON}},
	{"memfd, locked", {.backing = GMEM_MEMFD, .lock = true}},
	{"hugetlb", {.backing = GMEM_HUGETLB, .hugepage = 2 * MIB}},
};
#define GMEM_KINDS (sizeof(gmem_kinds) / sizeof(gmem_kinds[0]))

/* Can the host give `bytes` of it? If not, a line says what is left out. */
static inline bool gmem_kind_possible(size_t i, uint64_t bytes)
{
	const struct gmem_config *c = &gmem_kinds[i].config;
	const char *path;
	bool can = true;

	if (c->backing == GMEM_HUGETLB)
		can = backing_hugepages_free(c->hugepage) >= (int64_t)(bytes / c->hugepage);
	else if (c->thp == GMEM_THP_ON)
		can = backing_thp_allowed(c->backing, &path);
	if (!can)
		printf("skip - %s: not on this host\n", gmem_kinds[i].name);
	return can;
}

#endif
