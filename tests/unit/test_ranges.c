// SPDX-License-Identifier: Apache-2.0
/* Discarding what the guest keeps; also run with real backends beside a busy engine. */
#include "vmm/reclaim/internal.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/call_backend.h"
#include "tests/unit/gmem_kinds.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"

/* 1024 pages at 0, a hole, 512 pages at 4 GiB. */
#define LOW_PAGES  1024u
#define HIGH_PAGES 512u
#define HIGH_GPA   (4ull << 30)
#define PATTERN	   0xa5
#define PAGE(n)	   ((uint64_t)(n)*GMEM_PAGE_SIZE)

static struct gmem mem;
static struct reclaim *r;

static int plainly(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	return really_discard(hva, len);
}

static void fill_memory(void)
{
	for (unsigned i = 0; i < mem.nregions; i++)
		memset(mem.region[i].hva, PATTERN, mem.region[i].len);
}

static void setup(struct call_backend *backend, enum reclaim_kind kind)
{
	const struct gmem_span spans[] = {{0, PAGE(LOW_PAGES)}, {HIGH_GPA, PAGE(HIGH_PAGES)}};
	const struct reclaim_config cfg = {.kind = kind};

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	fill_memory();
	r = reclaim_create_with(&mem, &cfg, &call_backend_ops, backend);
	ck_assert_ptr_nonnull(r);
}

static void teardown(void)
{
	reclaim_destroy(r);
	gmem_destroy(&mem);
}

static struct reclaim_stats stats(void)
{
	struct reclaim_stats s;

	reclaim_stats(r, &s);
	return s;
}

static uint64_t discard(uint64_t gpa, uint64_t len)
{
	return reclaim_discard(r, &(struct reclaim_range){gpa, len}, 1);
}

static void take(uint32_t from, uint32_t to)
{
	struct reclaim_bad bad = {0};

	for (; from < to; from++)
		reclaim_take(r, &from, 1, &bad);
	ck_assert_uint_eq(bad.n, 0);
}

/* Pages by index. */
static void check(uint64_t from, uint64_t to, uint8_t byte)
{
	for (; from < to; from++) {
		const uint8_t *p = gmem_index_to_hva(&mem, from);

		ck_assert_msg(p[0] == byte && !memcmp(p, p + 1, GMEM_PAGE_SIZE - 1),
			      "page %llu does not hold 0x%x", (unsigned long long)from, byte);
	}
}

START_TEST(what_is_named_goes_and_nothing_else)
{
	const struct reclaim_range range[] = {{PAGE(1), PAGE(3)},
					      {HIGH_GPA, PAGE(HIGH_PAGES)},
					      {PAGE(LOW_PAGES - 1), PAGE(1)}};

	setup(&(struct call_backend){.discard = plainly}, RECLAIM_SYNC);
	ck_assert_uint_eq(reclaim_discard(r, range, 3), PAGE(4 + HIGH_PAGES));
	check(0, 1, PATTERN);
	check(1, 4, 0);
	check(4, LOW_PAGES - 1, PATTERN);
	check(LOW_PAGES - 1, LOW_PAGES + HIGH_PAGES, 0);
	ck_assert_uint_eq(stats().discard_runs, 3);
	ck_assert_uint_eq(stats().discard_bytes, PAGE(4 + HIGH_PAGES));
	ck_assert_uint_eq(stats().pages.ballooned, 0);
	ck_assert_uint_eq(stats().released, 0);
	teardown();
}
END_TEST

/* The guest uses them at once: nothing may come after. */
START_TEST(pending_pages_become_the_guests)
{
	setup(&(struct call_backend){.discard = plainly}, RECLAIM_SYNC);
	take(10, 21);
	ck_assert_uint_eq(discard(PAGE(13), PAGE(5)), PAGE(5));
	check(13, 18, 0);
	check(10, 13, PATTERN);
	ck_assert_uint_eq(stats().pages.ballooned, 6);
	ck_assert_uint_eq(stats().pages.pending, 6);
	ck_assert_uint_eq(stats().released, 5);
	ck_assert_uint_eq(stats().pages.stray_deflates, 0);
	fill_memory();
	reclaim_barrier(r);
	check(10, 13, 0);
	check(13, 18, PATTERN);
	check(18, 21, 0);
	/* What was discarded before is the guest's, too. */
	discard(PAGE(18), PAGE(1));
	ck_assert_uint_eq(stats().released, 6);
	ck_assert_uint_eq(stats().pages.ballooned, 5);
	teardown();
}
END_TEST

START_TEST(held_pages_become_the_guests)
{
	struct call_backend backend = {.discard = plainly};

	setup(&backend, RECLAIM_SYNC);
	reclaim_destroy(r);
	/* As with huge pages of a pool; the backend here can do any. */
	mem.region[0].page_shift = mem.region[1].page_shift = 21;
	r = reclaim_create_with(&mem, &(struct reclaim_config){.kind = RECLAIM_SYNC},
				&call_backend_ops, &backend);
	take(0, 700);
	ck_assert_uint_eq(stats().pages.held, 188);
	ck_assert_uint_eq(stats().pages.pending, 512);
	ck_assert_uint_eq(discard(PAGE(512), PAGE(512)), PAGE(512));
	ck_assert_uint_eq(stats().pages.held, 0);
	ck_assert_uint_eq(stats().pages.pending, 512);
	ck_assert_uint_eq(stats().released, 188);
	fill_memory();
	reclaim_barrier(r);
	check(0, 512, 0);
	check(512, 1024, PATTERN);
	teardown();
}
END_TEST

static int refuse_some(void *opaque, void *hva, size_t len)
{
	return hva == opaque ? -ENOMEM : really_discard(hva, len);
}

