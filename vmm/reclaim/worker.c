// SPDX-License-Identifier: Apache-2.0
/*
 * What goes to the host next, and the thread that sees to it.
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
#define AGE_ROUNDS  4  /* rounds of looking for old blocks in RECLAIM_AGE_MS */
#define SKIP_MAX    64

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

static void add_flight(struct reclaim *r, uint64_t start, uint64_t len, uint64_t pending)
{
	struct flight *f = r->flight[r->nflights++];
	const struct gmem_region *g = r->mem->region;
	uint64_t off;

	while (start - g->index >= g->len >> GMEM_PAGE_SHIFT)
		g++;
	off = (start - g->index) << GMEM_PAGE_SHIFT;
	*f = (struct flight){
		.start = start,
		.len = len,
		.pending = pending,
		.run = {.hva = g->hva + off,
			.len = len << GMEM_PAGE_SHIFT,
			.fd = g->backing == GMEM_ANON ? -1 : g->fd,
			.fd_off = g->fd_off + off,
			.advice = g->dontneed},
	};
}

/* There is room for GMEM_MAX_REGIONS flights: the run is cut where a region ends. */
static void launch(struct reclaim *r, uint64_t start, uint64_t len)
{
	uint64_t pending = tracker_take(r->tracker, start, len);

	r->discarding += pending;
	while (len) {
		uint64_t span = gmem_index_span(r->mem, start);
		uint64_t n = len < span ? len : span;

		add_flight(r, start, n, pending);
		pending = 0;
		start += n;
		len -= n;
	}
}

static bool room(const struct reclaim *r)
{
	return r->nflights <= FLIGHTS_MAX - GMEM_MAX_REGIONS && r->discarding < FLYING_MAX;
}

static void launch_ready(struct reclaim *r)
{
	uint64_t start, len;

	while (room(r) &&
	       tracker_ready_run(r->tracker, &r->ready_cursor, RUN_MAX, &start, &len))
		launch(r, start, len);
}

static void launch_block(struct reclaim *r, uint64_t b)
{
	uint64_t at = b * TRACKER_BLOCK, end = at + TRACKER_BLOCK, start, len;

	while (at < end && room(r) && tracker_block_run(r->tracker, at, &start, &len)) {
		launch(r, start, len);
		at = start + len;
	}
}

/* In order of address, so that each block has had the longest time to grow. */
static void launch_all_partial(struct reclaim *r)
{
	uint64_t b = tracker_partial_block(r->tracker, r->partial_cursor);

	while (room(r) && tracker_partial_count(r->tracker)) {
		if (b == tracker_blocks(r->tracker))
			b = tracker_partial_block(r->tracker, 0);
		launch_block(r, b);
		r->partial_cursor = b;
		b = tracker_partial_block(r->tracker, b);
	}
}

/*
 * The backlog must become shorter: dense blocks, because a discard costs by the piece more than
 * by the page. Those below the average are passed over, a few in a row.
 */
static void launch_dense(struct reclaim *r)
{
	unsigned skipped = 0;

	while (room(r) && tracker_partial_count(r->tracker)) {
		uint64_t b = tracker_partial_block(r->tracker, r->partial_cursor);
		uint64_t n = tracker_partial_count(r->tracker);

		if (b == tracker_blocks(r->tracker))
			b = tracker_partial_block(r->tracker, 0);
		r->partial_cursor = b + 1;
		if (tracker_block_pending(r->tracker, b) * n <
			    reclaim_backlog(r) - r->discarding &&
		    skipped++ < SKIP_MAX)
			continue;
		skipped = 0;
		launch_block(r, b);
	}
}

/* The stamp that tracker_inflate() gets: milliseconds, and they wrap. */
static uint16_t stamp_of(uint64_t ns)
{
	return (uint16_t)(ns / NSEC_PER_MSEC);
}

/* Rounds over all partial blocks, a few in the time of an age: so O(1) a page. */
static void launch_old(struct reclaim *r, uint64_t now)
{
	if (!r->ageing) {
		if (now - r->age_round_ns < RECLAIM_AGE_MS * NSEC_PER_MSEC / AGE_ROUNDS)
			return;
		r->ageing = true;
		r->age_round_ns = now;
		r->age_cursor = 0;
	}
	while (room(r)) {
		uint64_t b = tracker_partial_block(r->tracker, r->age_cursor);
		uint16_t age;

		if (b == tracker_blocks(r->tracker)) {
			r->ageing = false;
			return;
		}
		age = (uint16_t)(stamp_of(now) - tracker_block_stamp(r->tracker, b));
		if (age >= RECLAIM_AGE_MS - RECLAIM_AGE_MS / AGE_ROUNDS)
			launch_block(r, b);
		/* Without room the block has more: it is looked at again. */
		r->age_cursor = room(r) ? b + 1 : b;
	}
}

static void launch_due(struct reclaim *r, uint64_t now)
{
	uint64_t idle_ms = r->huge ? RECLAIM_IDLE_HUGE_MS : RECLAIM_IDLE_MS;
	struct tracker_counts n;
	bool pressure;

	tracker_counts(r->tracker, &n);
	if (n.parked && now - r->parked_ns >= RECLAIM_RETRY_MS * NSEC_PER_MSEC)
		tracker_unpark(r->tracker);
	launch_ready(r);
	pressure = reclaim_backlog(r) >= r->backlog_max / 4 * 3;
	if (r->barriers || now - r->take_ns >= idle_ms * NSEC_PER_MSEC)
		launch_all_partial(r);
	else if (pressure)
		launch_dense(r);
	else
		launch_old(r, now);
	r->more = !room(r) || pressure || r->barriers;
}

static void land(struct reclaim *r, struct flight *f)
{
	struct tracker_counts n;
	uint64_t now;

	r->discarding -= f->pending;
	if (!f->run.rc) {
		r->runs++;
		r->bytes += f->run.len;
		return;
	}
	now = clock_now_ns();
	r->errors++;
	tracker_counts(r->tracker, &n);
	if (!n.parked)
		r->parked_ns = now;
	tracker_failed(r->tracker, f->start, f->len, stamp_of(now));
	if (log_limit_ok(&r->log, now))
		log_warn("reclaim: the kernel refuses to free %llu KiB of guest memory: %s",
			 (unsigned long long)(f->run.len / 1024), strerror(-f->run.rc));
}

static void land_done(struct reclaim *r)
{
	unsigned before = r->nflights;

	for (unsigned i = 0; i < r->nflights;) {
		struct flight *f = r->flight[i];

		if (!f->run.done) {
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
	struct discard_run *run[FLIGHTS_MAX];
	unsigned before = r->nflights, n;

	assert(!r->stepping);
	r->more = false;
	if (!r->quit)
		launch_due(r, clock_now_ns());
	n = r->nflights - before;
	if (!r->nflights)
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
	land_done(r);
	return true;
}

void reclaim_await(struct reclaim *r)
{
	/* Without a thread, one caller does its work and others wait for that one. */
	if (!r->threaded && !r->stepping) {
		reclaim_step(r);
		return;
	}
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
