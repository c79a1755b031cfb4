// SPDX-License-Identifier: Apache-2.0
/*
 * The thread that sees to it that what was picked goes to the host, and callers that help it.
 *
 * While there is work the thread looks every TICK_NS by itself. A message then costs its vCPU
 * no system call, and what is found in one look is long: a guest fills dozens of megabytes in
 * that time. It lingers for a few empty looks, so that a steady guest doesn't have to wake it
 * often.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "vmm/base/clock.h"
#include "vmm/reclaim/internal.h"

#define TICK_NS	    NSEC_PER_MSEC
#define LINGER	    8  /* ticks */
#define BUSY_BLOCKS 16 /* with 32 MiB ready there is no need to wait for more */

uint64_t reclaim_backlog(const struct reclaim *r)
{
	struct tracker_counts n;

	tracker_counts(r->tracker, &n);
	return n.pending - n.parked + r->discarding;
}

bool reclaim_in_flight(const struct reclaim *r, uint64_t start, uint64_t n)
{
	for (unsigned i = 0; i < r->nflights; i++) {
		const struct flight *f = r->flight[i];

		if (start < f->start + f->len && f->start < start + n)
			return true;
	}
	return false;
}

void reclaim_refused(struct reclaim *r, const struct discard_run *run)
{
	r->errors++;
	if (log_limit_ok(&r->log, clock_now_ns()))
		log_warn("reclaim: the kernel refuses to free %llu KiB of guest memory: %s",
			 (unsigned long long)(run->len / 1024), strerror(-run->rc));
}

static void land(struct reclaim *r, struct flight *f)
{
	struct tracker_counts n;
	uint64_t now;

	r->discarding -= f->pending;
	if (f->helped) {
		r->helping -= f->pending;
		r->nhelped--;
	}
	if (!f->run.rc) {
		r->runs++;
		r->bytes += f->run.len;
		return;
	}
	reclaim_refused(r, &f->run);
	now = clock_now_ns();
	tracker_counts(r->tracker, &n);
	if (!n.parked)
		r->parked_ns = now;
	tracker_failed(r->tracker, f->start, f->len, reclaim_stamp(now));
}

/* Of the helper's flights or of the others: only who gave them to the backend looks at them. */
static void land_done(struct reclaim *r, bool helped)
{
	unsigned before = r->nflights;

	for (unsigned i = 0; i < r->nflights;) {
		struct flight *f = r->flight[i];

		if (f->helped != helped || !f->run.done) {
			i++;
			continue;
		}
		r->flight[i] = r->flight[--r->nflights];
		r->flight[r->nflights] = f;
		land(r, f);
	}
	/* Without a thread, someone may be waiting for a turn at stepping. */
	if (r->nflights != before || !r->threaded)
		pthread_cond_broadcast(&r->done);
}

bool reclaim_step(struct reclaim *r)
{
	struct discard_run *run[PICK_FLIGHTS];
	unsigned before = r->nflights, n;

	assert(!r->stepping);
	r->more = false;
	if (!r->quit)
		reclaim_pick(r, clock_now_ns());
	n = r->nflights - before;
	if (r->nflights == r->nhelped)
		return false;
	for (unsigned i = 0; i < n; i++)
		run[i] = &r->flight[before + i]->run;
	r->stepping = true;
	pthread_mutex_unlock(&r->lock);
	if (n)
		r->ops->submit(r->backend, run, n);
	else
		r->ops->reap(r->backend);
	pthread_mutex_lock(&r->lock);
	r->stepping = false;
	land_done(r, false);
	return true;
}

bool reclaim_help(struct reclaim *r)
{
	struct discard_run *run[HELP_FLIGHTS];
	unsigned before = r->nflights, n;

	n = r->nhelped ? 0 : reclaim_pick_help(r);
	if (!n)
		return false;
	r->nhelped = n;
	for (unsigned i = 0; i < n; i++)
		run[i] = &r->flight[before + i]->run;
	pthread_mutex_unlock(&r->lock);
	r->ops->now(r->backend, run, n);
	pthread_mutex_lock(&r->lock);
	land_done(r, true);
	return true;
}

void reclaim_await(struct reclaim *r)
{
	/* Without a thread, one caller does its work and others wait for that one. */
	if (!r->threaded && !r->stepping && reclaim_step(r))
		return;
	if (r->threaded)
		pthread_cond_signal(&r->wake);
	pthread_cond_wait(&r->done, &r->lock);
}

static void sleep_until_tick(struct reclaim *r)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += TICK_NS;
	if (t.tv_nsec >= (long)NSEC_PER_SEC) {
		t.tv_nsec -= NSEC_PER_SEC;
		t.tv_sec++;
	}
	pthread_cond_timedwait(&r->wake, &r->lock, &t);
}

static void sleep_until_retry(struct reclaim *r)
{
	struct timespec t;
	uint64_t ns = r->parked_ns + RECLAIM_RETRY_MS * NSEC_PER_MSEC;

	t.tv_sec = (time_t)(ns / NSEC_PER_SEC);
	t.tv_nsec = (long)(ns % NSEC_PER_SEC);
	pthread_cond_timedwait(&r->wake, &r->lock, &t);
}

static void sleep_idle(struct reclaim *r)
{
	struct tracker_counts n;

	tracker_counts(r->tracker, &n);
	r->idle = true;
	if (n.parked)
		sleep_until_retry(r);
	else
		pthread_cond_wait(&r->wake, &r->lock);
	r->idle = false;
}

void *reclaim_thread(void *reclaim)
{
	struct reclaim *r = reclaim;
	unsigned empty = 0;

	pthread_mutex_lock(&r->lock);
	while (!r->quit || r->nflights) {
		bool worked = reclaim_step(r);

		if (r->quit)
			continue;
		if (reclaim_backlog(r))
			empty = 0;
		else if (++empty > LINGER) {
			sleep_idle(r);
			empty = 0;
			continue;
		}
		if (!worked || !(r->more || r->nflights || r->barriers ||
				 tracker_ready_count(r->tracker) >= BUSY_BLOCKS))
			sleep_until_tick(r);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}
