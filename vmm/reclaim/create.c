// SPDX-License-Identifier: Apache-2.0
/* Life cycle of the reclaim engine, and the choice of what is not said in its configuration. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "vmm/mem/backing.h"
#include "vmm/reclaim/internal.h"

#define BACKLOG_DEFAULT (1536 * MIB)

/* May there be transparent huge pages behind this memory? */
static bool may_be_huge(const struct gmem *mem)
{
	if (mem->region[0].backing == GMEM_HUGETLB || mem->config.thp == GMEM_THP_OFF)
		return false;
	return mem->config.thp == GMEM_THP_ON || backing_thp_default(mem->region[0].backing);
}

static uint64_t backlog_pages(const struct reclaim *r, uint64_t bytes)
{
	if (!bytes)
		bytes = r->huge ? r->mem->npages * GMEM_PAGE_SIZE : BACKLOG_DEFAULT;
	if (bytes < RECLAIM_BACKLOG_MIN)
		bytes = RECLAIM_BACKLOG_MIN;
	return bytes / GMEM_PAGE_SIZE;
}

static void init_locks(struct reclaim *r)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&r->lock, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wake, &cond);
	pthread_cond_init(&r->done, &cond);
	pthread_condattr_destroy(&cond);
}

static void fini(struct reclaim *r)
{
	pthread_cond_destroy(&r->done);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	tracker_destroy(r->tracker);
	free(r);
}

/* All but the backend and the thread. */
static struct reclaim *init(const struct gmem *mem, const struct reclaim_config *cfg)
{
	unsigned shift = mem->region[0].page_shift;
	struct reclaim *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->mem = mem;
	r->sync = cfg->kind == RECLAIM_SYNC;
	r->threaded = !r->sync;
	r->huge = may_be_huge(mem);
	r->backlog_max = backlog_pages(r, cfg->backlog_max);
	for (unsigned i = 0; i < FLIGHTS_MAX; i++)
		r->flight[i] = &r->flights[i];
	init_locks(r);
	r->tracker = tracker_create(
		mem->npages, shift > GMEM_PAGE_SHIFT ? 1ull << (shift - GMEM_PAGE_SHIFT) : 1);
	if (!r->tracker) {
		fini(r);
		return NULL;
	}
	return r;
}

static int start_thread(struct reclaim *r)
{
	sigset_t all, before;
	int rc;

	if (!r->threaded)
		return 0;
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&r->thread, NULL, reclaim_thread, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		pthread_setname_np(r->thread, "reclaim");
	return rc;
}

struct reclaim *reclaim_create_with(const struct gmem *mem, const struct reclaim_config *cfg,
				    const struct backend_ops *ops, void *backend)
{
	struct reclaim *r = init(mem, cfg);

	if (!r)
		return NULL;
	r->ops = ops;
	r->backend = backend;
	if (start_thread(r)) {
		fini(r);
		return NULL;
	}
	return r;
}

static int create_backend(struct reclaim *r, enum reclaim_kind kind, struct err *err)
{
	int rc = 0;

	if (kind == RECLAIM_NONE) {
		r->ops = &backend_none;
		return 0;
	}
	if (kind == RECLAIM_URING || kind == RECLAIM_AUTO) {
		r->ops = &backend_uring;
		r->backend = backend_uring_create(&r->counters, &rc);
		if (!rc)
			return 0;
		if (kind == RECLAIM_URING)
			return err_sys(err, rc,
				       "--reclaim=uring: the kernel gives us no io_uring; give "
				       "auto, thread or sync");
	}
	r->ops = &backend_thread;
	r->backend = backend_thread_create(&r->counters);
	return r->backend ? 0 : err_sys(err, -ENOMEM, "cannot create the reclaim engine");
}

struct reclaim *reclaim_create(const struct gmem *mem, const struct reclaim_config *cfg,
			       struct err *err)
{
	struct reclaim *r = init(mem, cfg);
	int rc;

	if (!r) {
		err_sys(err, -ENOMEM, "cannot create the reclaim engine");
		return NULL;
	}
	if (create_backend(r, cfg->kind, err)) {
		fini(r);
		return NULL;
	}
	rc = start_thread(r);
	if (rc) {
		err_sys(err, rc, "cannot start the reclaim thread");
		r->ops->destroy(r->backend);
		fini(r);
		return NULL;
	}
	return r;
}

void reclaim_destroy(struct reclaim *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->quit = true;
	pthread_cond_signal(&r->wake);
	while (!r->threaded && r->nflights)
		reclaim_step(r);
	pthread_mutex_unlock(&r->lock);
	if (r->threaded)
		pthread_join(r->thread, NULL);
	r->ops->destroy(r->backend);
	fini(r);
}
