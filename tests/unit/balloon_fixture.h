/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A balloon with guest memory and a driver, for the tests of devices/balloon/. Drives the
 * device through its registers and rings in the order in which Linux's virtio_balloon.c does.
 */
#ifndef AEROSTAT_TESTS_BALLOON_FIXTURE_H
#define AEROSTAT_TESTS_BALLOON_FIXTURE_H

#include <string.h>

#include "devices/balloon/balloon.h"
#include "tests/unit/call_backend.h"
#include "tests/unit/driver.h"
#include "tests/unit/unit.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"

/* 8 MiB at 0, a hole, 1 MiB at 4 GiB. Pages from DATA_PFN on are filled with PATTERN. */
#define LOW_PAGES  2048u
#define HIGH_PAGES 256u
#define HIGH_PFN   0x100000u
#define RAM_PAGES  (LOW_PAGES + HIGH_PAGES)
#define DATA_PFN   128u
#define PATTERN	   0xa5

#define RING_GPA(v) ((uint64_t)(v)*0x1000)
#define HINTS_GPA   0x5000ull  /* the hint ring: two pages */
#define ID_GPA	    0x7000ull  /* ids that the driver sends on it */
#define TABLE_GPA   0x8000ull  /* indirect tables */
#define STATS_GPA   0xa000ull  /* two pages */
#define PFNS_GPA    0x10000ull /* up to DATA_PFN */

#define LINUX_PFNS 256u /* the most that Linux sends in a message */
#define EVERYTHING                                                                             \
	(VIRTIO_FEATURE(BALLOON_F_BIT_MUST_TELL_HOST) |                                        \
	 VIRTIO_FEATURE(BALLOON_F_BIT_STATS_VQ) |                                              \
	 VIRTIO_FEATURE(BALLOON_F_BIT_DEFLATE_ON_OOM) |                                        \
	 VIRTIO_FEATURE(BALLOON_F_BIT_REPORTING) | VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX))

struct fixture {
	struct gmem mem;
	struct irq_line irq;
	int change_fd, hint_fd;
	struct reclaim *reclaim;
	struct balloon *b;
	struct virtio_mmio mmio;
	struct ring ring[BALLOON_NVQ]; /* by what they serve as */
	unsigned number[BALLOON_NVQ];  /* which number the queue has */
	bool alarm_set;
	unsigned alarms;

	/* The driver's balloon: pages [DATA_PFN, DATA_PFN + held), in the order taken. */
	uint32_t held;
};

static inline void fix_set_alarm(void *opaque)
{
	struct fixture *f = opaque;

	ck_assert(!f->alarm_set);
	f->alarm_set = true;
	f->alarms++;
}

/* The alarm, if it was set, goes off. */
static inline void fix_look(struct fixture *f)
{
	if (!f->alarm_set)
		return;
	f->alarm_set = false;
	virtio_look(balloon_virtio(f->b));
}

/* What a balloon of the fixture is made with. */
static inline struct balloon_config fix_config(uint64_t initial)
{
	return (struct balloon_config){.enabled = true,
				       .initial = initial,
				       .must_tell_host = true,
				       .stats = true,
				       .deflate_on_oom = true,
				       .reporting = REPORTING_ON,
				       .poison = true,
				       .stats_interval = 3};
}

/* All but the memory, which is there. */
static inline void fix_init_rest(struct fixture *f, const struct balloon_config *cfg,
				 struct call_backend *backend, enum reclaim_kind kind)
{
	const struct reclaim_config reclaim = {.kind = kind};

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(irq_line_init(&f->irq, 5), 0);
	f->change_fd = fd_eventfd();
	f->hint_fd = fd_eventfd();
	f->reclaim =
		backend ? reclaim_create_with(&f->mem, &reclaim, &call_backend_ops, backend)
			: reclaim_create(&f->mem, &reclaim, NULL);
	ck_assert_ptr_nonnull(f->reclaim);
	f->b = balloon_create(cfg, &f->mem, f->reclaim, &f->irq,
			      &(struct balloon_owner){
				      .change_fd = f->change_fd,
				      .hint_fd = f->hint_fd,
				      .alarm = {.set = fix_set_alarm, .opaque = f},
			      });
	ck_assert_ptr_nonnull(f->b);
	virtio_mmio_init(&f->mmio, balloon_virtio(f->b));
}

