// SPDX-License-Identifier: Apache-2.0
/*
 * The engine over io_uring, with everything that can go wrong between us and the ring. Calls of
 * liburing and of the kernel come here by the linker (--wrap):
 *
 *   - call number `at`, or every call from there on, fails;
 *   - request number `at`, or every one from there on, ends with an error without being done;
 *   - the kernel takes one request at a time.
 *
 * However it goes, the tracker, memory, and what was answered must agree in the end.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/failing_calls.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"
#include "vmm/base/size.h"
#include "vmm/reclaim/internal.h"

static struct faults {
	_Atomic unsigned calls, call_at;       /* numbered from 1; call_at 0: none fails */
	_Atomic unsigned requests, request_at; /* the same of requests */
	_Atomic unsigned submits, submit_at;   /* and of attempts to submit */
	bool forever;			       /* not only that one */
	int error;
	bool one_by_one, calloc_fails;
} fault;

static bool hit(unsigned n, unsigned at)
{
	return at && (n == at || (fault.forever && n > at));
}

bool call_fails(void)
{
	return hit(++fault.calls, fault.call_at);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fault.calloc_fails ? NULL : __real_calloc(n, size);
}

int call_error(void)
{
	return fault.error;
}

struct io_uring_probe *__real_io_uring_get_probe_ring(struct io_uring *ring);
struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring);
struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring)
{
	return call_fails() ? NULL : __real_io_uring_get_probe_ring(ring);
}

int __real_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned *n);
int __wrap_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned *n);
int __wrap_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned *n)
{
	return call_fails() ? -fault.error : __real_io_uring_register_iowq_max_workers(ring, n);
}

/* ---- submitting ---- */

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

/*
 * A request that does nothing in place of this one; its answer is made up later. Newer
 * liburings leave the fields alone that it doesn't use, and newer kernels refuse it for what is
 * in them.
 */
static void spoil(struct io_uring_sqe *sqe)
{
	uint64_t data = sqe->user_data;

	memset(sqe, 0, sizeof(*sqe));
	io_uring_prep_nop(sqe);
	sqe->user_data = data;
}

/* The kernel does these at once, so the answers are there. */
static void answer(struct io_uring *ring, const uint64_t data[], unsigned n)
{
	struct io_uring_cqe *cqe;
	unsigned head, found = 0;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		for (unsigned i = 0; i < n; i++) {
			if (cqe->user_data != data[i])
				continue;
			cqe->res = -fault.error;
			found++;
		}
	}
	ck_assert_uint_eq(found, n);
}

/* As when the kernel refuses: entries are in the ring by then, for it to find when it's asked.
 */
static int refused(struct io_uring *ring)
{
	int ring_fd = ring->ring_fd, enter_fd = ring->enter_ring_fd;

	ring->ring_fd = ring->enter_ring_fd = -1;
	ck_assert_int_eq(__real_io_uring_submit(ring), -EBADF);
	ring->ring_fd = ring_fd;
	ring->enter_ring_fd = enter_fd;
	return -fault.error;
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	unsigned from = ring->sq.sqe_head, to = ring->sq.sqe_tail, n = 0;
	uint64_t spoilt[64];
	int rc;

	if (call_fails() || hit(++fault.submits, fault.submit_at))
		return refused(ring);
	if (fault.one_by_one && to - from > 1)
		ring->sq.sqe_tail = from + 1;
	for (unsigned i = from; i != ring->sq.sqe_tail; i++) {
		struct io_uring_sqe *sqe = &ring->sq.sqes[i & *ring->sq.kring_mask];

		if (!hit(++fault.requests, fault.request_at))
			continue;
		spoil(sqe);
		spoilt[n++] = sqe->user_data;
	}
	rc = __real_io_uring_submit(ring);
	ring->sq.sqe_tail = to;
	answer(ring, spoilt, n);
	return rc;
}

/* ---- the engine ---- */

