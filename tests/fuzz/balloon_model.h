/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the balloon must have done to the world of fuzz_balloon.c: for every page whether it is
 * ballooned and whether it was discarded, for every queue what waits there.
 */
#ifndef AEROSTAT_TESTS_BALLOON_MODEL_H
#define AEROSTAT_TESTS_BALLOON_MODEL_H

#include "tests/fuzz/balloon_hint_model.h"

/* Device reset: the guest owns all of its pages. */
static void model_reset(void)
{
	w.live = w.latched = w.set_up = w.stats_held = false;
	w.features = 0;
	w.poison = 0;
	memset(w.ballooned, 0, sizeof(w.ballooned));
	memset(w.nmsg, 0, sizeof(w.nmsg));
	memset(w.due, 0, sizeof(w.due));
	hint_model_reset();
}

static void apply(unsigned q, const struct msg *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		uint64_t index;

		if (!gmem_pfn_to_index(&w.mem, m->pfn[i], &index))
			continue;
		if (q == BALLOON_VQ_INFLATE && !w.ballooned[index])
			w.zero[index] = true;
		w.ballooned[index] = q == BALLOON_VQ_INFLATE;
	}
}

/* The blocks are gone, and nobody's but the guest's. */
static void apply_report(const struct msg *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		uint64_t index;

		if (w.poison || m->pages[i] * GMEM_PAGE_SIZE < w.report_min)
			continue;
		CHECK(gmem_pfn_to_index(&w.mem, m->pfn[i], &index));
		for (unsigned k = 0; k < m->pages[i]; k++) {
			w.zero[index + k] = true;
			w.ballooned[index + k] = false;
		}
	}
}

/* Does anything happen when queue v is kicked? */
static bool serves(unsigned v)
{
	if (!w.live || w.latched || !w.set_up || !w.ring[v].num)
		return false;
	if (v == BALLOON_VQ_STATS)
		return w.features >> BALLOON_F_BIT_STATS_VQ & 1;
	if (v == REP)
		return w.features >> BALLOON_F_BIT_REPORTING & 1 && !w.paused;
	return v != HINT || w.features >> BALLOON_F_BIT_FREE_PAGE_HINT & 1;
}

/* Messages in queue v that the device hasn't looked at. */
static unsigned waiting(unsigned v)
{
	return v == HINT ? h.nmsg : w.nmsg[v];
}

/* Queue q was kicked: what must have happened. */
static void model_kick(unsigned q)
{
	if (!serves(q))
		return;
	w.due[q] += waiting(q);
	if (q == HINT) {
		w.latched = !apply_hints();
		return;
	}
	for (unsigned i = 0; i < w.nmsg[q] && !w.latched; i++) {
		bool second = q == BALLOON_VQ_STATS && w.stats_held;

		w.latched = w.msg[q][i].bad || second;
		if (w.latched)
			break;
		if (q == BALLOON_VQ_STATS)
			w.stats_held = true;
		else if (q == REP)
			apply_report(&w.msg[q][i]);
		else
			apply(q, &w.msg[q][i]);
	}
	w.nmsg[q] = 0;
}

/* Every message that was taken came back, but for a statistics buffer. */
static void check_used(unsigned q)
{
	unsigned n = 0;
	uint16_t head;
	uint32_t len;

	for (; ring_used(&w.ring[q], &head, &len); n++)
		CHECK(len == 0);
	CHECK(w.latched ? n <= w.due[q] : q == BALLOON_VQ_STATS || n == w.due[q]);
	w.due[q] = 0;
}

static void check_pages(void)
{
	static const uint8_t zeros[GMEM_PAGE_SIZE];
	static uint8_t pattern[GMEM_PAGE_SIZE];

	memset(pattern, PATTERN, sizeof(pattern));
	for (uint64_t i = DATA_PAGE; i < RAM_PAGES && !w.moved; i++) {
		const uint8_t *want = w.gone[i] ? zeros : pattern;

		CHECK(!memcmp(gmem_index_to_hva(&w.mem, i), want, GMEM_PAGE_SIZE));
		CHECK(!w.tame || w.gone[i] == w.zero[i]);
	}
}

static void check_status(void)
{
	struct balloon_status s;
	uint64_t n = 0;

	if (w.latched)
		hint_model_latched();
	check_hints();
	balloon_query(w.b, &s);
	CHECK(s.reclaim.pages.pending == 0 && s.reclaim.pages.discarded <= RAM_PAGES);
	CHECK(s.ballooned == s.reclaim.pages.discarded * GMEM_PAGE_SIZE);
	CHECK(s.actual <= RAM_PAGES * GMEM_PAGE_SIZE);
	CHECK(s.target <= w.host_target);
	CHECK(s.reclaim.discard_errors == 0);
	CHECK(s.reporting.reported ==
	      s.reporting.discarded + s.reporting.skipped_min + s.reporting.skipped_poison);
	if (!w.tame)
		return;
	for (unsigned i = 0; i < RAM_PAGES; i++)
		n += w.ballooned[i];
	CHECK(s.reclaim.pages.discarded == n);
	CHECK(s.poison == w.poison);
	CHECK(s.driver == w.live && s.needs_reset == w.latched);
	CHECK(s.target == w.host_target || w.features >> BALLOON_F_BIT_DEFLATE_ON_OOM & 1 ||
	      s.oom_deflates);
}

#endif
