// SPDX-License-Identifier: Apache-2.0
/* When a message comes back, and when its driver is interrupted: with an engine of its own. */
#include <semaphore.h>

#include "tests/unit/balloon_fixture.h"

#define INF BALLOON_VQ_INFLATE
#define DEF BALLOON_VQ_DEFLATE
#define N   200u /* pages of a message */

static struct fixture f;

/* An engine whose discards wait until they are let. */
static sem_t let;
static unsigned early; /* discards that found their message returned */

static int wait_and_discard(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	if (ring_used_pending(&f.ring[INF]))
		__atomic_fetch_add(&early, 1, __ATOMIC_RELAXED);
	sem_wait(&let);
	sem_post(&let);
	return really_discard(hva, len);
}

static struct call_backend backend = {.discard = wait_and_discard};

static void up(uint64_t features)
{
	sem_init(&let, 0, 0);
	fix_init_kind(&f, 0, &backend, RECLAIM_THREAD);
	fix_prepare(&f, features);
	ck_assert(drv_ok(&f.mmio));
}

static void queue_inflate(void)
{
	uint32_t pfn[N];

	for (uint32_t i = 0; i < N; i++)
		pfn[i] = DATA_PFN + i;
	fix_queue(&f, INF, PFNS_GPA, pfn, N);
}

START_TEST(promised_pages_are_acknowledged_before_they_go)
{
	struct tracker_counts n;

	up(EVERYTHING);
	queue_inflate();
	fix_kick(&f, INF); /* returns, though nothing can be discarded */
	ck_assert_uint_eq(ring_used_pending(&f.ring[INF]), 1);
	n = fix_query(&f).reclaim.pages;
	ck_assert_uint_eq(n.discarded, 0);
	ck_assert_uint_eq(n.pending + fix_query(&f).reclaim.discarding, N);
	ck_assert_uint_eq(fix_query(&f).ballooned, N * GMEM_PAGE_SIZE);
	fix_check_pages(&f, DATA_PFN, DATA_PFN + N, PATTERN);

	sem_post(&let);
	reclaim_barrier(f.reclaim);
	ck_assert_uint_eq(fix_query(&f).reclaim.pages.discarded, N);
	ck_assert_uint_ge(early, 1);
	fix_expect_used(&f, INF);
	fix_check_pages(&f, DATA_PFN, DATA_PFN + N, 0);
	fix_check_pages(&f, DATA_PFN + N, LOW_PAGES, PATTERN);
	fix_fini(&f);
}
END_TEST

