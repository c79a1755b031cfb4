// SPDX-License-Identifier: Apache-2.0
/* What goes to the host next: from the tracker's blocks to flights. */
#include "vmm/base/clock.h"
#include "vmm/reclaim/internal.h"

#define AGE_ROUNDS 4 /* rounds of looking for old blocks in the time of an age */
#define SKIP_MAX   64

/* What may be launched at a time, counting down. */
struct quota {
	bool helped;
	unsigned flights;
	uint64_t pages;
};

static void add_flight(struct reclaim *r, const struct quota *q, uint64_t start, uint64_t len,
		       uint64_t pending)
{
	struct flight *f = r->flight[r->nflights++];
	const struct gmem_region *g = gmem_region_of(r->mem, start);
	uint64_t off = (start - g->index) << GMEM_PAGE_SHIFT;

	*f = (struct flight){
		.start = start,
		.len = len,
		.pending = pending,
		.helped = q->helped,
		.run = reclaim_run(g, off, len << GMEM_PAGE_SHIFT),
	};
}

/* There is room for GMEM_MAX_REGIONS flights: the run is cut where a region ends. */
static void launch(struct reclaim *r, struct quota *q, uint64_t start, uint64_t len)
{
	uint64_t pending = tracker_take(r->tracker, start, len);

	r->discarding += pending;
	if (q->helped)
		r->helping += pending;
	q->pages -= len < q->pages ? len : q->pages;
	while (len) {
		uint64_t span = gmem_index_span(r->mem, start);
		uint64_t n = len < span ? len : span;

		add_flight(r, q, start, n, pending);
		q->flights--;
		pending = 0;
		start += n;
		len -= n;
	}
}

static bool room(const struct quota *q)
{
	return q->flights >= GMEM_MAX_REGIONS && q->pages;
}

static void launch_ready(struct reclaim *r, struct quota *q, uint64_t max)
{
	uint64_t start, len;

	while (room(q) && tracker_ready_run(r->tracker, &r->ready_cursor, max, &start, &len))
		launch(r, q, start, len);
}

static void launch_block(struct reclaim *r, struct quota *q, uint64_t b)
{
	uint64_t at = b * TRACKER_BLOCK, end = at + TRACKER_BLOCK, start, len;

	while (at < end && room(q) && tracker_block_run(r->tracker, at, &start, &len)) {
		launch(r, q, start, len);
		at = start + len;
	}
}

/* In order of address, so that each block has had the longest time to grow. */
static void launch_all_partial(struct reclaim *r, struct quota *q)
{
	uint64_t b = tracker_partial_block(r->tracker, r->partial_cursor);

	while (room(q) && tracker_partial_count(r->tracker)) {
		if (b == tracker_blocks(r->tracker))
			b = tracker_partial_block(r->tracker, 0);
		launch_block(r, q, b);
		r->partial_cursor = b;
		b = tracker_partial_block(r->tracker, b);
	}
}

/*
 * The backlog must become shorter: dense blocks, because a discard costs by the piece more than
 * by the page. Those below the average are passed over, a few in a row.
 */
static void launch_dense(struct reclaim *r, struct quota *q)
{
	unsigned skipped = 0;

	while (room(q) && tracker_partial_count(r->tracker)) {
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
		launch_block(r, q, b);
	}
}

/* Rounds over all partial blocks, a few in the time of an age: so O(1) a page. */
static void launch_old(struct reclaim *r, struct quota *q, uint64_t now)
{
	uint64_t age_ms = r->huge ? RECLAIM_AGE_HUGE_MS : RECLAIM_AGE_MS;

	if (!r->ageing) {
		if (now - r->age_round_ns < age_ms * NSEC_PER_MSEC / AGE_ROUNDS)
			return;
		r->ageing = true;
		r->age_round_ns = now;
		r->age_cursor = 0;
	}
	while (room(q)) {
		uint64_t b = tracker_partial_block(r->tracker, r->age_cursor);
		uint16_t age;

		if (b == tracker_blocks(r->tracker)) {
			r->ageing = false;
			return;
		}
		age = (uint16_t)(reclaim_stamp(now) - tracker_block_stamp(r->tracker, b));
		if (age >= age_ms - age_ms / AGE_ROUNDS)
			launch_block(r, q, b);
		/* Without room the block has more: it is looked at again. */
		r->age_cursor = room(q) ? b + 1 : b;
	}
}

void reclaim_pick(struct reclaim *r, uint64_t now)
{
	uint64_t idle_ms = r->huge ? RECLAIM_IDLE_HUGE_MS : RECLAIM_IDLE_MS;
	uint64_t flying = r->discarding - r->helping;
	struct quota q = {
		.flights = PICK_FLIGHTS - (r->nflights - r->nhelped),
		.pages = flying < FLYING_MAX ? FLYING_MAX - flying : 0,
	};
	struct tracker_counts n;
	bool pressure;

	tracker_counts(r->tracker, &n);
	if (n.parked && now - r->parked_ns >= RECLAIM_RETRY_MS * NSEC_PER_MSEC)
		tracker_unpark(r->tracker);
	launch_ready(r, &q, RUN_MAX);
	pressure = reclaim_backlog(r) >= r->backlog_max / 4 * 3;
	if (r->barriers || now - r->take_ns >= idle_ms * NSEC_PER_MSEC)
		launch_all_partial(r, &q);
	else if (pressure)
		launch_dense(r, &q);
	else
		launch_old(r, &q, now);
	r->more = !room(&q) || pressure || r->barriers;
}

unsigned reclaim_pick_help(struct reclaim *r)
{
	struct quota q = {.helped = true, .flights = HELP_FLIGHTS, .pages = HELP_PAGES};

	launch_ready(r, &q, HELP_PAGES);
	if (q.pages == HELP_PAGES)
		launch_dense(r, &q);
	return HELP_FLIGHTS - q.flights;
}