START_TEST(what_the_kernel_refuses_is_counted)
{
	const struct reclaim_range range[] = {
		{PAGE(1), PAGE(3)}, {PAGE(8), PAGE(2)}, {PAGE(20), PAGE(1)}};
	struct call_backend backend = {.discard = refuse_some};

	setup(&backend, RECLAIM_SYNC);
	backend.opaque = gmem_index_to_hva(&mem, 8);
	ck_assert_uint_eq(reclaim_discard(r, range, 3), PAGE(4));
	ck_assert_uint_eq(stats().discard_errors, 1);
	ck_assert_uint_eq(stats().discard_runs, 2);
	ck_assert_uint_eq(stats().pages.parked, 0);
	check(8, 10, PATTERN);
	check(20, 21, 0);
	teardown();
}
END_TEST

/* ---- beside a thread that discards ---- */

static sem_t begun, let;
static _Atomic bool report_done;

/* The engine's own discard waits until it is let. */
static int slowly(void *opaque, void *hva, size_t len)
{
	if (hva == opaque) {
		sem_post(&begun);
		sem_wait(&let);
	}
	return really_discard(hva, len);
}

static void *report(void *opaque)
{
	(void)opaque;
	/* Page 100 is in flight, 120 isn't. */
	discard(PAGE(98), PAGE(4));
	report_done = true;
	return NULL;
}

START_TEST(pages_in_flight_are_waited_for)
{
	struct call_backend backend = {.discard = slowly};
	pthread_t thread;

	sem_init(&begun, 0, 0);
	sem_init(&let, 0, 0);
	setup(&backend, RECLAIM_THREAD);
	backend.opaque = gmem_index_to_hva(&mem, 100);
	take(100, 102);
	sem_wait(&begun);
	ck_assert_int_eq(pthread_create(&thread, NULL, report, NULL), 0);
	/* Others don't wait for it. */
	ck_assert_uint_eq(discard(PAGE(120), PAGE(2)), PAGE(2));
	check(120, 122, 0);
	usleep(20000);
	ck_assert(!report_done);
	sem_post(&let);
	pthread_join(thread, NULL);
	ck_assert(report_done);
	ck_assert_uint_eq(stats().released, 2);
	ck_assert_uint_eq(stats().pages.ballooned, 0);
	fill_memory();
	reclaim_barrier(r);
	check(98, 102, PATTERN);
	teardown();
}
END_TEST

/* ---- real memory, real backends ---- */

START_TEST(every_kind_of_memory)
{
	const struct gmem_span span = {0, 16 * MIB};
	const struct reclaim_range range[] = {{2 * MIB, 4 * MIB}, {10 * MIB, 2 * MIB}};

	for (size_t i = 0; i < GMEM_KINDS; i++) {
		struct err err;

		if (!gmem_kind_possible(i, span.len) ||
		    gmem_create_with(&mem, &span, 1, &gmem_kinds[i].config, &err))
			continue;
		if (!mem.discards) {
			gmem_destroy(&mem);
			continue;
		}
		fill_memory();
		r = reclaim_create(&mem, &(struct reclaim_config){.kind = RECLAIM_AUTO}, &err);
		ck_assert_ptr_nonnull(r);
		ck_assert_uint_eq(reclaim_discard(r, range, 2), 6 * MIB);
		check(0, 512, PATTERN);
		check(512, 1536, 0);
		check(1536, 2560, PATTERN);
		check(2560, 3072, 0);
		check(3072, 4096, PATTERN);
		teardown();
	}
}
END_TEST

#define ROUNDS 200

/* One guest CPU takes and gives, another reports the other half of memory and uses it. */
static void *reporter(void *opaque)
{
	void *lost = NULL;

	(void)opaque;
	for (unsigned n = 0; n < ROUNDS && !lost; n++) {
		const uint64_t from = 512 + n % 128;

		memset(gmem_index_to_hva(&mem, from), 1 + n % 100, PAGE(256));
		if (reclaim_discard(r, &(struct reclaim_range){PAGE(from), PAGE(128)}, 1) !=
		    PAGE(128))
			lost = &mem;
		for (uint64_t i = from; i < from + 256; i++) {
			if (*gmem_index_to_hva(&mem, i) != (i < from + 128 ? 0 : 1 + n % 100))
				lost = &mem;
		}
	}
	return lost;
}

START_TEST(beside_a_busy_engine)
{
	const struct gmem_span span = {0, PAGE(1024)};
	uint32_t pfn[256];
	pthread_t thread;
	struct err err;
	void *lost;

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(gmem_create(&mem, &span, 1, NULL), 0);
	r = reclaim_create(&mem, &(struct reclaim_config){.kind = RECLAIM_THREAD}, &err);
	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(pthread_create(&thread, NULL, reporter, NULL), 0);
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct reclaim_bad bad = {0};

		for (uint32_t i = 0; i < 256; i++)
			pfn[i] = (n * 37 + i) % 512;
		reclaim_take(r, pfn, 256, &bad);
		reclaim_give(r, pfn, 256, &bad);
	}
	pthread_join(thread, &lost);
	ck_assert_ptr_null(lost);
	ck_assert_uint_eq(stats().released, 0);
	ck_assert_uint_eq(stats().pages.ballooned, 0);
	teardown();
}
END_TEST

UNIT_MAIN("ranges", what_is_named_goes_and_nothing_else, pending_pages_become_the_guests,
	  held_pages_become_the_guests, what_the_kernel_refuses_is_counted,
	  pages_in_flight_are_waited_for, every_kind_of_memory, beside_a_busy_engine)
