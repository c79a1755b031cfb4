/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit: are pages that went back to the host still gone? A guest that uses a page of its
 * balloon makes it resident again, and nothing stops it; here it shows.
 */
#ifndef AEROSTAT_RECLAIM_AUDIT_H
#define AEROSTAT_RECLAIM_AUDIT_H

#include "vmm/mem/gmem.h"

/* How much of guest memory a step looks at: short enough to hold a lock meanwhile. */
#define AUDIT_STEP_PAGES 16384ull

struct audit {
	uint64_t pages;		 /* that went back to the host */
	uint64_t resident;	 /* of those, in the host's memory again */
	enum gmem_method method; /* who said so */
};

/* Did the page of this index go back to the host, all done? Asked of resident pages only. */
typedef bool (*audit_gone_fn)(void *opaque, uint64_t index);

/*
 * Look at the next stretch of memory and add to a->resident (0 before the first step). *at is
 * where to go on, 0 at first. 1: there is more; 0: that was all; or a negative errno. Under the
 * lock that keeps `gone` true; between two steps pages may change their state, and each is
 * judged by what it is when it's looked at.
 */
int audit_step(const struct gmem *mem, audit_gone_fn gone, void *opaque, uint64_t *at,
	       struct audit *a);

#endif
