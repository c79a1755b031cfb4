// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/audit.h"

#include <string.h>
#include <sys/mman.h>

#include "tests/unit/gmem_kinds.h"
#include "tests/unit/unit.h"
#include "vmm/reclaim/reclaim.h"

/* The first region is more than a step, and its end isn't a step's. */
static const struct gmem_span spans[] = {{0, 300 * MIB}, {4 * GIB, 4 * MIB}};
#define LOW_PAGES (300 * 256ull)
#define NPAGES	  (LOW_PAGES + 1024)

static struct gmem m;
static bool gone[NPAGES];
static unsigned asked;

static bool is_gone(void *opaque, uint64_t index)
{
	ck_assert_ptr_eq(opaque, gone);
	ck_assert_uint_lt(index, NPAGES);
	asked++;
	return gone[index];
}

static struct audit audit(unsigned steps)
{
	struct audit a = {0};
	uint64_t at = 0;
	unsigned n = 1;
	int rc;

	asked = 0;
	while ((rc = audit_step(&m, is_gone, gone, &at, &a)) > 0)
		n++;
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(n, steps);
	ck_assert_uint_eq(at, NPAGES);
	ck_assert_int_eq(audit_step(&m, is_gone, gone, &at, &a), 0);
	return a;
}

static void touch(uint64_t index)
{
	*gmem_index_to_hva(&m, index) = 1;
}

START_TEST(pages_in_use_again_are_counted)
{
	static const uint64_t where[] = {
		0, 1, 63, 16383, 16384, 70000, LOW_PAGES - 1, LOW_PAGES, NPAGES - 1};
	const size_t n = sizeof(where) / sizeof(where[0]);

	for (size_t k = 0; k < GMEM_KINDS; k++) {
		const struct gmem_config *c = &gmem_kinds[k].config;

		if (c->backing == GMEM_HUGETLB || c->thp == GMEM_THP_ON)
			continue; /* a page brings its neighbours along */
		ck_assert_int_eq(gmem_create_with(&m, spans, 2, c, NULL), 0);
		for (unsigned i = 0; i < m.nregions && c->backing == GMEM_ANON; i++)
			madvise(m.region[i].hva, m.region[i].len, MADV_NOHUGEPAGE);
		memset(gone, 1, sizeof(gone));
		ck_assert_uint_eq(audit(6).resident, 0);
		ck_assert_uint_eq(asked, 0);
		for (size_t i = 0; i < n; i++)
			touch(where[i]);
		ck_assert_uint_eq(audit(6).resident, n);
		ck_assert_uint_eq(asked, n);
		/* Of the guest's own pages nobody complains. */
		gone[1] = gone[70000] = gone[NPAGES - 1] = false;
		ck_assert_uint_eq(audit(6).resident, n - 3);
		ck_assert_int_eq(gmem_discard_all(&m), 0);
		ck_assert_uint_eq(audit(6).resident, 0);
		gmem_destroy(&m);
	}
}
END_TEST

START_TEST(huge_pages)
{
	static const struct gmem_config c = {.backing = GMEM_HUGETLB, .hugepage = 2 * MIB};

	if (backing_hugepages_free(2 * MIB) < 152) {
		printf("skip - hugetlb: not on this host\n");
		return;
	}
	ck_assert_int_eq(gmem_create_with(&m, spans, 2, &c, NULL), 0);
	memset(gone, 1, sizeof(gone));
	ck_assert_uint_eq(audit(6).resident, 0);
	touch(513);
	touch(LOW_PAGES);
	ck_assert_uint_eq(audit(6).resident, 1024);
	gmem_destroy(&m);
}
END_TEST

/* What the engine gave to the host, and nothing else, is looked for. */
START_TEST(of_the_engine)
{
	static const struct reclaim_config sync = {.kind = RECLAIM_SYNC};
	static uint32_t pfn[1024];
	struct reclaim_bad bad = {0};
	struct audit a = {0};
	struct reclaim *r;
	uint64_t at = 0;
	int rc;

	ck_assert_int_eq(gmem_create(&m, spans, 2, NULL), 0);
	for (unsigned i = 0; i < m.nregions; i++)
		madvise(m.region[i].hva, m.region[i].len, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < NPAGES; i += 512)
		touch(i);
	r = reclaim_create(&m, &sync, NULL);
	ck_assert_ptr_nonnull(r);
	for (uint32_t i = 0; i < 1024; i++)
		pfn[i] = 1024 + i;
	reclaim_take(r, pfn, 1024, &bad);
	reclaim_barrier(r);
	ck_assert_uint_eq(bad.n, 0);
	while ((rc = reclaim_audit(r, &at, &a)) > 0)
		;
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(a.pages, 1024);
	ck_assert_uint_eq(a.resident, 0);
	touch(1024);
	touch(2047);
	touch(2048);
	reclaim_give(r, pfn, 1, &bad);
	a = (struct audit){0};
	at = 0;
	while ((rc = reclaim_audit(r, &at, &a)) > 0)
		;
	ck_assert_uint_eq(a.pages, 1023);
	ck_assert_uint_eq(a.resident, 1);
	reclaim_destroy(r);
	gmem_destroy(&m);
}
END_TEST

UNIT_MAIN("audit", pages_in_use_again_are_counted, huge_pages, of_the_engine)
