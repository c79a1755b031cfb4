// SPDX-License-Identifier: Apache-2.0
/*
 * The backends with every system call that they make failing in turn. The calls come here by
 * the linker (--wrap): call number `fail_at` and the next fail_n fail with `fail_with`.
 */
#include "vmm/reclaim/backend.h"

#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "tests/unit/failing_calls.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"

#define PAGE  4096u
#define PAGES 2048u

static unsigned calls, fail_at, fail_n;
static int fail_with;

bool call_fails(void)
{
	unsigned n = ++calls;

	return fail_n && n >= fail_at && n - fail_at < fail_n;
}

int call_error(void)
{
	return fail_with;
}

int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
	return call_fails() ? refuse_call() : __real_pidfd_open(pid, flags);
}

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring)
{
	return call_fails() ? -fail_with : __real_io_uring_submit(ring);
}

/* ---- a memory, and runs in it: two long ones, single pages, pairs ---- */

#define RUNS 24
static const struct {
	unsigned page, n;
} runs[3] = {{0, 512}, {600, 300}, {1024, 512}};

struct mem {
	uint8_t *p;
	int fd;
	struct discard_run run[RUNS];
	struct discard_run *list[RUNS];
	bool in_run[PAGES];
};

static void add(struct mem *m, unsigned i, unsigned page, unsigned n)
{
	m->run[i] = (struct discard_run){.hva = m->p + page * PAGE,
					 .len = n * PAGE,
					 .fd = m->fd,
					 .fd_off = page * PAGE,
					 .advice = MADV_DONTNEED};
	m->list[i] = &m->run[i];
	for (unsigned k = page; k < page + n; k++)
		m->in_run[k] = true;
}

static void mem_init(struct mem *m, bool file)
{
	memset(m, 0, sizeof(*m));
	m->fd = file ? memfd_create("test", MFD_CLOEXEC) : -1;
	ck_assert(!file || !ftruncate(m->fd, PAGES * PAGE));
	m->p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		    file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, m->fd, 0);
	ck_assert_ptr_ne(m->p, MAP_FAILED);
	memset(m->p, 0x5a, PAGES * PAGE);
	for (unsigned i = 0; i < RUNS; i++) {
		if (i < 3)
			add(m, i, runs[i].page, runs[i].n);
		else
			add(m, i, 1600 + 4 * i, 1 + i % 2);
	}
}

/* What is done is zero, what failed may be either, and nothing else was touched. */
static void mem_check(const struct mem *m)
{
	for (unsigned i = 0; i < RUNS; i++) {
		ck_assert(m->run[i].done);
		if (m->run[i].rc)
			continue;
		for (uint64_t k = 0; k < m->run[i].len; k += sizeof(uint64_t)) {
			if (*(uint64_t *)(m->run[i].hva + k))
				ck_abort_msg("run %u, failing from call %u on", i, fail_at);
		}
	}
	for (unsigned i = 0; i < PAGES; i++) {
		if (!m->in_run[i] && m->p[i * PAGE] != 0x5a)
			ck_abort_msg("page %u, failing from call %u on", i, fail_at);
	}
}

static void mem_fini(struct mem *m)
{
	munmap(m->p, PAGES * PAGE);
	if (m->fd >= 0)
		close(m->fd);
}

/* One life of a backend; returns how many runs failed. */
static unsigned live(bool uring, bool file)
{
	struct discard_counters counters = {0};
	const struct backend_ops *ops = uring ? &backend_uring : &backend_thread;
	unsigned failed = 0, left;
	struct mem m;
	void *b;
	int rc = 0;

	mem_init(&m, file);
	calls = 0;
	b = uring ? backend_uring_create(&counters, &rc) : backend_thread_create(&counters);
	if (!b) {
		ck_assert_int_lt(rc, 0);
		mem_fini(&m);
		return 0;
	}
	ops->submit(b, m.list, RUNS);
	do {
		left = 0;
		for (unsigned i = 0; i < RUNS; i++)
			left += !m.run[i].done;
		if (left)
			ops->reap(b);
	} while (left);
	/* A request that the kernel kept back must not strike later. */
	mem_check(&m);
	ops->destroy(b);
	for (unsigned i = 0; i < RUNS; i++)
		failed += !!m.run[i].rc;
	memset(m.p, 0x5a, PAGES * PAGE);
	usleep(1000);
	for (unsigned i = 0; i < PAGES * PAGE; i += PAGE)
		ck_assert(m.p[i] == 0x5a);
	mem_fini(&m);
	return failed;
}

static void every_call_fails(bool uring, bool file)
{
	static const int error[] = {EINVAL, ENOMEM, EINTR, EPERM, ENOSYS};
	unsigned n;

	log_set_level(LOG_ERROR);
	fail_n = 0;
	ck_assert_uint_eq(live(uring, file), 0);
	n = calls;
	ck_assert_uint_gt(n, 1);
	for (unsigned e = 0; e < sizeof(error) / sizeof(error[0]); e++) {
		fail_with = error[e];
		for (fail_at = 1; fail_at <= n; fail_at++) {
			fail_n = 1;
			live(uring, file);
			/* And from here on for ever. */
			fail_n = 1000000;
			live(uring, file);
		}
	}
}

START_TEST(thread_anon)
{
	every_call_fails(false, false);
}
END_TEST

START_TEST(thread_file)
{
	every_call_fails(false, true);
}
END_TEST

static bool have_ring(void)
{
	struct discard_counters counters = {0};
	int rc;
	void *b = backend_uring_create(&counters, &rc);

	if (!b)
		printf("skipped: no io_uring here: %s\n", strerror(-rc));
	backend_uring.destroy(b);
	return b;
}

START_TEST(uring_anon)
{
	if (have_ring())
		every_call_fails(true, false);
}
END_TEST

START_TEST(uring_file)
{
	if (have_ring())
		every_call_fails(true, true);
}
END_TEST

UNIT_MAIN("discard", thread_anon, thread_file, uring_anon, uring_file)
