// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/audit.h"

#include "vmm/base/bitmap.h"

int audit_step(const struct gmem *mem, audit_gone_fn gone, void *opaque, uint64_t *at,
	       struct audit *a)
{
	uint64_t map[AUDIT_STEP_PAGES / 64];
	uint64_t n, i;
	int rc;

	if (*at >= mem->npages)
		return 0;
	n = gmem_index_span(mem, *at);
	if (n > AUDIT_STEP_PAGES)
		n = AUDIT_STEP_PAGES;
	rc = gmem_resident_map(mem, *at, n, map, &a->method);
	if (rc)
		return rc;
	for (i = bitmap_next(map, n, 0, true); i < n; i = bitmap_next(map, n, i + 1, true))
		a->resident += gone(opaque, *at + i);
	*at += n;
	return *at < mem->npages;
}
