// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/call_backend.h"
#include "tests/unit/gmem_kinds.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"
#include "vmm/reclaim/internal.h"

#define LEN (64 * MIB)

/* Allocation number fail_at fails; 0: none. */
static unsigned allocs, fail_at;
static bool no_thread, no_ring;

static bool fails(void)
{
	return fail_at && ++allocs == fail_at;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
	return no_thread ? EAGAIN : __real_pthread_create(t, a, f, arg);
}

int __real_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags)
{
	return no_ring ? -EPERM : __real_io_uring_queue_init(n, ring, flags);
}

static struct gmem mem;

static void setup(const struct gmem_config *cfg)
{
	const struct gmem_span span = {0, LEN};
	static const struct gmem_config plain;

	log_set_level(LOG_ERROR);
	allocs = fail_at = 0;
	no_thread = no_ring = false;
	ck_assert_int_eq(gmem_create_with(&mem, &span, 1, cfg ? cfg : &plain, NULL), 0);
}

static void teardown(void)
{
	gmem_destroy(&mem);
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static const enum reclaim_kind kinds[] = {RECLAIM_AUTO, RECLAIM_URING, RECLAIM_THREAD,
					  RECLAIM_SYNC, RECLAIM_NONE};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The engine does its main job; it is destroyed with all it had. */
static void use(struct reclaim *r)
{
	const uint32_t pfn[] = {0, 1, 2};
	struct reclaim_bad bad = {0};
	uint8_t *page = gmem_index_to_hva(&mem, 1);
	struct reclaim_stats s;

	*page = 1;
	reclaim_take(r, pfn, 3, &bad);
	reclaim_barrier(r);
	reclaim_stats(r, &s);
	ck_assert_uint_eq(s.pages.discarded, 3);
	ck_assert_int_eq(*page, !strcmp(s.backend, "none"));
	reclaim_destroy(r);
}

START_TEST(every_kind_lives_and_leaves_nothing)
{
	unsigned fds;

	setup(NULL);
	fds = open_fds();
	for (size_t k = 0; k < KINDS; k++) {
		const struct reclaim_config cfg = {.kind = kinds[k]};
		struct err err = {0};
		struct reclaim *r = reclaim_create(&mem, &cfg, &err);

		if (!r && kinds[k] == RECLAIM_URING) {
			printf("skip - create: %s\n", err.msg);
			continue;
		}
		ck_assert_ptr_nonnull(r);
		use(r);
		ck_assert_uint_eq(open_fds(), fds);
	}
	reclaim_destroy(NULL);
	teardown();
}
END_TEST

START_TEST(every_allocation_fails)
{
	unsigned fds;

	setup(NULL);
	fds = open_fds();
	for (size_t k = 0; k < KINDS; k++) {
		const struct reclaim_config cfg = {.kind = kinds[k]};
		struct reclaim *r = NULL;
		unsigned n = 0;

		while (!r) {
			struct err err = {0};

			ck_assert_uint_lt(n, 100);
			allocs = 0;
			fail_at = ++n;
			r = reclaim_create(&mem, &cfg, &err);
			fail_at = 0;
			/* Without memory for it the ring's own library has other ways to fail.
			 */
			ck_assert(r || strlen(err.msg));
			if (!r && kinds[k] == RECLAIM_URING && n > 20)
				break;
		}
		/* At least the engine and the tracker's maps. */
		ck_assert_uint_gt(n, 5);
		reclaim_destroy(r);
		ck_assert_uint_eq(open_fds(), fds);
	}
	teardown();
}
END_TEST

START_TEST(no_thread_to_be_had)
{
	unsigned fds;

	setup(NULL);
	fds = open_fds();
	no_thread = true;
	for (size_t k = 0; k < KINDS; k++) {
		const struct reclaim_config cfg = {.kind = kinds[k]};
		struct err err = {0};
		struct reclaim *r = reclaim_create(&mem, &cfg, &err);

		/* Sync needs none. */
		ck_assert(!r == (kinds[k] != RECLAIM_SYNC));
		ck_assert(r || strlen(err.msg));
		if (kinds[k] == RECLAIM_THREAD)
			ck_assert_ptr_nonnull(strstr(err.msg, "thread"));
		reclaim_destroy(r);
		ck_assert_uint_eq(open_fds(), fds);
	}
	teardown();
}
END_TEST

START_TEST(no_ring_to_be_had)
{
	const struct reclaim_config cfg = {.kind = RECLAIM_URING};
	struct err err = {0};

	setup(NULL);
	no_ring = true;
	ck_assert_ptr_null(reclaim_create(&mem, &cfg, &err));
	/* One line that names the option and what to give instead. */
	ck_assert_ptr_nonnull(strstr(err.msg, "--reclaim=uring"));
	ck_assert_ptr_nonnull(strstr(err.msg, "thread"));
	ck_assert_ptr_nonnull(strstr(err.msg, strerror(EPERM)));
	ck_assert_ptr_null(strchr(err.msg, '\n'));
	teardown();
}
END_TEST

START_TEST(auto_goes_on_without_a_ring)
{
	const struct reclaim_config cfg = {.kind = RECLAIM_AUTO};

	setup(NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct err err = {0};
		struct reclaim_stats s;
		struct reclaim *r;

		no_ring = i == 0;
		r = reclaim_create(&mem, &cfg, &err);
		ck_assert_msg(r != NULL, "%s", err.msg);
		reclaim_stats(r, &s);
		ck_assert(!s.sync);
		/* With a ring allowed, the host may still have none. */
		if (no_ring || strcmp(s.backend, "uring"))
			ck_assert_str_eq(s.backend, "thread");
		use(r);
	}
	teardown();
}
END_TEST

static int discard(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	return really_discard(hva, len);
}

static unsigned destroyed;

static void count_destroy(void *backend)
{
	(void)backend;
	destroyed++;
}

START_TEST(a_backend_of_the_callers)
{
	const struct reclaim_config cfg = {.kind = RECLAIM_THREAD};
	struct call_backend b = {.discard = discard};
	struct backend_ops ops = call_backend_ops;
	struct reclaim *r;

	setup(NULL);
	ops.destroy = count_destroy;
	no_thread = true;
	ck_assert_ptr_null(reclaim_create_with(&mem, &cfg, &ops, &b));
	no_thread = false;
	fail_at = 1;
	ck_assert_ptr_null(reclaim_create_with(&mem, &cfg, &ops, &b));
	/* Still the caller's. */
	ck_assert_uint_eq(destroyed, 0);
	fail_at = 0;
	r = reclaim_create_with(&mem, &cfg, &ops, &b);
	ck_assert_ptr_nonnull(r);
	use(r);
	ck_assert_uint_eq(destroyed, 1);
	teardown();
}
END_TEST

START_TEST(bound_of_the_backlog)
{
	static const struct {
		uint64_t asked, pages;
	} t[] = {
		{1, RECLAIM_BACKLOG_MIN / GMEM_PAGE_SIZE},
		{RECLAIM_BACKLOG_MIN, RECLAIM_BACKLOG_MIN / GMEM_PAGE_SIZE},
		{32 * MIB, 32 * MIB / GMEM_PAGE_SIZE},
	};
	struct reclaim_stats s;

	setup(NULL);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct reclaim_config cfg = {.kind = RECLAIM_SYNC,
						   .backlog_max = t[i].asked};
		struct reclaim *r = reclaim_create(&mem, &cfg, NULL);

		reclaim_stats(r, &s);
		ck_assert_uint_eq(s.backlog_max, t[i].pages);
		reclaim_destroy(r);
	}
	teardown();
}
END_TEST

