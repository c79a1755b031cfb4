// SPDX-License-Identifier: Apache-2.0
/*
 * IORING_OP_MADVISE and IORING_OP_FALLOCATE (Linux 5.6; io_uring/advise.c, io_uring/sync.c).
 * The kernel always runs them on its io-wq threads, which costs a wake-up each: worth it for
 * long runs only.
 *
 * Two things must never happen: a request that is forgotten (the engine would wait for ever),
 * and one that the kernel carries out after we gave it up and did it ourselves (the page may be
 * the guest's by then). So entries that the kernel didn't take are never left in a ring that is
 * entered again: when submitting fails for good, those in flight are waited for and the ring is
 * closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <time.h>

#include "vmm/base/clock.h"
#include "vmm/base/log.h"
#include "vmm/reclaim/backend.h"

#define DEPTH	 8u
#define WORKERS	 1u /* a second would mostly wait for the first, for locks of the kernel's */
#define LONG_RUN (1ull << 20) /* bytes; below, a ring costs more than it saves */
#define TRIES	 100
#define TRY_NS	 100000

struct uring {
	struct io_uring ring;
	bool open;
	struct discard_run *flight[DEPTH]; /* in the order submitted */
	unsigned nflight;
	struct discard discard;
	struct discard_counters *counters;
};

static bool has_ops(struct io_uring *ring)
{
	struct io_uring_probe *p = io_uring_get_probe_ring(ring);
	bool ok = p && io_uring_opcode_supported(p, IORING_OP_MADVISE) &&
		  io_uring_opcode_supported(p, IORING_OP_FALLOCATE);

	if (p)
		io_uring_free_probe(p);
	return ok;
}

void *backend_uring_create(struct discard_counters *counters, int *rc)
{
	unsigned workers[2] = {WORKERS, WORKERS};
	struct uring *u = calloc(1, sizeof(*u));

	if (!u) {
		*rc = -ENOMEM;
		return NULL;
	}
	*rc = io_uring_queue_init(DEPTH, &u->ring, 0);
	if (!*rc && !has_ops(&u->ring)) {
		io_uring_queue_exit(&u->ring);
		*rc = -EOPNOTSUPP;
	}
	if (*rc) {
		free(u);
		return NULL;
	}
	/* Linux 5.15. Without it the kernel's own bound holds, and DEPTH. */
	io_uring_register_iowq_max_workers(&u->ring, workers);
	u->open = true;
	u->counters = counters;
	discard_init(&u->discard, counters);
	return u;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
}

static void finish(struct uring *u, struct discard_run *run, int res)
{
	unsigned i = 0;

	while (u->flight[i] != run)
		i++;
	for (u->nflight--; i < u->nflight; i++)
		u->flight[i] = u->flight[i + 1];
	if (res >= 0) {
		run->rc = 0;
		run->done = true;
		return;
	}
	__atomic_fetch_add((uint64_t *)&u->counters->fallbacks, 1, __ATOMIC_RELAXED);
	discard_one(&u->discard, run);
}

static bool reap_ready(struct uring *u)
{
	struct io_uring_cqe *cqe;
	bool any = false;

	while (u->nflight && !io_uring_peek_cqe(&u->ring, &cqe) && cqe) {
		struct discard_run *run = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		finish(u, run, res);
		any = true;
	}
	return any;
}

/*
 * Completions arrive in memory that we share with the kernel, so even where waiting is refused
 * they are seen, only later.
 */
static void reap_one(struct uring *u)
{
	while (!reap_ready(u)) {
		struct io_uring_cqe *cqe;

		if (io_uring_wait_cqe(&u->ring, &cqe))
			pause_briefly();
	}
}

static void close_ring(struct uring *u)
{
	while (u->nflight)
		reap_one(u);
	io_uring_queue_exit(&u->ring);
	u->open = false;
}

static void prepare(struct uring *u, struct discard_run *run)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	/* The ring has DEPTH entries and no more are in use: there is one. */
	if (run->fd >= 0)
		io_uring_prep_fallocate(sqe, run->fd,
					FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)run->fd_off, (off_t)run->len);
	else
		io_uring_prep_madvise(sqe, run->hva, (off_t)run->len, run->advice);
	io_uring_sqe_set_data(sqe, run);
	u->flight[u->nflight++] = run;
	__atomic_fetch_add((uint64_t *)&u->counters->calls, 1, __ATOMIC_RELAXED);
}

/* Make the kernel take what was prepared. If it won't, do that here and give up the ring. */
static void enter(struct uring *u)
{
	struct discard_run *left[DEPTH];
	unsigned n;

	for (int tries = TRIES; tries; tries--) {
		int rc = io_uring_submit(&u->ring);

		if (!io_uring_sq_ready(&u->ring))
			return;
		if (rc < 0 && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY && rc != -ENOMEM)
			break;
		reap_ready(u);
		pause_briefly();
	}
	log_warn("reclaim: io_uring doesn't take requests any more; going on without it");
	n = io_uring_sq_ready(&u->ring);
	u->nflight -= n;
	for (unsigned i = 0; i < n; i++)
		left[i] = u->flight[u->nflight + i];
	close_ring(u);
	__atomic_fetch_add((uint64_t *)&u->counters->fallbacks, n, __ATOMIC_RELAXED);
	discard_many(&u->discard, left, n);
}

/* The ring's length field has 32 bits; the engine's runs are far shorter, but for its units. */
static bool for_ring(const struct uring *u, const struct discard_run *run)
{
	return u->open && u->nflight < DEPTH && run->len >= LONG_RUN && run->len <= UINT32_MAX;
}

static void uring_submit(void *backend, struct discard_run *const run[], unsigned n)
{
	struct uring *u = backend;
	struct discard_run *inline_run[256];
	unsigned before = u->nflight, k = 0;

	for (unsigned i = 0; i < n; i++) {
		if (for_ring(u, run[i]))
			prepare(u, run[i]);
	}
	if (u->nflight != before)
		enter(u);
	for (unsigned i = 0; i < n; i++) {
		bool flying = run[i]->done;

		for (unsigned j = 0; j < u->nflight && !flying; j++)
			flying = u->flight[j] == run[i];
		if (flying)
			continue;
		inline_run[k++] = run[i];
		if (k == sizeof(inline_run) / sizeof(inline_run[0])) {
			discard_many(&u->discard, inline_run, k);
			k = 0;
		}
	}
	discard_many(&u->discard, inline_run, k);
}

static void uring_reap(void *backend)
{
	struct uring *u = backend;

	if (u->nflight)
		reap_one(u);
}

static void uring_now(void *backend, struct discard_run *const run[], unsigned n)
{
	struct uring *u = backend;

	discard_many(&u->discard, run, n);
}

static void uring_destroy(void *backend)
{
	struct uring *u = backend;

	if (!u)
		return;
	if (u->open)
		close_ring(u);
	discard_fini(&u->discard);
	free(u);
}

const struct backend_ops backend_uring = {
	.name = "uring",
	.submit = uring_submit,
	.reap = uring_reap,
	.now = uring_now,
	.destroy = uring_destroy,
};
