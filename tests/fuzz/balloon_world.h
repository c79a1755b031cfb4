/* SPDX-License-Identifier: Apache-2.0 */
/* The world that fuzz_balloon.c plays in: guest memory, a balloon and its engine, the input. */
#ifndef AEROSTAT_TESTS_BALLOON_WORLD_H
#define AEROSTAT_TESTS_BALLOON_WORLD_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/balloon/internal.h"
#include "tests/unit/call_backend.h"
#include "tests/unit/driver.h"

#define LOW_PAGES  96u
#define HIGH_PAGES 32u
#define HIGH_PFN   0x100000u
#define RAM_PAGES  (LOW_PAGES + HIGH_PAGES)
#define DATA_PAGE  16u /* pages below are rings and messages */
#define PATTERN	   0xa5

/* A page for each ring, two for that of the hints. */
#define RING_GPA(v) ((v) == BALLOON_VQ_REPORTING ? 15 * GMEM_PAGE_SIZE : (v)*GMEM_PAGE_SIZE)

#define QUEUE_MAX      32
#define SLOT_BYTES     256u /* a message, and behind it room for an indirect table */
#define SLOT_TABLE     128u
#define SLOT_GPA(q, i) ((5 + 2 * (uint64_t)(q)) * 4096 + (uint64_t)(i)*SLOT_BYTES)
#define MSG_PFNS       24u
#define BLOCKS	       3u

#define REP  BALLOON_VQ_REPORTING
#define HINT BALLOON_VQ_HINT

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

struct input {
	const uint8_t *p;
	size_t left;
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
	unsigned due[BALLOON_NVQ]; /* messages that were taken and not seen to come back */
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

static void write_page(uint64_t index)
{
	memset(gmem_index_to_hva(&w.mem, index), PATTERN, GMEM_PAGE_SIZE);
	w.gone[index] = false;
	w.zero[index] = false;
}

/* ---- the input ---- */

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static uint32_t word(struct input *in)
{
	uint32_t v = byte(in);

	v |= (uint32_t)byte(in) << 8;
	v |= (uint32_t)byte(in) << 16;
	return v | (uint32_t)byte(in) << 24;
}

static uint32_t pick_pfn(uint8_t v)
{
	static const uint32_t odd[] = {LOW_PAGES,  HIGH_PFN - 1, HIGH_PFN + HIGH_PAGES,
				       UINT32_MAX, 0xfee00,	 1u << 31};

	if (v < 160)
		return DATA_PAGE + v % (LOW_PAGES - DATA_PAGE);
	if (v < 240)
		return HIGH_PFN + v % HIGH_PAGES;
	return odd[v % 6];
}

static unsigned free_descs(const struct ring *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->num; i++)
		n += !r->busy[i];
	return n;
}

#endif