#define DEPTH 8u  /* of the ring, as in backend_uring.c */
#define LONG  10u /* more than the ring holds at once */
#define PAGES ((LONG + 1) * TRACKER_BLOCK)
#define EVERY 8u /* of the guest's own pages, these are looked at */

static struct gmem mem;
static struct reclaim *r;

static uint8_t *page_at(uint32_t page)
{
	return gmem_index_to_hva(&mem, page);
}

/* What the guest gives: half of each block, just long enough for the ring, and some pieces. */
static bool given(uint32_t page)
{
	uint32_t b = page / TRACKER_BLOCK, i = page % TRACKER_BLOCK;

	return b < LONG ? i < TRACKER_BLOCK / 2 : i < 30 && i % 5 < 2;
}

static bool looked_at(uint32_t page)
{
	return given(page) || !(page % EVERY);
}

static void fill(uint8_t byte)
{
	for (uint32_t i = 0; i < PAGES; i++) {
		if (looked_at(i))
			*page_at(i) = byte;
	}
}

/* Memory of the guest's own, and an engine; false when there is no ring to be had. */
static bool start(bool file, bool threaded)
{
	const struct gmem_span span = {0, PAGES * GMEM_PAGE_SIZE};
	const struct gmem_config memory = {.backing = file ? GMEM_MEMFD : GMEM_ANON,
					   .thp = GMEM_THP_OFF};
	const struct reclaim_config cfg = {.kind = threaded ? RECLAIM_THREAD : RECLAIM_SYNC,
					   .backlog_max = PAGES * GMEM_PAGE_SIZE * 2};
	static struct discard_counters counters;
	void *backend;
	int rc = 1;

	counters = (struct discard_counters){0};
	ck_assert_int_eq(gmem_create_with(&mem, &span, 1, &memory, NULL), 0);
	fill(0x5a);
	fault.calls = fault.requests = fault.submits = 0;
	backend = backend_uring_create(&counters, &rc);
	if (!backend) {
		ck_assert_int_lt(rc, 0);
		gmem_destroy(&mem);
		return false;
	}
	ck_assert_int_eq(rc, 0);
	r = reclaim_create_with(&mem, &cfg, &backend_uring, backend);
	ck_assert_ptr_nonnull(r);
	return true;
}

static void stop(void)
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

static void each_given(void (*f)(struct reclaim *, const uint32_t *, size_t,
				 struct reclaim_bad *))
{
	struct reclaim_bad bad = {0};
	uint32_t list[PAGES];
	size_t n = 0;

	for (uint32_t i = 0; i < PAGES; i++) {
		if (given(i))
			list[n++] = i;
	}
	f(r, list, n, &bad);
	ck_assert_uint_eq(bad.n, 0);
}

/* What was promised holds: discarded pages are gone, the guest's are as they were. */
static void check_pages(void)
{
	for (uint32_t i = 0; i < PAGES; i++) {
		enum page_state state = tracker_state(r->tracker, i);
		bool right = looked_at(i) ? *page_at(i) == 0x5a : true;

		if (!given(i))
			right = right && state == PAGE_GUEST;
		else
			right = state == PAGE_PENDING ||
				(state == PAGE_DISCARDED && !*page_at(i));
		if (!right)
			ck_abort_msg("page %u, call %u, request %u", i, fault.call_at,
				     fault.request_at);
	}
}

static void check_settled(void)
{
	struct reclaim_stats s = stats();

	ck_assert_uint_eq(s.discarding, 0);
	ck_assert_uint_eq(s.pages.pending, s.pages.parked);
	ck_assert_uint_eq(s.pages.ballooned, s.pages.pending + s.pages.discarded);
	ck_assert(!s.pages.parked == !s.discard_errors);
	check_pages();
}

/* Entering the ring again makes no request strike that was kept back in it. */
static void check_nothing_late(void)
{
	struct reclaim_bad bad = {0};
	uint32_t list[TRACKER_BLOCK / 2];
	const uint32_t n = TRACKER_BLOCK / 2;

	fill(0x77);
	for (uint32_t i = 0; i < n; i++)
		list[i] = i;
	reclaim_take(r, list, n, &bad);
	reclaim_barrier(r);
	for (uint32_t i = 0; i < PAGES; i++) {
		if (looked_at(i) && *page_at(i) != (i < n ? 0 : 0x77))
			ck_abort_msg("page %u, call %u", i, fault.call_at);
	}
}

