/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of the discarding backends that come here by the linker (--wrap, see the Makefile) and
 * fail when the test says so. For one source file of a program.
 */
#ifndef AEROSTAT_TESTS_FAILING_CALLS_H
#define AEROSTAT_TESTS_FAILING_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <sys/mman.h>

/* The test's: asked once for each call, and the errno it fails with. */
bool call_fails(void);
int call_error(void);

static inline int refuse_call(void)
{
	errno = call_error();
	return -1;
}

int __real_madvise(void *p, size_t len, int advice);
int __wrap_madvise(void *p, size_t len, int advice);
int __wrap_madvise(void *p, size_t len, int advice)
{
	return call_fails() ? refuse_call() : __real_madvise(p, len, advice);
}

ssize_t __real_process_madvise(int fd, const struct iovec *v, size_t n, int a, unsigned f);
ssize_t __wrap_process_madvise(int fd, const struct iovec *v, size_t n, int a, unsigned f);
ssize_t __wrap_process_madvise(int fd, const struct iovec *v, size_t n, int a, unsigned f)
{
	if (!call_fails())
		return __real_process_madvise(fd, v, n, a, f);
	/* As the kernel does: all before the piece that it can't do. */
	return n > 2 ? __real_process_madvise(fd, v, 2, a, f) : refuse_call();
}

int __real_fallocate(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate(int fd, int mode, off_t off, off_t len)
{
	return call_fails() ? refuse_call() : __real_fallocate(fd, mode, off, len);
}

int __real_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags)
{
	return call_fails() ? -call_error() : __real_io_uring_queue_init(n, ring, flags);
}

int __real___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit,
			      unsigned wait, sigset_t *set);
int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit,
			      unsigned wait, sigset_t *set);
int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit,
			      unsigned wait, sigset_t *set)
{
	return call_fails() ? -call_error()
			    : __real___io_uring_get_cqe(ring, cqe, submit, wait, set);
}

#endif
