// SPDX-License-Identifier: Apache-2.0
/* Reported blocks are discarded by a thread: devices/balloon/balloon_worker.c. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "tests/unit/balloon_fixture.h"
#include "vmm/base/size.h"

static struct fixture f;

#define REP	BALLOON_VQ_REPORTING
#define PAGE(n) ((uint64_t)(n)*GMEM_PAGE_SIZE)

static bool no_thread;

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	return no_thread ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

/* Discards wait until they are let. */
static sem_t begun, let;
static _Atomic unsigned discards, early;
static _Atomic uint64_t last_len;

static int wait_and_discard(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	early += ring_used_pending(&f.ring[REP]) != 0;
	sem_post(&begun);
	sem_wait(&let);
	discards++;
	last_len = len;
	return really_discard(hva, len);
}

static struct call_backend backend = {.discard = wait_and_discard};

static void up(void)
{
	sem_init(&begun, 0, 0);
	sem_init(&let, 0, 0);
	discards = early = 0;
	fix_init_kind(&f, 0, &backend, RECLAIM_THREAD);
	fix_up(&f);
}

static void let_go(unsigned n)
{
	while (n--)
		sem_post(&let);
}

static void queue_block(uint32_t pfn, uint32_t pages)
{
	struct ring_buf buf = {PAGE(pfn), (uint32_t)PAGE(pages), true};

	ring_add(&f.ring[REP], &buf, 1);
}

static bool until_used(unsigned n)
{
	for (unsigned i = 0; i < 5000 && ring_used_pending(&f.ring[REP]) < n; i++)
		usleep(1000);
	return ring_used_pending(&f.ring[REP]) == n;
}

static struct balloon_reporting counts(void)
{
	return fix_query(&f).reporting;
}

START_TEST(the_kick_does_not_wait)
{
	up();
	queue_block(512, 16);
	fix_kick(&f, REP);
	sem_wait(&begun);
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 0);
	fix_check_pages(&f, 512, 528, PATTERN);
	/* Nor does anything else. */
	ck_assert_uint_eq(lx_read_target(&f), 0);
	ck_assert_uint_eq(counts().discarded, 0);
	let_go(1);
	ck_assert(until_used(1));
	ck_assert_uint_eq(early, 0);
	fix_check_pages(&f, 512, 528, 0);
	balloon_pause(f.b); /* and so the thread is through with it */
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_QUEUE);
	fix_expect_used(&f, REP);
	ck_assert_uint_eq(counts().discarded, PAGE(16));
	ck_assert_uint_gt(counts().ns, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(one_chain_after_the_other)
{
	uint16_t head[20];

	up();
	for (uint32_t i = 0; i < 20; i++)
		head[i] = ring_add(&f.ring[REP], &(struct ring_buf){PAGE(512 + i), 4096, true},
				   1);
	fix_kick(&f, REP);
	for (uint32_t i = 0; i < 20; i++) {
		sem_wait(&begun);
		/* A kick while it works is not lost, and does no harm. */
		drv_kick(&f.mmio, f.number[REP]);
		ck_assert_uint_eq(discards, i);
		let_go(1);
	}
	ck_assert(until_used(20));
	for (uint32_t i = 0; i < 20; i++) {
		uint16_t used;
		uint32_t len;

		ck_assert(ring_used(&f.ring[REP], &used, &len));
		ck_assert_uint_eq(used, head[i]);
		ck_assert_uint_eq(len, 0);
	}
	/* And the next kick is asked for. */
	balloon_pause(f.b);
	balloon_resume(f.b);
	queue_block(600, 1);
	let_go(1);
	fix_kick(&f, REP);
	ck_assert(until_used(1));
	fix_fini(&f);
}
END_TEST

/* ---- what has to wait for it ---- */

static _Atomic bool over;

static void *reset(void *opaque)
{
	(void)opaque;
	drv_reset(&f.mmio);
	over = true;
	return NULL;
}

static void *pause_it(void *opaque)
{
	(void)opaque;
	balloon_pause(f.b);
	over = true;
	return NULL;
}

static void *destroy(void *opaque)
{
	(void)opaque;
	balloon_destroy(f.b);
	over = true;
	return NULL;
}

/* fn waits until the one block that is being discarded is done. */
static void expect_wait(void *(*fn)(void *))
{
	pthread_t thread;

	up();
	queue_block(512, 16);
	queue_block(600, 16);
	fix_kick(&f, REP);
	sem_wait(&begun);
	over = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, fn, NULL), 0);
	usleep(20000);
	ck_assert(!over);
	fix_check_pages(&f, 512, 528, PATTERN);
	let_go(1);
	pthread_join(thread, NULL);
	ck_assert(over);
	ck_assert_uint_eq(discards, 1);
	fix_check_pages(&f, 512, 528, 0);
}

