/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How memory goes back to the host: the backend below the reclaim engine. A backend sees
 * addresses only, no pages and no states.
 */
#ifndef AEROSTAT_RECLAIM_DISCARD_H
#define AEROSTAT_RECLAIM_DISCARD_H

#include <stddef.h>

struct discard_ops {
	const char *name; /* for the log */

	/*
	 * Free the host memory behind [hva, hva + len), a page-aligned, non-empty part of one
	 * mapping of guest memory. It reads as zeros afterwards, until written. 0 when it is
	 * done, or a negative errno: then any part of it may be gone and the rest is as before.
	 * Called under the engine's lock, one call at a time; opaque is the backend's own.
	 */
	int (*discard)(void *opaque, void *hva, size_t len);
};

/* madvise(MADV_DONTNEED) in the calling thread. No opaque. For private anonymous memory only.
 */
extern const struct discard_ops discard_sync;

#endif
