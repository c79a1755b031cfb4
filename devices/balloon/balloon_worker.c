// SPDX-License-Identifier: Apache-2.0
/*
 * The thread behind the reporting queue. It holds the device's lock to take a chain and to
 * return it, and nothing while it discards. So a reset, which holds that lock, can wait for the
 * discards to end: the order in which the phases change is what that rests on.
 *
 *   thread   lock dev, take, phase = DISCARDING, unlock    discard    phase = RETURNING
 *            lock dev, return unless there was a reset, unlock        phase = IDLE
 *   reset    with dev locked: resets++, stop = true, wait while phase is DISCARDING
 *   pause    with dev locked: paused = true; then without: wait until phase is IDLE
 */
#include <signal.h>

#include "devices/balloon/internal.h"

static void set_phase(struct report_worker *w, unsigned phase)
{
	pthread_mutex_lock(&w->lock);
	w->phase = phase;
	if (phase == WORKER_DISCARDING)
		w->stop = w->quit;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
}

/* One chain; false when there was none. */
static bool work(struct balloon *b)
{
	struct report_worker *w = &b->worker;
	uint64_t resets;
	bool taken;

	virtio_lock(&b->dev);
	resets = b->resets;
	taken = balloon_report_take(b, &w->report);
	if (taken)
		set_phase(w, WORKER_DISCARDING);
	virtio_unlock(&b->dev);
	if (!taken)
		return false;
	balloon_report_discard(b, &w->report);
	set_phase(w, WORKER_RETURNING);
	virtio_lock(&b->dev);
	balloon_report_count(b, &w->report);
	if (resets == b->resets)
		balloon_report_return(b, w->report.head);
	virtio_unlock(&b->dev);
	set_phase(w, WORKER_IDLE);
	return true;
}

static void *worker_thread(void *opaque)
{
	struct balloon *b = opaque;
	struct report_worker *w = &b->worker;
	bool more;

	pthread_mutex_lock(&w->lock);
	while (!w->quit) {
		if (!w->due) {
			pthread_cond_wait(&w->change, &w->lock);
			continue;
		}
		w->due = false;
		pthread_mutex_unlock(&w->lock);
		more = work(b);
		pthread_mutex_lock(&w->lock);
		w->due |= more;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int balloon_worker_create(struct balloon *b, bool sync)
{
	struct report_worker *w = &b->worker;
	sigset_t all, before;
	int rc;

	if (sync)
		return 0;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->change, NULL);
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&w->thread, NULL, worker_thread, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		pthread_cond_destroy(&w->change);
		pthread_mutex_destroy(&w->lock);
		return rc;
	}
	pthread_setname_np(w->thread, "reporting");
	w->threaded = true;
	return 0;
}

void balloon_worker_destroy(struct balloon *b)
{
	struct report_worker *w = &b->worker;

	if (!w->threaded)
		return;
	pthread_mutex_lock(&w->lock);
	w->quit = w->stop = true;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->change);
	pthread_mutex_destroy(&w->lock);
}

/*
 * All chains that are there, and only then they are returned: so a guest that adds more
 * meanwhile can't keep this going, see balloon_pages_kick().
 */
static void work_here(struct balloon *b)
{
	struct report *rep = &b->worker.report;
	uint16_t taken[BALLOON_QUEUE_MAX];
	unsigned n = 0;

	while (balloon_report_take(b, rep)) {
		balloon_report_discard(b, rep);
		balloon_report_count(b, rep);
		taken[n++] = rep->head;
	}
	for (unsigned i = 0; i < n; i++)
		balloon_report_return(b, taken[i]);
}

void balloon_worker_kick(struct balloon *b)
{
	struct report_worker *w = &b->worker;

	if (!w->threaded) {
		work_here(b);
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->due = true;
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
}

/* returned: until what was discarded last has been returned, too. */
static void stop(struct report_worker *w, bool returned)
{
	if (!w->threaded)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	while (w->phase == WORKER_DISCARDING || (returned && w->phase == WORKER_RETURNING))
		pthread_cond_wait(&w->change, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void balloon_worker_stop(struct balloon *b)
{
	stop(&b->worker, false);
}

void balloon_worker_wait(struct balloon *b)
{
	stop(&b->worker, true);
}

bool balloon_worker_stopped(struct balloon *b)
{
	struct report_worker *w = &b->worker;
	bool stopped;

	if (!w->threaded)
		return false;
	pthread_mutex_lock(&w->lock);
	stopped = w->stop;
	pthread_mutex_unlock(&w->lock);
	return stopped;
}
