/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver with free page hints, and the owner of a session; for the tests of balloon_hint.c.
 * Messages go as Linux's report_free_page_func() sends them.
 */
#ifndef AEROSTAT_TESTS_BALLOON_HINT_FIXTURE_H
#define AEROSTAT_TESTS_BALLOON_HINT_FIXTURE_H

#include <endian.h>
#include <errno.h>

#include "tests/unit/balloon_fixture.h"
#include "vmm/base/clock.h"

#define HINT	   BALLOON_VQ_HINT
#define HINTS	   VIRTIO_FEATURE(BALLOON_F_BIT_FREE_PAGE_HINT)
#define OFF_CMD_ID 8u
#define PAGE(n)	   ((uint64_t)(n)*GMEM_PAGE_SIZE)
#define LONG_NS	   (600 * NSEC_PER_SEC)

/* What the driver hints here, when it doesn't matter what. */
#define FREE_PFN   512u
#define FREE_PAGES 300u

static inline void fix_hints_init(struct fixture *f)
{
	struct balloon_config cfg = fix_config(0);

	cfg.hinting = true;
	fix_init_config(f, &cfg, NULL, RECLAIM_SYNC);
}

static inline void fix_hints_driver(struct fixture *f, uint64_t features)
{
	fix_prepare(f, features);
	ck_assert(drv_ok(&f->mmio));
}

static inline void fix_hints_up(struct fixture *f)
{
	fix_hints_init(f);
	fix_hints_driver(f, EVERYTHING | HINTS);
}

static inline uint32_t lx_hint_field(struct fixture *f)
{
	return (uint32_t)drv_config_read(&f->mmio, OFF_CMD_ID, 4);
}

/* A message and a kick; what was used is taken away before, and no interrupt is asked for. */
static inline void lx_hint_send(struct fixture *f, const struct ring_buf *buf, unsigned n)
{
	uint16_t head;
	uint32_t len;

	while (ring_used(&f->ring[HINT], &head, &len))
		ck_assert_uint_eq(len, 0);
	ring_add(&f->ring[HINT], buf, n);
	fix_kick(f, HINT);
}

/* One buffer holds the session's id, another one the stop. */
static inline struct ring_buf fix_hint_command(struct fixture *f, uint32_t id)
{
	const uint64_t gpa = id == HINT_ID_STOP ? ID_GPA + 4 : ID_GPA;
	const uint32_t le = htole32(id);

	ring_poke(&f->mem, gpa, &le, sizeof(le));
	return (struct ring_buf){gpa, sizeof(le), false};
}

static inline void lx_hint_command(struct fixture *f, uint32_t id)
{
	const struct ring_buf buf = fix_hint_command(f, id);

	lx_hint_send(f, &buf, 1);
	ck_assert_uint_eq(ring_used_pending(&f->ring[HINT]), 1);
}

static inline void lx_hint_block(struct fixture *f, uint32_t pfn, uint32_t pages)
{
	const struct ring_buf buf = fix_block(pfn, pages);

	lx_hint_send(f, &buf, 1);
	ck_assert_uint_eq(ring_used_pending(&f->ring[HINT]), 1);
}

static inline struct hint_info fix_hint(struct fixture *f)
{
	struct hint_info info;

	balloon_hint_query(f->b, &info);
	return info;
}

static inline enum hint_state fix_hint_state(struct fixture *f)
{
	return fix_hint(f).state;
}

/* The host asks, and the guest is interrupted for it. */
static inline void fix_hint_start(struct fixture *f)
{
	drv_take_isr(&f->mmio);
	fd_drain(f->hint_fd);
	ck_assert_int_eq(balloon_hint_start(f->b, LONG_NS), 0);
	ck_assert_uint_eq(drv_take_isr(&f->mmio), VIRTIO_ISR_CONFIG);
	ck_assert(fd_drain(f->hint_fd));
}

/* Up to one of requested, running and guest-done, with the same block always. */
static inline void fix_hint_reach(struct fixture *f, enum hint_state state)
{
	fix_hint_start(f);
	if (state >= HINT_RUNNING) {
		lx_hint_command(f, lx_hint_field(f));
		lx_hint_block(f, FREE_PFN, FREE_PAGES);
	}
	if (state >= HINT_GUEST_DONE)
		lx_hint_command(f, HINT_ID_STOP);
	ck_assert_int_eq(fix_hint_state(f), state);
	fd_drain(f->hint_fd);
	drv_take_isr(&f->mmio);
}

/* All of a session goes well. */
static inline void fix_hint_whole(struct fixture *f)
{
	struct hintset *set;

	fix_hint_reach(f, HINT_GUEST_DONE);
	set = balloon_hint_take(f->b);
	ck_assert_ptr_nonnull(set);
	ck_assert_uint_eq(hintset_pages(set), FREE_PAGES);
	hintset_destroy(set);
	ck_assert_int_eq(balloon_hint_end(f->b, HINT_FINISHED), 0);
	ck_assert_uint_eq(lx_hint_field(f), HINT_ID_DONE);
	ck_assert_int_eq(fix_hint_state(f), HINT_FINISHED);
}

#endif
