// SPDX-License-Identifier: Apache-2.0
/*
 * Random scripts against the reclaim engine, with a backend that completes late, out of order
 * and with errors. A script is known by its seed; MODEL_SEEDS of them run, from MODEL_SEED on.
 *
 * The rule that is checked above all: when a discard completes, no page of it is the guest's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/base/clock.h"
#include "vmm/reclaim/internal.h"

#define SEEDS	   500
#define OPS	   150
#define LOW_PAGES  2048u
#define HIGH_PAGES 1024u
#define HIGH_PFN   0x100000u
#define NPAGES	   (LOW_PAGES + HIGH_PAGES)
#define LIST_MAX   700u

static struct gmem mem;

struct model {
	uint64_t seed, rng;
	struct reclaim *r;
	bool owned[NPAGES];	/* the guest may use it */
	uint64_t value[NPAGES]; /* what it must hold then */
	uint64_t given, doubles, strays, bad;
	unsigned error_percent;
	struct discard_run *late[FLIGHTS_MAX];
	unsigned nlate, helps;
};

static struct model m;

static uint64_t rnd(uint64_t bound)
{
	m.rng ^= m.rng << 13;
	m.rng ^= m.rng >> 7;
	m.rng ^= m.rng << 17;
	return m.rng % bound;
}