START_TEST(a_reset_waits)
{
	expect_wait(reset);
	/* The guest owns everything: nothing is returned, and nothing discarded any more. */
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 0);
	memset(gmem_ptr(&f.mem, PAGE(512), PAGE(128)), PATTERN, PAGE(128));
	let_go(100);
	fix_up(&f);
	queue_block(700, 16);
	fix_kick(&f, REP);
	ck_assert(until_used(1));
	fix_check_pages(&f, 512, 640, PATTERN);
	fix_check_pages(&f, 700, 716, 0);
	ck_assert_uint_eq(counts().blocks, 2);
	ck_assert_uint_eq(counts().discarded, PAGE(32));
	ck_assert_uint_eq(discards, 2);
	fix_fini(&f);
}
END_TEST

START_TEST(a_pause_waits)
{
	expect_wait(pause_it);
	/* The first is back, the second not looked at. */
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 1);
	drv_kick(&f.mmio, f.number[REP]);
	let_go(100);
	usleep(20000);
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 1);
	ck_assert_uint_eq(counts().blocks, 1);
	balloon_resume(f.b);
	ck_assert(until_used(2));
	fix_check_pages(&f, 600, 616, 0);
	fix_fini(&f);
}
END_TEST

START_TEST(a_reset_while_paused)
{
	up();
	let_go(100);
	balloon_pause(f.b);
	queue_block(512, 16);
	drv_kick(&f.mmio, f.number[REP]);
	drv_reset(&f.mmio);
	balloon_resume(f.b);
	usleep(5000);
	fix_check_pages(&f, 512, 528, PATTERN);
	fix_up(&f);
	queue_block(512, 16);
	fix_kick(&f, REP);
	ck_assert(until_used(1));
	fix_fini(&f);
}
END_TEST

START_TEST(the_end_waits)
{
	expect_wait(destroy);
	f.b = NULL;
	fix_fini(&f);
}
END_TEST

/* ---- what happens meanwhile ---- */

START_TEST(latched_meanwhile)
{
	up();
	queue_block(512, 16);
	queue_block(600, 16);
	fix_kick(&f, REP);
	sem_wait(&begun);
	ring_add(&f.ring[BALLOON_VQ_INFLATE], &(struct ring_buf){PFNS_GPA, 3, false}, 1);
	fix_kick(&f, BALLOON_VQ_INFLATE);
	ck_assert(fix_latched(&f));
	let_go(100);
	/* What was taken comes back, the rest stays. */
	ck_assert(until_used(1));
	usleep(5000);
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 1);
	fix_check_pages(&f, 600, 616, PATTERN);
	fix_fini(&f);
}
END_TEST

START_TEST(queue_taken_away_meanwhile)
{
	up();
	queue_block(512, 16);
	fix_kick(&f, REP);
	sem_wait(&begun);
	drv_write(&f.mmio, VIRTIO_MMIO_QUEUE_SEL, f.number[REP]);
	drv_write(&f.mmio, VIRTIO_MMIO_QUEUE_READY, 0);
	let_go(100);
	balloon_pause(f.b);
	ck_assert_uint_eq(ring_used_pending(&f.ring[REP]), 0);
	ck_assert_uint_eq(counts().discarded, PAGE(16));
	fix_fini(&f);
}
END_TEST

START_TEST(inflated_and_deflated_meanwhile)
{
	up();
	let_go(1000);
	for (unsigned i = 0; i < 50; i++) {
		queue_block(1024, 512);
		/* Not needed while the worker has yet to look at the ring once more. */
		if (ring_needs_kick(&f.ring[REP]))
			drv_kick(&f.mmio, f.number[REP]);
		lx_fill_balloon(&f, 256);
		lx_leak_balloon(&f, 256);
		ck_assert(until_used(1));
		fix_expect_used(&f, REP);
		let_go(100);
	}
	ck_assert_uint_eq(counts().discarded, 50 * PAGE(512));
	ck_assert_uint_eq(fix_query(&f).reclaim.released, 0);
	fix_fini(&f);
}
END_TEST

/* ---- a chain that takes long ---- */

#define BIG_RAM	  (1ull << 30)
#define BIG_BLOCK (600ull << 20)

