/* SPDX-License-Identifier: Apache-2.0 */
/* A backend of the reclaim engine that calls a function of the test for each run. */
#ifndef AEROSTAT_TESTS_CALL_BACKEND_H
#define AEROSTAT_TESTS_CALL_BACKEND_H

#include <errno.h>
#include <sys/mman.h>

#include "vmm/reclaim/backend.h"

struct call_backend {
	int (*discard)(void *opaque, void *hva, size_t len); /* 0 or a negative errno */
	void *opaque;
};

static inline int really_discard(void *hva, size_t len)
{
	return madvise(hva, len, MADV_DONTNEED) ? -errno : 0;
}

static inline void call_submit(void *backend, struct discard_run *const run[], unsigned n)
{
	const struct call_backend *c = backend;

	for (unsigned i = 0; i < n; i++) {
		run[i]->rc = c->discard(c->opaque, run[i]->hva, run[i]->len);
		run[i]->done = true;
	}
}

static inline void call_nothing(void *backend)
{
	(void)backend;
}

static const struct backend_ops call_backend_ops = {
	.name = "call",
	.submit = call_submit,
	.reap = call_nothing,
	.now = call_submit,
	.destroy = call_nothing,
};

#endif