/* Cheap when true: Check writes a message for each of its own assertions. */
#define OK(cond)                                                                               \
	do {                                                                                   \
		if (!(cond))                                                                   \
			ck_abort_msg("seed %llu: %s", (unsigned long long)m.seed, #cond);      \
	} while (0)

static uint64_t *word_of(uint64_t page)
{
	return (uint64_t *)gmem_index_to_hva(&mem, page);
}

static uint64_t page_of(const uint8_t *hva)
{
	for (unsigned i = 0; i < mem.nregions; i++) {
		const struct gmem_region *g = &mem.region[i];

		if (hva >= g->hva && hva < g->hva + g->len)
			return g->index + (uint64_t)(hva - g->hva) / GMEM_PAGE_SIZE;
	}
	OK(!"a discard outside guest memory");
	return 0;
}

/* ---- the backend ---- */

static void complete(struct discard_run *run)
{
	uint64_t page = page_of(run->hva), n = run->len / GMEM_PAGE_SIZE;
	unsigned unit = 1u << (mem.region[0].page_shift - GMEM_PAGE_SHIFT);

	OK(n && !(run->len % GMEM_PAGE_SIZE));
	OK(page_of(run->hva + run->len - 1) == page + n - 1);
	OK(!(page % unit) && !(n % unit));
	run->rc = rnd(100) < m.error_percent ? -EINVAL : 0;
	/* A discard that fails has done a part. */
	if (run->rc)
		n = rnd(n);
	for (uint64_t i = 0; i < n; i++) {
		OK(!m.owned[page + i]);
		*word_of(page + i) = 0;
	}
	run->done = true;
}

static void fake_submit(void *backend, struct discard_run *const run[], unsigned n)
{
	(void)backend;
	OK(n && n <= FLIGHTS_MAX);
	for (unsigned i = 0; i < n; i++) {
		OK(!run[i]->done);
		if (rnd(3))
			m.late[m.nlate++] = run[i];
		else
			complete(run[i]);
	}
}

static void fake_reap(void *backend)
{
	unsigned n = 1 + (unsigned)rnd(4);

	(void)backend;
	OK(m.nlate);
	while (n-- && m.nlate) {
		unsigned i = (unsigned)rnd(m.nlate);

		complete(m.late[i]);
		m.late[i] = m.late[--m.nlate];
	}
}

/* A caller helps; the engine's thread may do a round of its own meanwhile. */
static void fake_now(void *backend, struct discard_run *const run[], unsigned n)
{
	(void)backend;
	OK(n && n <= HELP_FLIGHTS);
	if (!rnd(3)) {
		pthread_mutex_lock(&m.r->lock);
		if (!m.r->stepping)
			reclaim_step(m.r);
		pthread_mutex_unlock(&m.r->lock);
	}
	for (unsigned i = 0; i < n; i++) {
		OK(!run[i]->done);
		complete(run[i]);
	}
	m.helps++;
}

static void fake_destroy(void *backend)
{
	(void)backend;
	OK(!m.nlate);
}

static const struct backend_ops fake = {
	.name = "fake",
	.submit = fake_submit,
	.reap = fake_reap,
	.now = fake_now,
	.destroy = fake_destroy,
};

/* ---- the guest ---- */

static uint32_t pfn_of(uint64_t page)
{
	return (uint32_t)(page < LOW_PAGES ? page : HIGH_PFN + page - LOW_PAGES);
}

/* A list of pages as guests send them: up, down, shuffled, with repetitions. */
static size_t random_list(uint64_t page[LIST_MAX])
{
	size_t n = rnd(4) ? 1 + rnd(LIST_MAX) : 1;
	uint64_t at = rnd(NPAGES);
	unsigned kind = (unsigned)rnd(4);

	for (size_t i = 0; i < n; i++) {
		switch (kind) {
		case 0:
			page[i] = (at + i) % NPAGES;
			break;
		case 1:
			page[i] = (at + NPAGES - i) % NPAGES;
			break;
		case 2:
			page[i] = (at + i * 2) % NPAGES;
			break;
		default:
			page[i] = rnd(NPAGES);
		}
	}
	return n;
}

static void check_owned(void)
{
	for (uint64_t i = 0; i < NPAGES; i++)
		OK(!m.owned[i] || *word_of(i) == m.value[i]);
}

static void op_inflate(void)
{
	uint64_t page[LIST_MAX];
	uint32_t pfn[LIST_MAX];
	struct reclaim_bad bad = {0};
	size_t n = random_list(page), nbad = 0;

	for (size_t i = 0; i < n; i++) {
		pfn[i] = pfn_of(page[i]);
		if (!rnd(50)) {
			pfn[i] = LOW_PAGES + (uint32_t)rnd(HIGH_PFN - LOW_PAGES);
			nbad++;
			continue;
		}
		if (m.owned[page[i]])
			m.given++;
		else
			m.doubles++;
		/* From the moment it tells, the page isn't the guest's. */
		m.owned[page[i]] = false;
	}
	reclaim_take(m.r, pfn, n, &bad);
	OK(bad.n == nbad);
	m.bad += nbad;
}

static void op_deflate(void)
{
	uint64_t page[LIST_MAX];
	uint32_t pfn[LIST_MAX];
	struct reclaim_bad bad = {0};
	size_t n = random_list(page);

	for (size_t i = 0; i < n; i++)
		pfn[i] = pfn_of(page[i]);
	reclaim_give(m.r, pfn, n, &bad);
	OK(!bad.n);
	for (size_t i = 0; i < n; i++) {
		if (m.owned[page[i]]) {
			m.strays++;
			continue;
		}
		m.given--;
		m.owned[page[i]] = true;
		m.value[page[i]] = *word_of(page[i]);
	}
}

static void op_touch(void)
{
	for (unsigned i = 0; i < 200; i++) {
		uint64_t p = rnd(NPAGES);

		if (m.owned[p])
			*word_of(p) = m.value[p] = m.rng | 1;
	}
}

/* Time is what the test says: messages come one after the other, or have stopped. */
static void op_time(void)
{
	m.r->take_ns = rnd(2) ? clock_now_ns() : 0;
	if (rnd(2))
		m.r->age_round_ns = 0;
	if (!rnd(4))
		m.r->parked_ns = 0;
}

static void op_step(void)
{
	op_time();
	pthread_mutex_lock(&m.r->lock);
	reclaim_step(m.r);
	pthread_mutex_unlock(&m.r->lock);
}

static void op_barrier(void)
{
	struct reclaim_stats s;

	reclaim_barrier(m.r);
	reclaim_stats(m.r, &s);
	OK(!s.discarding && s.pages.pending == s.pages.parked);
	OK(s.pages.ballooned == s.pages.pending + s.pages.held + s.pages.discarded);
	if (m.error_percent)
		return;
	OK(!s.pages.parked);
	if (s.pages.held)
		return;
	for (uint64_t i = 0; i < NPAGES; i++)
		OK(m.owned[i] || !*word_of(i));
}

static void op_reset(void)
{
	reclaim_reset(m.r);
	OK(!m.nlate);
	for (uint64_t i = 0; i < NPAGES; i++) {
		if (!m.owned[i])
			m.value[i] = *word_of(i);
		m.owned[i] = true;
	}
	m.given = 0;
}

static void check_counts(void)
{
	struct reclaim_stats s;

	reclaim_stats(m.r, &s);
	OK(s.pages.ballooned == m.given && s.pages.ballooned == reclaim_ballooned(m.r));
	OK(s.pages.double_inflates == m.doubles && s.pages.stray_deflates == m.strays);
	OK(s.bad_pfns == m.bad);
	OK(s.pages.parked <= s.pages.pending);
	OK(s.pages.pending + s.pages.held <= s.pages.ballooned);
	/* Parked pages that count again come on top. */
	OK(m.error_percent || s.backlog_peak <= s.backlog_max);
}

static void run_op(void)
{
	static void (*const op[])(void) = {
		op_inflate, op_inflate, op_inflate, op_deflate, op_deflate, op_touch,
		op_step,    op_step,	op_step,    op_step,	op_barrier,
	};

	if (rnd(60))
		op[rnd(sizeof(op) / sizeof(op[0]))]();
	else
		op_reset();
}

static unsigned run_seed(uint64_t seed)
{
	const struct reclaim_config cfg = {.kind = RECLAIM_SYNC,
					   .backlog_max = RECLAIM_BACKLOG_MIN};

	/* Hosts with pages of 4, 16 and 64 KiB, and hugetlb. */
	static const unsigned shifts[] = {21, 12, 12, 14, 21, 12, 12, 16};

	memset(&m, 0, sizeof(m));
	m.seed = seed;
	m.rng = seed * 0x9e3779b97f4a7c15ull | 1;
	for (unsigned i = 0; i < 10; i++)
		rnd(2);
	m.error_percent = rnd(3) ? 0 : 20;
	for (unsigned i = 0; i < mem.nregions; i++)
		mem.region[i].page_shift = shifts[seed % 8];
	m.r = reclaim_create_with(&mem, &cfg, &fake, NULL);
	OK(m.r);
	if (mem.region[0].page_shift != GMEM_PAGE_SHIFT)
		m.r->backlog_max = NPAGES; /* a unit more, see reclaim.h */
	else if (seed % 3)
		m.r->backlog_max = 600; /* soon full */
	for (uint64_t i = 0; i < NPAGES; i++) {
		m.owned[i] = true;
		*word_of(i) = m.value[i] = seed + i;
	}
	for (unsigned i = 0; i < OPS; i++) {
		run_op();
		check_counts();
		if (!(i % 16))
			check_owned();
	}
	check_owned();
	op_barrier();
	check_owned();
	reclaim_destroy(m.r);
	return m.helps;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : otherwise;
}

START_TEST(no_page_of_the_guest_is_ever_discarded)
{
	const struct gmem_span spans[] = {{0, LOW_PAGES * GMEM_PAGE_SIZE},
					  {4ull << 30, HIGH_PAGES * GMEM_PAGE_SIZE}};
	uint64_t first = setting("MODEL_SEED", 1), n = setting("MODEL_SEEDS", SEEDS);
	unsigned helps = 0;

	log_set_level(LOG_ERROR);
	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	for (uint64_t seed = first; seed < first + n; seed++)
		helps += run_seed(seed);
	/* Or else the scripts have become too tame to fill the backlog. */
	ck_assert(n < SEEDS || helps > 100);
	gmem_destroy(&mem);
}
END_TEST

UNIT_MAIN("engine_model", no_page_of_the_guest_is_ever_discarded)