/* kind: of the engine. Discards are calls to backend->discard; NULL: as the kind does them. */
static inline void fix_init_config(struct fixture *f, const struct balloon_config *cfg,
				   struct call_backend *backend, enum reclaim_kind kind)
{
	const struct gmem_span spans[] = {{0, LOW_PAGES * GMEM_PAGE_SIZE},
					  {4ull << 30, HIGH_PAGES * GMEM_PAGE_SIZE}};

	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(gmem_create(&f->mem, spans, 2, NULL), 0);
	memset(f->mem.region[0].hva, PATTERN, f->mem.region[0].len);
	memset(f->mem.region[1].hva, PATTERN, f->mem.region[1].len);
	fix_init_rest(f, cfg, backend, kind);
}

static inline void fix_init_kind(struct fixture *f, uint64_t initial,
				 struct call_backend *backend, enum reclaim_kind kind)
{
	const struct balloon_config cfg = fix_config(initial);

	fix_init_config(f, &cfg, backend, kind);
}

static inline void fix_init_with(struct fixture *f, uint64_t initial,
				 struct call_backend *backend)
{
	fix_init_kind(f, initial, backend, RECLAIM_SYNC);
}

static inline void fix_init(struct fixture *f, uint64_t initial)
{
	fix_init_with(f, initial, NULL);
}

static inline void fix_fini(struct fixture *f)
{
	balloon_destroy(f->b);
	reclaim_destroy(f->reclaim);
	fd_close(&f->change_fd);
	fd_close(&f->hint_fd);
	irq_line_fini(&f->irq);
	gmem_destroy(&f->mem);
}

static inline struct balloon_status fix_query(struct fixture *f)
{
	struct balloon_status s;

	balloon_query(f->b, &s);
	return s;
}

static inline bool fix_latched(struct fixture *f)
{
	return drv_status(&f->mmio) & VIRTIO_S_NEEDS_RESET;
}

/* Negotiate and make the queues ready, numbered as Linux does; not yet DRIVER_OK. */
static inline void fix_prepare(struct fixture *f, uint64_t features)
{
	const uint64_t needs[BALLOON_NVQ] = {
		[BALLOON_VQ_STATS] = VIRTIO_FEATURE(BALLOON_F_BIT_STATS_VQ),
		[BALLOON_VQ_HINT] = VIRTIO_FEATURE(BALLOON_F_BIT_FREE_PAGE_HINT),
		[BALLOON_VQ_REPORTING] = VIRTIO_FEATURE(BALLOON_F_BIT_REPORTING),
	};
	bool event_idx = features >> VIRTIO_F_BIT_EVENT_IDX & 1;
	unsigned next = 0;

	ck_assert(drv_negotiate(&f->mmio, features));
	for (unsigned v = 0; v < BALLOON_NVQ; v++) {
		if ((features & needs[v]) != needs[v])
			continue;
		if (v == BALLOON_VQ_HINT)
			ring_init(&f->ring[v], &f->mem, HINTS_GPA, 256, event_idx);
		else
			ring_init(&f->ring[v], &f->mem, RING_GPA(v), 32, event_idx);
		f->number[v] = next++;
		ck_assert(drv_queue(&f->mmio, f->number[v], &f->ring[v]));
	}
	f->held = 0;
}

/* With what Linux negotiates, up to DRIVER_OK. */
static inline void fix_up(struct fixture *f)
{
	fix_prepare(f, EVERYTHING);
	ck_assert(drv_ok(&f->mmio));
}

/* Queue a message of n page numbers without a kick. */
static inline void fix_queue(struct fixture *f, unsigned q, uint64_t gpa, const uint32_t *pfn,
			     unsigned n)
{
	struct ring_buf buf = {.gpa = gpa, .len = n * 4};

	ring_poke(&f->mem, gpa, pfn, n * 4);
	ring_add(&f->ring[q], &buf, 1);
}

static inline void fix_kick(struct fixture *f, unsigned q)
{
	ck_assert(ring_needs_kick(&f->ring[q]));
	drv_kick(&f->mmio, f->number[q]);
}

/*
 * Take the next used buffer, which must be there and unwritten, and ask for an interrupt for
 * the one after it, as virtqueue_get_buf() does.
 */
