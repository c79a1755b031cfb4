// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "vmm/reclaim/backend.h"

void *backend_thread_create(struct discard_counters *counters)
{
	struct discard *d = malloc(sizeof(*d));

	if (d)
		discard_init(d, counters);
	return d;
}

static void thread_now(void *backend, struct discard_run *const run[], unsigned n)
{
	discard_many(backend, run, n);
}

static void thread_reap(void *backend)
{
	(void)backend;
}

static void thread_destroy(void *backend)
{
	if (!backend)
		return;
	discard_fini(backend);
	free(backend);
}

const struct backend_ops backend_thread = {
	.name = "thread",
	.submit = thread_now,
	.now = thread_now,
	.reap = thread_reap,
	.destroy = thread_destroy,
};