/* The faults are over: what was refused is tried again, and given back pages stay. */
static void check_recovers(void)
{
	fault.call_at = fault.request_at = fault.submit_at = 0;
	pthread_mutex_lock(&r->lock);
	r->parked_ns = 0;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	reclaim_barrier(r);
	while (r->threaded && stats().pages.parked)
		usleep(1000);
	reclaim_barrier(r);
	ck_assert_uint_eq(stats().pages.discarded, stats().pages.ballooned);
	check_pages();
	each_given(reclaim_give);
	ck_assert_uint_eq(stats().pages.ballooned, 0);
	check_nothing_late();
}

/* All of the above; fault.calls and fault.requests are then those until all was settled. */
static bool live(bool file, bool threaded)
{
	struct faults now;

	if (!start(file, threaded))
		return false;
	each_given(reclaim_take);
	reclaim_barrier(r);
	check_settled();
	now = fault;
	check_recovers();
	stop();
	fault = now;
	return true;
}

static bool have_ring(void)
{
	memset(&fault, 0, sizeof(fault));
	log_set_level(LOG_ERROR);
	if (start(false, false)) {
		stop();
		return true;
	}
	printf("skip - backend_uring: no io_uring on this host\n");
	return false;
}

static const int errors[] = {EINVAL, EAGAIN, EINTR, ENOMEM, ECANCELED, EPERM, EBUSY};
#define ERRORS (sizeof(errors) / sizeof(errors[0]))

/* Call number n fails, or all from there on, for every n. */
static void every_call(bool file, bool threaded)
{
	if (!have_ring())
		return;
	ck_assert(live(file, threaded));
	for (unsigned n = fault.calls, at = 1; at <= n; at++) {
		for (unsigned k = 0; k < 2; k++) {
			fault.call_at = at;
			fault.forever = k;
			/* A different error each time: all of them meet all kinds of calls. */
			fault.error = errors[(at + k) % ERRORS];
			live(file, threaded);
		}
	}
}

START_TEST(every_call_fails_anon)
{
	every_call(false, false);
}
END_TEST

START_TEST(every_call_fails_memfd)
{
	every_call(true, false);
}
END_TEST

START_TEST(every_call_fails_under_the_thread)
{
	every_call(false, true);
}
END_TEST

/* Whatever a request ends with: it is done the plain way, and counted. */
START_TEST(every_request_fails)
{
	if (!have_ring())
		return;
	for (unsigned k = 0; k < ERRORS * 4; k++) {
		bool file = k % 2, forever = k / 2 % 2;

		for (unsigned at = 1; at <= DEPTH; at += forever ? DEPTH - 1 : 1) {
			fault = (struct faults){
				.error = errors[k / 4], .forever = forever, .request_at = at};
			ck_assert(start(file, false));
			each_given(reclaim_take);
			reclaim_barrier(r);
			ck_assert_uint_eq(fault.requests, DEPTH);
			ck_assert_uint_eq(r->errors, 0);
			check_settled();
			ck_assert_uint_eq(stats().pages.pending, 0);
			check_recovers();
			stop();
		}
	}
}
END_TEST

/* And where the plain way is refused too, the pages are parked and nobody waits for them. */
START_TEST(request_and_fallback_fail)
{
	if (!have_ring())
		return;
	for (unsigned e = 0; e < ERRORS; e++) {
		fault = (struct faults){.error = errors[e], .forever = true, .request_at = 1};
		ck_assert(start(false, false));
		fault.call_at = fault.calls + 1;
		each_given(reclaim_take);
		reclaim_barrier(r);
		ck_assert_uint_gt(stats().discard_errors, 0);
		check_settled();
		check_recovers();
		stop();
	}
}
END_TEST