START_TEST(pages_that_are_not_promised_go_first)
{
	up(VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX));
	sem_post(&let);
	for (unsigned i = 0; i < 20; i++) {
		queue_inflate();
		fix_kick(&f, INF);
		ck_assert_uint_eq(ring_used_pending(&f.ring[INF]), 1);
		ck_assert_uint_eq(fix_query(&f).reclaim.pages.discarded, N);
		ck_assert_uint_eq(fix_query(&f).reclaim.pages.pending, 0);
		fix_check_pages(&f, DATA_PFN, DATA_PFN + N, 0);
		fix_expect_used(&f, INF);
		/* Used again, as it may be from now on. */
		memset(gmem_ptr(&f.mem, (uint64_t)DATA_PFN << 12, N * GMEM_PAGE_SIZE), PATTERN,
		       N * GMEM_PAGE_SIZE);
		fix_tell(&f, DEF, (const uint32_t[]){DATA_PFN}, 1);
		drv_reset(&f.mmio);
		fix_check_pages(&f, DATA_PFN, DATA_PFN + N, PATTERN);
		fix_prepare(&f, VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX));
		ck_assert(drv_ok(&f.mmio));
	}
	ck_assert_uint_eq(early, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(pages_taken_back_in_time_never_go)
{
	uint32_t pfn[N];

	up(EVERYTHING);
	sem_post(&let);
	for (unsigned i = 0; i < 50; i++) {
		lx_fill_balloon(&f, N);
		for (uint32_t k = 0; k < N; k++)
			pfn[k] = DATA_PFN + k;
		fix_tell(&f, DEF, pfn, N);
		f.held = 0;
		memset(gmem_ptr(&f.mem, (uint64_t)DATA_PFN << 12, N * GMEM_PAGE_SIZE),
		       1 + (int)i, N * GMEM_PAGE_SIZE);
		reclaim_barrier(f.reclaim);
		fix_check_pages(&f, DATA_PFN, DATA_PFN + N, (uint8_t)(1 + i));
	}
	fix_fini(&f);
}
END_TEST

START_TEST(linux_is_not_interrupted)
{
	fix_init(&f, 0);
	fix_up(&f);
	ck_assert_int_eq(balloon_set_target(f.b, 2000 * GMEM_PAGE_SIZE), 0);
	lx_work(&f);
	fix_look(&f);
	ck_assert_int_eq(balloon_set_target(f.b, 0), 0);
	lx_work(&f);
	fix_look(&f);
	fix_look(&f);
	ck_assert_uint_ge(fix_query(&f).inflate_msgs, 8);
	ck_assert_uint_ge(fix_query(&f).deflate_msgs, 8);
	/* But for the two new targets, which it has to be told. */
	ck_assert_uint_eq(fix_query(&f).interrupts, 2);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
	ck_assert_uint_eq(f.alarms, 2);
	ck_assert(!f.alarm_set);
	fix_fini(&f);
}
END_TEST

START_TEST(a_driver_that_sleeps_is_interrupted)
{
	fix_init(&f, 0);
	fix_up(&f);
	fix_queue(&f, DEF, PFNS_GPA, (const uint32_t[]){DATA_PFN}, 1);
	fix_kick(&f, DEF);
	ck_assert(!fd_drain(f.irq.fd));
	fix_look(&f);
	ck_assert(fd_drain(f.irq.fd));
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_QUEUE);
	fix_expect_used(&f, DEF);
	/* From now on at once, on this queue. */
	fix_queue(&f, DEF, PFNS_GPA, (const uint32_t[]){DATA_PFN}, 1);
	fix_kick(&f, DEF);
	ck_assert(fd_drain(f.irq.fd));
	fix_expect_used(&f, DEF);
	fix_tell(&f, INF, (const uint32_t[]){DATA_PFN}, 1);
	ck_assert(!fd_drain(f.irq.fd));
	fix_fini(&f);
}
END_TEST

/* The driver sleeps until statistics are asked for: that is what the interrupt is. */
START_TEST(statistics_are_asked_for_at_once)
{
	struct ring_buf buf = {.gpa = STATS_GPA, .len = 10};

	fix_init(&f, 0);
	fix_up(&f);
	ring_add(&f.ring[BALLOON_VQ_STATS], &buf, 1);
	drv_kick(&f.mmio, BALLOON_VQ_STATS);
	ck_assert_int_eq(balloon_stats_request(f.b), 0);
	ck_assert(fd_drain(f.irq.fd));
	ck_assert_uint_eq(f.alarms, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(a_reset_forgets_the_interrupt)
{
	fix_init(&f, 0);
	fix_up(&f);
	fix_queue(&f, INF, PFNS_GPA, (const uint32_t[]){DATA_PFN}, 1);
	fix_kick(&f, INF);
	virtio_mmio_reset(&f.mmio);
	fix_look(&f);
	ck_assert(!fd_drain(f.irq.fd));
	ck_assert_uint_eq(drv_read(&f.mmio, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_answers", promised_pages_are_acknowledged_before_they_go,
	  pages_that_are_not_promised_go_first, pages_taken_back_in_time_never_go,
	  linux_is_not_interrupted, a_driver_that_sleeps_is_interrupted,
	  statistics_are_asked_for_at_once, a_reset_forgets_the_interrupt)
