// SPDX-License-Identifier: Apache-2.0
/* What the backend promises to the engine; test_discard.c makes its system calls fail in turn.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/reclaim/backend.h"

#define PAGE 4096u
#define RUNS 700u /* more than two vectors */

static bool no_memory, no_pidfd, refuse;
static unsigned vectors, pieces, punches;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
	errno = ENOSYS;
	return no_pidfd ? -1 : __real_pidfd_open(pid, flags);
}

int __real_madvise(void *p, size_t len, int advice);
int __wrap_madvise(void *p, size_t len, int advice);
int __wrap_madvise(void *p, size_t len, int advice)
{
	pieces++;
	errno = EINVAL;
	return refuse ? -1 : __real_madvise(p, len, advice);
}

ssize_t __real_process_madvise(int fd, const struct iovec *v, size_t n, int a, unsigned f);
ssize_t __wrap_process_madvise(int fd, const struct iovec *v, size_t n, int a, unsigned f);
ssize_t __wrap_process_madvise(int fd, const struct iovec *v, size_t n, int a, unsigned f)
{
	vectors++;
	errno = EINVAL;
	return refuse ? -1 : __real_process_madvise(fd, v, n, a, f);
}

int __real_fallocate(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate(int fd, int mode, off_t off, off_t len)
{
	punches++;
	return __real_fallocate(fd, mode, off, len);
}

/* Pages of private memory and of a file; every second page is in a run. */
static struct {
	uint8_t *anon, *file;
	int fd;
	struct discard_counters counters;
	void *backend;
	struct discard_run run[RUNS], *list[RUNS];
} t;

static uint8_t *map(int fd)
{
	uint8_t *p = mmap(NULL, 2 * RUNS * PAGE, PROT_READ | PROT_WRITE,
			  fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	memset(p, 0x5a, 2 * RUNS * PAGE);
	return p;
}

/* Every of_file-th run is of the file; 0: none. */
static void setup(unsigned of_file)
{
	memset(&t, 0, sizeof(t));
	t.fd = memfd_create("test", MFD_CLOEXEC);
	ck_assert(!ftruncate(t.fd, 2 * RUNS * PAGE));
	t.anon = map(-1);
	t.file = map(t.fd);
	for (unsigned i = 0; i < RUNS; i++) {
		bool file = of_file && !(i % of_file);
		uint64_t off = 2 * i * PAGE;

		t.run[i] = (struct discard_run){.hva = (file ? t.file : t.anon) + off,
						.len = PAGE,
						.fd = file ? t.fd : -1,
						.fd_off = off,
						.advice = MADV_DONTNEED};
		t.list[i] = &t.run[i];
	}
	t.backend = backend_thread_create(&t.counters);
	ck_assert_ptr_nonnull(t.backend);
	vectors = pieces = punches = 0;
}

static void teardown(void)
{
	backend_thread.destroy(t.backend);
	munmap(t.anon, 2 * RUNS * PAGE);
	munmap(t.file, 2 * RUNS * PAGE);
	close(t.fd);
}

/* All are done when submit() returns: gone, or refused and there; nothing else was touched. */
static void submit_and_check(int rc)
{
	backend_thread.submit(t.backend, t.list, RUNS);
	for (unsigned i = 0; i < RUNS; i++) {
		const struct discard_run *run = &t.run[i];

		if (!run->done || run->rc != rc || *run->hva != (rc ? 0x5a : 0) ||
		    run->hva[PAGE] != 0x5a)
			ck_abort_msg("run %u: done %d, rc %d", i, run->done, run->rc);
	}
	backend_thread.reap(t.backend);
	ck_assert_uint_eq(t.counters.calls, vectors + pieces + punches);
}

START_TEST(vectors_where_the_kernel_has_them)
{
	setup(0);
	submit_and_check(0);
	/* 256 pieces each, or one by one where it hasn't. */
	if (vectors)
		ck_assert_uint_eq(vectors, 3);
	else
		ck_assert_uint_eq(pieces, RUNS);
	ck_assert_uint_eq(t.counters.fallbacks, 0);
	teardown();
}
END_TEST

START_TEST(one_by_one_without_a_pidfd)
{
	no_pidfd = true;
	setup(0);
	submit_and_check(0);
	ck_assert_uint_eq(vectors, 0);
	ck_assert_uint_eq(pieces, RUNS);
	teardown();
}
END_TEST

START_TEST(files_by_holes)
{
	setup(7);
	submit_and_check(0);
	ck_assert_uint_eq(punches, RUNS / 7);
	for (unsigned i = 0; i < 2 * RUNS; i++) {
		if (t.file[i * PAGE] != (i % 14 ? 0x5a : 0))
			ck_abort_msg("page %u of the file", i);
	}
	teardown();
}
END_TEST

START_TEST(locked_memory)
{
	setup(0);
	/* A sanitizer's mlock() does nothing. */
	if (syscall(SYS_mlock, t.anon, 64 * PAGE)) {
		printf("skip - backend_thread: may not lock memory\n");
	} else {
		submit_and_check(0);
		ck_assert_uint_gt(t.counters.fallbacks, 0);
	}
	teardown();
}
END_TEST

START_TEST(refused_runs_say_so)
{
	setup(0);
	refuse = true;
	submit_and_check(-EINVAL);
	ck_assert_uint_ge(t.counters.fallbacks, RUNS);
	refuse = false;
	for (unsigned i = 0; i < RUNS; i++)
		t.run[i].done = false;
	submit_and_check(0);
	teardown();
}
END_TEST

START_TEST(no_memory_no_backend)
{
	struct discard_counters counters = {0};
	void *b;

	no_memory = true;
	b = backend_thread_create(&counters);
	no_memory = false;
	ck_assert_ptr_null(b);
	backend_thread.destroy(NULL);
}
END_TEST

UNIT_MAIN("backend_thread", vectors_where_the_kernel_has_them, one_by_one_without_a_pidfd,
	  files_by_holes, locked_memory, refused_runs_say_so, no_memory_no_backend)
