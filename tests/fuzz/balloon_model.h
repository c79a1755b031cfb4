/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world that fuzz_balloon.c plays in, and what the balloon must have done to it: for every
 * page whether it is ballooned and whether it was discarded, for every queue what waits there.
 */
#ifndef AEROSTAT_TESTS_BALLOON_MODEL_H
#define AEROSTAT_TESTS_BALLOON_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "tests/unit/call_backend.h"
#include "devices/balloon/balloon.h"
#include "tests/unit/driver.h"

#define LOW_PAGES  96u
#define HIGH_PAGES 32u
#define HIGH_PFN   0x100000u
#define RAM_PAGES  (LOW_PAGES + HIGH_PAGES)
#define DATA_PAGE  16u /* pages below are rings and messages */
#define PATTERN	   0xa5

#define QUEUE_MAX      32
#define SLOT_BYTES     256u /* a message, and behind it room for an indirect table */
#define SLOT_TABLE     128u
#define SLOT_GPA(q, i) ((5 + 2 * (uint64_t)(q)) * 4096 + (uint64_t)(i)*SLOT_BYTES)
#define MSG_PFNS       24u
#define BLOCKS	       3u

#define REP BALLOON_VQ_REPORTING

#define CHECK(x)                                                                               \
	do {                                                                                   \
		if (!(x))                                                                      \
			abort();                                                               \
	} while (0)

/* A message that waits in a ring: page numbers, or blocks from a page number on. */
struct msg {
	uint32_t pfn[MSG_PFNS];
	uint32_t pages[BLOCKS];
	unsigned n;
	bool bad; /* must latch the device */
};

static struct world {
	struct gmem mem;
	struct irq_line irq;
	struct reclaim *reclaim;
	struct balloon *b;
	struct virtio_mmio mmio;
	struct ring ring[BALLOON_NVQ]; /* by what they serve as */
	unsigned number[BALLOON_NVQ];
	uint64_t report_min; /* bytes */
	bool paused;
	bool gone[RAM_PAGES]; /* by the backend: discarded since the guest wrote it */
	uint64_t host_target; /* bytes */
	bool alarm_set;	      /* the device wants virtio_look() */

	/* The model. */
	bool tame;  /* the rest of it holds */
	bool moved; /* rings may be anywhere: contents of pages are unknown */
	bool live, latched;
	bool set_up; /* rings exist, DRIVER_OK may come */
	uint64_t features;
	uint32_t poison;
	bool ballooned[RAM_PAGES], zero[RAM_PAGES];
	struct msg msg[BALLOON_NVQ][QUEUE_MAX];
	unsigned nmsg[BALLOON_NVQ];
	unsigned slot[BALLOON_NVQ];
	bool stats_held;
} w;

static int discard(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	for (uint64_t i = 0; i < RAM_PAGES; i++) {
		uint8_t *p = gmem_index_to_hva(&w.mem, i);

		if (p >= (uint8_t *)hva && p < (uint8_t *)hva + len)
			w.gone[i] = true;
	}
	return really_discard(hva, len);
}

static struct call_backend backend = {.discard = discard};

static void set_alarm(void *opaque)
{
	(void)opaque;
	CHECK(!w.alarm_set);
	w.alarm_set = true;
}

static void look(void)
{
	if (w.alarm_set) {
		w.alarm_set = false;
		virtio_look(balloon_virtio(w.b));
	}
}

static uint64_t interrupts(void)
{
	struct balloon_status s;

	balloon_query(w.b, &s);
	return s.interrupts;
}

/* ---- the model ---- */

static void write_page(uint64_t index)
{
	memset(gmem_index_to_hva(&w.mem, index), PATTERN, GMEM_PAGE_SIZE);
	w.gone[index] = false;
	w.zero[index] = false;
}

/* Device reset: the guest owns all of its pages. */
static void model_reset(void)
{
	w.live = w.latched = w.set_up = w.stats_held = false;
	w.features = 0;
	w.poison = 0;
	memset(w.ballooned, 0, sizeof(w.ballooned));
	memset(w.nmsg, 0, sizeof(w.nmsg));
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
	return v != BALLOON_VQ_HINT;
}

/* Queue q was kicked: what must have happened. */
static void model_kick(unsigned q)
{
	if (!serves(q))
		return;
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

static void check_used(unsigned q)
{
	uint16_t head;
	uint32_t len;

	while (ring_used(&w.ring[q], &head, &len))
		CHECK(len == 0);
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