static void big_up(void)
{
	const struct gmem_span span = {0, BIG_RAM};
	const struct reclaim_config reclaim = {.kind = RECLAIM_THREAD};
	const struct balloon_owner owner = {
		.change_fd = -1, .hint_fd = -1, .alarm = {.set = fix_set_alarm, .opaque = &f}};
	const struct balloon_config cfg = fix_config(0);
	struct ring_buf buf = {256 * MIB, BIG_BLOCK, true};

	sem_init(&begun, 0, 0);
	sem_init(&let, 0, 0);
	discards = 0;
	memset(&f, 0, sizeof(f));
	ck_assert_int_eq(gmem_create(&f.mem, &span, 1, NULL), 0);
	ck_assert_int_eq(irq_line_init(&f.irq, 5), 0);
	f.change_fd = f.hint_fd = -1;
	f.reclaim = reclaim_create_with(&f.mem, &reclaim, &call_backend_ops, &backend);
	f.b = balloon_create(&cfg, &f.mem, f.reclaim, &f.irq, &owner);
	virtio_mmio_init(&f.mmio, balloon_virtio(f.b));
	fix_up(&f);
	ring_add(&f.ring[REP], &buf, 1);
	fix_kick(&f, REP);
	sem_wait(&begun);
}

START_TEST(a_long_chain_goes_in_pieces)
{
	big_up();
	let_go(100);
	ck_assert(until_used(1));
	balloon_pause(f.b);
	ck_assert_uint_eq(discards, 5);
	ck_assert_uint_eq(last_len, 88 * MIB);
	ck_assert_uint_eq(counts().discarded, BIG_BLOCK);
	fix_fini(&f);
}
END_TEST

START_TEST(and_is_cut_short_by_a_reset)
{
	pthread_t thread;

	big_up();
	over = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, reset, NULL), 0);
	usleep(20000);
	ck_assert(!over);
	let_go(1);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(discards, 1);
	balloon_pause(f.b);
	ck_assert_uint_eq(counts().discarded, 128 * MIB);
	ck_assert_uint_eq(counts().skipped_stop, BIG_BLOCK - 128 * MIB);
	fix_fini(&f);
}
END_TEST

/* ---- all at once ---- */

static _Atomic bool enough;

static void *kicker(void *opaque)
{
	const unsigned number = f.number[REP];

	while (!enough) {
		drv_kick(&f.mmio, number);
		drv_config_read(&f.mmio, 0, 4);
		if (opaque) {
			balloon_pause(f.b);
			balloon_resume(f.b);
		}
	}
	return NULL;
}

START_TEST(kicks_pauses_and_resets_from_all_sides)
{
	pthread_t thread[2];

	up();
	let_go(1000000);
	enough = false;
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, kicker, (void *)i);
	for (unsigned round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 20; i++)
			queue_block(512 + i * 16, 16);
		drv_kick(&f.mmio, f.number[REP]);
		if (round % 2)
			ck_assert(until_used(20));
		drv_reset(&f.mmio);
		memset(gmem_ptr(&f.mem, PAGE(512), PAGE(320)), PATTERN, PAGE(320));
		fix_check_pages(&f, 512, 832, PATTERN);
		fix_up(&f);
	}
	enough = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ck_assert(!fix_latched(&f));
	ck_assert_uint_gt(counts().discarded, 0);
	/* a pause that comes between a chain's pop and its discard returns it as it is */
	ck_assert_uint_ge(counts().discarded + counts().skipped_stop, 50 * PAGE(320));
	fix_fini(&f);
}
END_TEST

/* What was made until then is freed: AddressSanitizer looks. */
START_TEST(no_balloon_without_its_thread)
{
	const struct balloon_owner owner = {.change_fd = -1, .hint_fd = -1};
	struct balloon_config cfg = fix_config(0);

	up();
	no_thread = true;
	ck_assert_ptr_null(balloon_create(&cfg, &f.mem, f.reclaim, &f.irq, &owner));
	/* One that needs no thread. */
	cfg.reporting = REPORTING_OFF;
	balloon_destroy(f.b);
	f.b = balloon_create(&cfg, &f.mem, f.reclaim, &f.irq, &owner);
	no_thread = false;
	ck_assert_ptr_nonnull(f.b);
	fix_fini(&f);
}
END_TEST

UNIT_MAIN("balloon_worker", the_kick_does_not_wait, one_chain_after_the_other, a_reset_waits,
	  a_pause_waits, a_reset_while_paused, the_end_waits, latched_meanwhile,
	  queue_taken_away_meanwhile, inflated_and_deflated_meanwhile,
	  a_long_chain_goes_in_pieces, and_is_cut_short_by_a_reset,
	  kicks_pauses_and_resets_from_all_sides, no_balloon_without_its_thread)