static inline void fix_expect_used(struct fixture *f, unsigned q)
{
	uint16_t head;
	uint32_t len;

	ck_assert(ring_used(&f->ring[q], &head, &len));
	ck_assert_uint_eq(len, 0);
	ring_set_used_event(&f->ring[q], f->ring[q].last_used);
}

/* tell_host(): one message, a kick, and the wait for the buffer, which is over at once. */
static inline void fix_tell(struct fixture *f, unsigned q, const uint32_t *pfn, unsigned n)
{
	fix_queue(f, q, PFNS_GPA, pfn, n);
	fix_kick(f, q);
	fix_expect_used(f, q);
}

/* A block of free memory, as it is reported. */
static inline struct ring_buf fix_block(uint32_t pfn, uint32_t pages)
{
	return (struct ring_buf){(uint64_t)pfn << 12, pages << 12, true};
}

/* page_reporting_cycle(): a chain, here of one block, a kick, the wait. */
static inline void fix_report(struct fixture *f, uint32_t pfn, uint32_t pages)
{
	const struct ring_buf buf = fix_block(pfn, pages);

	ring_add(&f->ring[BALLOON_VQ_REPORTING], &buf, 1);
	fix_kick(f, BALLOON_VQ_REPORTING);
	fix_expect_used(f, BALLOON_VQ_REPORTING);
}

/* Pages [from, to) hold only `byte`. One assertion a page: each costs a write to Check. */
static inline void fix_check_pages(struct fixture *f, uint32_t from, uint32_t to, uint8_t byte)
{
	for (; from < to; from++) {
		const uint8_t *p = gmem_ptr(&f->mem, (uint64_t)from << 12, GMEM_PAGE_SIZE);

		ck_assert_msg(p[0] == byte && !memcmp(p, p + 1, GMEM_PAGE_SIZE - 1),
			      "pfn 0x%x does not hold 0x%x throughout", from, byte);
	}
}

/* ---- what Linux's driver does, function by function ---- */

static inline uint32_t lx_read_target(struct fixture *f)
{
	return (uint32_t)drv_config_read(&f->mmio, 0, 4);
}

static inline void lx_update_balloon_size(struct fixture *f)
{
	drv_config_write(&f->mmio, 4, 4, f->held);
}

/* Pages are pushed and popped through a list: they arrive descending. */
static inline void lx_fill_balloon(struct fixture *f, uint32_t n)
{
	uint32_t pfn[LINUX_PFNS];

	if (n > LINUX_PFNS)
		n = LINUX_PFNS;
	for (uint32_t i = 0; i < n; i++)
		pfn[n - 1 - i] = DATA_PFN + f->held + i;
	f->held += n;
	fix_tell(f, BALLOON_VQ_INFLATE, pfn, n);
}

static inline void lx_leak_balloon(struct fixture *f, uint32_t n)
{
	uint32_t pfn[LINUX_PFNS];

	if (n > LINUX_PFNS)
		n = LINUX_PFNS;
	if (n > f->held)
		n = f->held;
	for (uint32_t i = 0; i < n; i++)
		pfn[i] = DATA_PFN + --f->held;
	if (n)
		fix_tell(f, BALLOON_VQ_DEFLATE, pfn, n);
}

/* One run of update_balloon_size_func(); false when there was nothing to do. */
static inline bool lx_work_once(struct fixture *f)
{
	int64_t diff = (int64_t)lx_read_target(f) - f->held;

	if (!diff)
		return false;
	if (diff > 0)
		lx_fill_balloon(f, (uint32_t)diff);
	else
		lx_leak_balloon(f, (uint32_t)-diff);
	lx_update_balloon_size(f);
	return true;
}

static inline void lx_work(struct fixture *f)
{
	while (lx_work_once(f))
		;
}

static inline void lx_oom_notify(struct fixture *f)
{
	lx_leak_balloon(f, 256);
	lx_update_balloon_size(f);
}

/* remove_common(): everything out, one write of actual, reset. */
static inline void lx_remove(struct fixture *f)
{
	while (f->held)
		lx_leak_balloon(f, f->held);
	lx_update_balloon_size(f);
	drv_reset(&f->mmio);
}

#endif