/* Transparent huge pages are asked of the memory, then of the host. */
START_TEST(huge_pages_are_known)
{
	static const enum gmem_thp thp[] = {GMEM_THP_ON, GMEM_THP_OFF};
	const struct reclaim_config cfg = {.kind = RECLAIM_SYNC};
	const char *path;

	for (size_t i = 0; i < 2; i++) {
		const struct gmem_config c = {.thp = thp[i]};
		struct reclaim *r;

		if (thp[i] == GMEM_THP_ON && !backing_thp_allowed(GMEM_ANON, &path))
			continue;
		setup(&c);
		r = reclaim_create(&mem, &cfg, NULL);
		ck_assert_ptr_nonnull(r);
		ck_assert_int_eq(r->huge, thp[i] == GMEM_THP_ON);
		reclaim_destroy(r);
		teardown();
	}
}
END_TEST

/* Does the thread of this name block SIGINT and SIGTERM? -1: there is no such thread. */
static int blocks_signals(const char *name)
{
	char path[300], line[256], comm[64] = "";
	DIR *d = opendir("/proc/self/task");
	unsigned long long mask = 0;
	struct dirent *e;
	int blocks = -1;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			sscanf(line, "Name: %63s", comm);
			if (sscanf(line, "SigBlk: %llx", &mask) == 1 && !strcmp(comm, name))
				blocks = (mask & (1 << 1 | 1 << 14)) == (1 << 1 | 1 << 14);
		}
		if (f)
			fclose(f);
	}
	closedir(d);
	return blocks;
}

START_TEST(signals_are_for_others)
{
	const struct reclaim_config cfg = {.kind = RECLAIM_THREAD};
	struct reclaim *r;
	sigset_t before, after;

	setup(NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	r = reclaim_create(&mem, &cfg, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert_int_eq(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	ck_assert_int_eq(blocks_signals("reclaim"), 1);
	reclaim_destroy(r);
	ck_assert_int_eq(blocks_signals("reclaim"), -1);
	teardown();
}
END_TEST

UNIT_MAIN("create", every_kind_lives_and_leaves_nothing, every_allocation_fails,
	  no_thread_to_be_had, no_ring_to_be_had, auto_goes_on_without_a_ring,
	  a_backend_of_the_callers, bound_of_the_backlog, huge_pages_are_known,
	  signals_are_for_others)
