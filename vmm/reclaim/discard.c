// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/base/fd.h"

/*
 * Pieces in one process_madvise. More gains nothing measurable, and a guest that takes one of
 * the pages back waits for the whole call.
 */
#define VECTOR_MAX 256
#define TRIES	   4 /* when interrupted, or short of memory for a moment */

static void count(_Atomic uint64_t *c)
{
	__atomic_fetch_add((uint64_t *)c, 1, __ATOMIC_RELAXED);
}

/* Does the kernel take MADV_DONTNEED from a process for itself? Tried on a page of our own. */
static bool vector_works(int pidfd)
{
	size_t len = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v = {.iov_base = p, .iov_len = len};
	bool ok;

	if (p == MAP_FAILED)
		return false;
	*(volatile char *)p = 1;
	ok = process_madvise(pidfd, &v, 1, MADV_DONTNEED, 0) == (ssize_t)len &&
	     !*(volatile char *)p;
	munmap(p, len);
	return ok;
}

void discard_init(struct discard *d, struct discard_counters *counters)
{
	d->counters = counters;
	d->pidfd = pidfd_open(getpid(), 0);
	if (d->pidfd >= 0 && !vector_works(d->pidfd))
		fd_close(&d->pidfd);
}

void discard_fini(struct discard *d)
{
	fd_close(&d->pidfd);
}

static bool passing(int err)
{
	return err == EINTR || err == EAGAIN || err == ENOMEM;
}

static int try_madvise(struct discard *d, const struct discard_run *run, int advice)
{
	for (int tries = TRIES;;) {
		count(&d->counters->calls);
		if (!madvise(run->hva, run->len, advice))
			return 0;
		if (!passing(errno) || !--tries)
			return -errno;
	}
}

static int try_punch(struct discard *d, const struct discard_run *run)
{
	for (int tries = TRIES;;) {
		count(&d->counters->calls);
		if (!fallocate(run->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       (off_t)run->fd_off, (off_t)run->len))
			return 0;
		if (!passing(errno) || !--tries)
			return -errno;
	}
}

void discard_one(struct discard *d, struct discard_run *run)
{
	if (run->fd >= 0) {
		run->rc = try_punch(d, run);
		if (run->rc == -EOPNOTSUPP || run->rc == -ENOSYS || run->rc == -EPERM) {
			/* A filter may know the one call and not the other. */
			count(&d->counters->fallbacks);
			run->rc = try_madvise(d, run, MADV_REMOVE);
		}
	} else {
		run->rc = try_madvise(d, run, run->advice);
		/* Someone locked our memory (mlockall) after it was mapped. */
		if (run->rc == -EINVAL && run->advice == MADV_DONTNEED) {
			count(&d->counters->fallbacks);
			run->rc = try_madvise(d, run, MADV_DONTNEED_LOCKED);
		}
	}
	run->done = true;
}

/* n > 0 runs of private memory that share an advice. */
static void discard_vector(struct discard *d, struct discard_run *const run[], unsigned n)
{
	struct iovec v[VECTOR_MAX];
	ssize_t got;

	for (unsigned i = 0; i < n; i++)
		v[i] = (struct iovec){.iov_base = run[i]->hva, .iov_len = run[i]->len};
	count(&d->counters->calls);
	got = process_madvise(d->pidfd, v, n, run[0]->advice, 0);
	/* It stops at the first piece that it can't do, and tells how many bytes it did. */
	for (unsigned i = 0; i < n; i++) {
		if (got >= (ssize_t)run[i]->len) {
			got -= (ssize_t)run[i]->len;
			run[i]->rc = 0;
			run[i]->done = true;
			continue;
		}
		got = 0;
		count(&d->counters->fallbacks);
		discard_one(d, run[i]);
	}
}

void discard_many(struct discard *d, struct discard_run *const run[], unsigned n)
{
	while (n) {
		unsigned k = 0;

		while (k < n && k < VECTOR_MAX && run[k]->fd < 0 &&
		       run[k]->advice == run[0]->advice)
			k++;
		if (k > 1 && d->pidfd >= 0) {
			discard_vector(d, run, k);
		} else {
			k = 1;
			discard_one(d, run[0]);
		}
		run += k;
		n -= k;
	}
}