START_TEST(kernel_takes_one_at_a_time)
{
	if (!have_ring())
		return;
	fault.one_by_one = true;
	ck_assert(live(false, false));
	ck_assert(live(true, false));
	ck_assert_uint_eq(fault.requests, DEPTH);
}
END_TEST

/* The first are on their way when the kernel takes no more: they are waited for, once. */
START_TEST(submit_fails_with_requests_in_flight)
{
	if (!have_ring())
		return;
	for (unsigned taken = 1; taken < DEPTH; taken++) {
		fault = (struct faults){.one_by_one = true,
					.error = EBADF,
					.forever = true,
					.submit_at = taken + 1};
		ck_assert(live(taken % 2, false));
		ck_assert_uint_eq(fault.requests, taken);
	}
}
END_TEST

START_TEST(no_ring)
{
	struct discard_counters counters = {0};
	int rc = 0;

	memset(&fault, 0, sizeof(fault));
	fault.call_at = 1;
	fault.error = EPERM;
	ck_assert_ptr_null(backend_uring_create(&counters, &rc));
	ck_assert_int_eq(rc, -EPERM);
	fault.call_at = 0;
	fault.calloc_fails = true;
	ck_assert_ptr_null(backend_uring_create(&counters, &rc));
	ck_assert_int_eq(rc, -ENOMEM);
	fault.calloc_fails = false;
	backend_uring.destroy(NULL);
	if (!have_ring())
		return;
	/* The kernel has rings, but doesn't say what they can. */
	fault = (struct faults){.call_at = 2, .error = EINVAL};
	ck_assert_ptr_null(backend_uring_create(&counters, &rc));
	ck_assert_int_eq(rc, -EOPNOTSUPP);
}
END_TEST

/* ---- runs longer than the ring's length field can say ---- */

#define MEMORY (6 * GIB)
#define STRIDE (256 * MIB)

static void long_run(struct discard_counters *counters, uint8_t *p, uint64_t len, bool by_ring)
{
	struct discard_run run = {
		.hva = p + STRIDE, .len = len, .fd = -1, .advice = MADV_DONTNEED};
	struct discard_run *list[] = {&run};
	void *b;
	int rc;

	for (uint64_t at = 0; at < MEMORY; at += STRIDE)
		p[at] = 1;
	p[STRIDE + len - GMEM_PAGE_SIZE] = 1;
	p[STRIDE + len] = 1;
	fault.requests = 0;
	b = backend_uring_create(counters, &rc);
	ck_assert_ptr_nonnull(b);
	backend_uring.submit(b, list, 1);
	while (!run.done)
		backend_uring.reap(b);
	backend_uring.destroy(b);
	ck_assert_int_eq(run.rc, 0);
	ck_assert_uint_eq(fault.requests, by_ring);
	ck_assert(p[0] && p[STRIDE + len]);
	for (uint64_t at = STRIDE; at < STRIDE + len; at += STRIDE)
		ck_assert_msg(!p[at], "%llu MiB of %llu", (unsigned long long)(at / MIB),
			      (unsigned long long)(len / MIB));
	ck_assert(!p[STRIDE + len - GMEM_PAGE_SIZE]);
}

START_TEST(runs_of_4_gib)
{
	struct discard_counters counters = {0};
	uint8_t *p;

	if (!have_ring())
		return;
	p = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	__real_madvise(p, MEMORY, MADV_NOHUGEPAGE);
	long_run(&counters, p, 4 * GIB - GMEM_PAGE_SIZE, true);
	long_run(&counters, p, 4 * GIB, false);
	long_run(&counters, p, 4 * GIB + 2 * MIB, false);
	long_run(&counters, p, 5 * GIB - GMEM_PAGE_SIZE, false);
	munmap(p, MEMORY);
}
END_TEST

UNIT_MAIN("backend_uring", every_call_fails_anon, every_call_fails_memfd,
	  every_call_fails_under_the_thread, every_request_fails, request_and_fallback_fail,
	  kernel_takes_one_at_a_time, submit_fails_with_requests_in_flight, no_ring,
	  runs_of_4_gib)
