/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What carries out the discards of the reclaim engine, never under the engine's lock. One
 * thread at a time uses a backend, but for now().
 */
#ifndef AEROSTAT_RECLAIM_BACKEND_H
#define AEROSTAT_RECLAIM_BACKEND_H

#include "vmm/reclaim/discard.h"

struct backend_ops {
	const char *name; /* for stat and the log */

	/*
	 * Start n > 0 discards. Each ends with done set, some maybe before this returns; the
	 * runs stay where they are until then. A range that can't be discarded ends with rc: a
	 * backend never loses one.
	 */
	void (*submit)(void *backend, struct discard_run *const run[], unsigned n);
	/* Wait until at least one more of the runs given to submit() is done. There is one. */
	void (*reap)(void *backend);
	/* Discard n > 0 runs in the calling thread: any thread, beside the others. */
	void (*now)(void *backend, struct discard_run *const run[], unsigned n);
	/* No run is in flight. NULL is fine. */
	void (*destroy)(void *backend);
};

/* All are done when submit() returns: vectors, else one by one. NULL when out of memory. */
void *backend_thread_create(struct discard_counters *counters);
extern const struct backend_ops backend_thread;

/*
 * Long runs by io_uring, a bounded number at a time, on the kernel's own threads; short ones
 * meanwhile as above. NULL with *rc a negative errno when the kernel has no ring for us.
 */
void *backend_uring_create(struct discard_counters *counters, int *rc);
extern const struct backend_ops backend_uring;

/*
 * Says that all is discarded and discards nothing: to measure the limit that the guest and the
 * rest of the monitor set. No opaque.
 */
extern const struct backend_ops backend_none;

#endif
