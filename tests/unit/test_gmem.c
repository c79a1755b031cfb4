// SPDX-License-Identifier: Apache-2.0
#include "vmm/mem/gmem.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/unit/gmem_kinds.h"
#include "tests/unit/unit.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/size.h"

/* Low memory, a hole, high memory, as on a PC. */
static const struct gmem_span spans[] = {{0, 8 * MIB}, {4 * GIB, 4 * MIB}};
#define LOW_PAGES  2048
#define HIGH_PFN   (4 * GIB >> GMEM_PAGE_SHIFT)
#define HIGH_PAGES 1024

static struct gmem m;

static void setup(void)
{
	struct err e;

	ck_assert_int_eq(gmem_create(&m, spans, 2, &e), 0);
}

START_TEST(test_layout)
{
	setup();
	ck_assert_uint_eq(m.nregions, 2);
	ck_assert_uint_eq(m.npages, LOW_PAGES + HIGH_PAGES);
	ck_assert_uint_eq(m.region[1].index, LOW_PAGES);
	gmem_destroy(&m);
	ck_assert_uint_eq(m.nregions, 0);
	gmem_destroy(&m);
}
END_TEST

START_TEST(test_ptr)
{
	uint8_t *low, *high;

	setup();
	low = gmem_ptr(&m, 0, 8 * MIB);
	high = gmem_ptr(&m, 4 * GIB, 4 * MIB);
	ck_assert_ptr_eq(low, m.region[0].hva);
	ck_assert_ptr_eq(high, m.region[1].hva);
	ck_assert_ptr_eq(gmem_ptr(&m, 5, 1), low + 5);
	ck_assert_ptr_eq(gmem_ptr(&m, 8 * MIB - 1, 1), low + 8 * MIB - 1);
	ck_assert_ptr_eq(gmem_ptr(&m, 4 * GIB + 4095, 2), high + 4095);
	/* Writable to the last byte. */
	low[8 * MIB - 1] = high[4 * MIB - 1] = 1;
	gmem_destroy(&m);
}
END_TEST

START_TEST(test_ptr_refuses)
{
	static const struct gmem_span bad[] = {
		{0, 0},
		{0, 8 * MIB + 1},
		{8 * MIB - 1, 2},
		{8 * MIB, 1},
		{4 * GIB - 1, 1},
		{4 * GIB - 1, 2},
		{4 * GIB, 4 * MIB + 1},
		{4 * GIB + 4 * MIB - 1, 2},
		{4 * GIB + 4 * MIB, 1},
		{1, UINT64_MAX},
		{4 * GIB, UINT64_MAX},
		{UINT64_MAX, 1},
		{UINT64_MAX, UINT64_MAX},
		{0, 4 * GIB + MIB},
	};

	setup();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_ptr_null(gmem_ptr(&m, bad[i].gpa, bad[i].len));
	gmem_destroy(&m);
	ck_assert_ptr_null(gmem_ptr(&m, 0, 1));
}
END_TEST

START_TEST(test_index)
{
	static const uint64_t not_ram[] = {LOW_PAGES,
					   HIGH_PFN - 1,
					   HIGH_PFN + HIGH_PAGES,
					   UINT64_MAX,
					   UINT64_MAX >> GMEM_PAGE_SHIFT,
					   1ull << 52};
	uint64_t index;

	setup();
	for (uint64_t i = 0; i < m.npages; i++) {
		uint64_t pfn = i < LOW_PAGES ? i : HIGH_PFN + i - LOW_PAGES;

		ck_assert(gmem_pfn_to_index(&m, pfn, &index));
		ck_assert_uint_eq(index, i);
		ck_assert_ptr_eq(gmem_index_to_hva(&m, i),
				 gmem_ptr(&m, pfn << GMEM_PAGE_SHIFT, GMEM_PAGE_SIZE));
	}
	for (size_t i = 0; i < sizeof(not_ram) / sizeof(not_ram[0]); i++)
		ck_assert(!gmem_pfn_to_index(&m, not_ram[i], &index));
	ck_assert_uint_eq(gmem_index_span(&m, 0), LOW_PAGES);
	ck_assert_uint_eq(gmem_index_span(&m, LOW_PAGES - 1), 1);
	ck_assert_uint_eq(gmem_index_span(&m, LOW_PAGES), HIGH_PAGES);
	ck_assert_uint_eq(gmem_index_span(&m, LOW_PAGES + 24), HIGH_PAGES - 24);
	gmem_destroy(&m);
}
END_TEST

START_TEST(test_discard_all)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		struct err e;

		if (!gmem_kind_possible(k, 12 * MIB))
			continue;
		ck_assert_msg(!gmem_create_with(&m, spans, 2, &gmem_kinds[k].config, &e), "%s",
			      e.msg);
		for (unsigned i = 0; i < m.nregions; i++)
			memset(m.region[i].hva, 0x5a, m.region[i].len);
		ck_assert_uint_eq(gmem_resident(&m), 12 * MIB);
		ck_assert_int_eq(gmem_discard_all(&m), 0);
		ck_assert_uint_eq(gmem_resident(&m), 0);
		for (unsigned i = 0; i < m.nregions; i++) {
			ck_assert_uint_eq(m.region[i].hva[0], 0);
			ck_assert_uint_eq(m.region[i].hva[m.region[i].len - 1], 0);
		}
		gmem_destroy(&m);
	}
}
END_TEST

START_TEST(test_discard_all_without_the_advice)
{
	static const struct gmem_config locked = {.lock = true};

	ck_assert_int_eq(gmem_create_with(&m, spans, 2, &locked, NULL), 0);
	/* A kernel before 5.18. */
	m.discards = false;
	m.region[0].dontneed = m.region[1].dontneed = MADV_DONTNEED;
	memset(m.region[1].hva, 1, m.region[1].len);
	ck_assert_int_eq(gmem_discard_all(&m), 0);
	ck_assert_uint_eq(m.region[1].hva[0], 0);
	gmem_destroy(&m);
}
END_TEST

START_TEST(test_prealloc)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		struct gmem_config c = gmem_kinds[k].config;

		if (!gmem_kind_possible(k, 12 * MIB))
			continue;
		c.prealloc = true;
		ck_assert_int_eq(gmem_create_with(&m, spans, 2, &c, NULL), 0);
		ck_assert_uint_eq(gmem_resident(&m), 12 * MIB);
		/* A reboot begins with all memory, too. */
		m.region[0].hva[5] = 1;
		ck_assert_int_eq(gmem_discard_all(&m), 0);
		ck_assert_uint_eq(gmem_resident(&m), 12 * MIB);
		ck_assert_uint_eq(m.region[0].hva[5], 0);
		gmem_destroy(&m);
	}
}
END_TEST

START_TEST(test_query)
{
	static const struct gmem_config memfd = {
		.backing = GMEM_MEMFD, .thp = GMEM_THP_OFF, .prealloc = true, .lock = true};
	struct gmem_info info;

	setup();
	gmem_query(&m, &info);
	ck_assert_str_eq(info.backing, "anon");
	ck_assert_str_eq(info.thp, "default");
	ck_assert_uint_eq(info.host_page, 4096);
	ck_assert(!info.prealloc && !info.lock && m.discards);
	ck_assert_uint_eq(info.nwarnings, 0);
	m.discards = false;
	gmem_query(&m, &info);
	ck_assert_uint_eq(info.nwarnings, 1);
	ck_assert_ptr_nonnull(strstr(info.warning[0], "locked memory"));
	gmem_destroy(&m);

	ck_assert_int_eq(gmem_create_with(&m, spans, 2, &memfd, NULL), 0);
	gmem_query(&m, &info);
	ck_assert_str_eq(info.backing, "memfd");
	ck_assert_str_eq(info.thp, "off");
	ck_assert(info.prealloc && info.lock && m.discards);
	ck_assert_uint_eq(info.nwarnings, 1);
	gmem_destroy(&m);

	/* All at once, and there is room for it. */
	m = (struct gmem){.config = {.backing = GMEM_HUGETLB, .prealloc = true},
			  .region = {{.page_shift = 30}}};
	gmem_query(&m, &info);
	ck_assert_str_eq(info.backing, "hugetlb");
	ck_assert_str_eq(info.thp, "none");
	ck_assert_uint_eq(info.host_page, GIB);
	ck_assert_uint_eq(info.nwarnings, 3);
}
END_TEST

static void refused(const struct gmem_span *s, const struct gmem_config *c, int rc,
		    const char *says)
{
	struct err e;

	ck_assert_int_eq(gmem_create_with(&m, s, 1, c, &e), rc);
	ck_assert_msg(strstr(e.msg, says) != NULL, "%s", e.msg);
	ck_assert_uint_eq(m.nregions, 0);
	ck_assert_uint_eq(m.npages, 0);
}

START_TEST(test_huge_pages_that_cannot_be_had)
{
	static const struct gmem_config two = {.backing = GMEM_HUGETLB, .hugepage = 2 * MIB};
	static const struct gmem_config odd = {.backing = GMEM_HUGETLB, .hugepage = 8 * MIB};
	static const struct gmem_span whole = {0, 1ull << 46};
	static const struct gmem_span part = {0, 3 * MIB};
	static const struct gmem_span eight = {0, 8 * MIB};

	refused(&part, &two, -EINVAL, "give a multiple of 2.0 MiB for backing=hugetlb");
	refused(&eight, &odd, -EOPNOTSUPP, "this host has no huge pages of 8.0 MiB");
	if (backing_hugepages_free(2 * MIB) < 0)
		return;
	refused(&whole, &two, -ENOMEM, "needs 33554432 huge pages of 2.0 MiB, and ");
}
END_TEST

#define THP "/sys/kernel/mm/transparent_hugepage/"

/*
 * Whatever this host allows, it shows "never" here from now on: to this process, in a mount
 * namespace of its own. False without the privilege.
 */
static bool forbid_shared_thp(void)
{
	static const char never[] = "always within_size advise [never] deny force\n";
	char file[] = "/tmp/aerostat-test-thp.XXXXXX";
	int fd = mkstemp(file);
	bool ok;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, never, sizeof(never) - 1), sizeof(never) - 1);
	close(fd);
	ok = !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	     !mount(file, THP "shmem_enabled", NULL, MS_BIND, NULL) &&
	     (access(THP "hugepages-2048kB/shmem_enabled", F_OK) ||
	      !mount(file, THP "hugepages-2048kB/shmem_enabled", NULL, MS_BIND, NULL));
	unlink(file);
	return ok;
}

START_TEST(test_transparent_huge_pages_need_the_host)
{
	static const struct gmem_config file = {.backing = GMEM_MEMFD, .thp = GMEM_THP_ON};
	static const struct gmem_span s = {0, 4 * MIB};
	const char *path;

	if (backing_thp_allowed(GMEM_MEMFD, &path) && !forbid_shared_thp()) {
		printf("skip - this host gives huge pages to shared memory\n");
		return;
	}
	refused(&s, &file, -EOPNOTSUPP,
		"thp=on: this host gives no transparent huge pages to shared memory; see "
		"/sys/kernel/mm/transparent_hugepage/");
}
END_TEST

START_TEST(test_too_much)
{
	struct gmem_span big[] = {{0, 4 * MIB}, {4 * GIB, 1ull << 62}};
	struct err e;

	ck_assert_int_eq(gmem_create(&m, big, 2, &e), -ENOMEM);
	ck_assert_ptr_nonnull(strstr(e.msg, "4.0 EiB of guest memory"));
	ck_assert_uint_eq(m.nregions, 0);
	ck_assert_uint_eq(m.npages, 0);
}
END_TEST

/* The pages from first to last, and no others, are in the log. */
static void check_dirty(uint64_t first, uint64_t last)
{
	const uint64_t *map = gmem_dirty_map(&m);

	ck_assert_ptr_nonnull(map);
	ck_assert_uint_eq(bitmap_next(map, m.npages, 0, true), first);
	ck_assert_uint_eq(bitmap_next(map, m.npages, first, false), last + 1);
	ck_assert_uint_eq(bitmap_next(map, m.npages, last + 1, true), m.npages);
}

START_TEST(test_dirty)
{
	static const struct {
		uint64_t gpa, len, first, last;
	} cases[] = {
		{0, 1, 0, 0},
		{4095, 1, 0, 0},
		{4095, 2, 0, 1},
		{63 * 4096, 2 * 4096, 63, 64},
		{1, 8 * MIB - 1, 0, LOW_PAGES - 1},
		{8 * MIB - 1, 1, LOW_PAGES - 1, LOW_PAGES - 1},
		{4 * GIB, 1, LOW_PAGES, LOW_PAGES},
		{4 * GIB + 4 * MIB - 4097, 4097, LOW_PAGES + HIGH_PAGES - 2,
		 LOW_PAGES + HIGH_PAGES - 1},
	};

	setup();
	gmem_dirty(&m, 0, 1); /* nobody wants to know */
	ck_assert_ptr_null(gmem_dirty_map(&m));
	gmem_dirty_stop(&m);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(gmem_dirty_start(&m), 0);
		ck_assert_uint_eq(bitmap_next(gmem_dirty_map(&m), m.npages, 0, true), m.npages);
		gmem_dirty(&m, cases[i].gpa, cases[i].len);
		check_dirty(cases[i].first, cases[i].last);
		gmem_dirty_stop(&m);
		ck_assert_ptr_null(gmem_dirty_map(&m));
		gmem_dirty(&m, 0, 1);
	}
	gmem_destroy(&m);
}
END_TEST

/* A device that saw the log just before its end marks a page after it; the next log is empty
 * nevertheless. */
START_TEST(test_dirty_late_mark)
{
	uint64_t *map;

	setup();
	ck_assert_int_eq(gmem_dirty_start(&m), 0);
	map = m.dirty;
	gmem_dirty_stop(&m);
	gmem_dirty_mark(&m, map, 4096, 1);
	ck_assert_int_eq(gmem_dirty_start(&m), 0);
	ck_assert_uint_eq(bitmap_next(gmem_dirty_map(&m), m.npages, 0, true), m.npages);
	gmem_dirty_stop(&m);
	gmem_destroy(&m);
}
END_TEST

#define SHARED_WORDS 2048u

static unsigned marker_at[2]; /* the word that each of the two is at */

/* Marks every other page, side by side with the other one. */
static void *mark_every_other(void *arg)
{
	unsigned me = arg ? 1 : 0, spins = 0;

	for (unsigned w = 0; w < SHARED_WORDS; w++) {
		__atomic_store_n(&marker_at[me], w, __ATOMIC_SEQ_CST);
		/* Mostly without sleep, or the two never meet. */
		while (__atomic_load_n(&marker_at[!me], __ATOMIC_SEQ_CST) < w) {
			if (!(++spins % 10000))
				sched_yield();
		}
		for (uint64_t i = 64 * w + me; i < 64 * (w + 1); i += 2)
			gmem_dirty(&m, i << GMEM_PAGE_SHIFT, 8);
	}
	return NULL;
}

/* Two devices whose pages share words of the map lose none of each other's. */
START_TEST(test_dirty_by_two)
{
	static const struct gmem_span big = {0, 64ull * SHARED_WORDS * GMEM_PAGE_SIZE};
	pthread_t t;

	ck_assert_int_eq(gmem_create(&m, &big, 1, NULL), 0);
	for (int i = 0; i < 20; i++) {
		marker_at[0] = marker_at[1] = 0;
		ck_assert_int_eq(gmem_dirty_start(&m), 0);
		ck_assert_int_eq(pthread_create(&t, NULL, mark_every_other, &m), 0);
		mark_every_other(NULL);
		pthread_join(t, NULL);
		check_dirty(0, m.npages - 1);
		gmem_dirty_stop(&m);
	}
	gmem_destroy(&m);
}
END_TEST

UNIT_MAIN("gmem", test_layout, test_ptr, test_ptr_refuses, test_index, test_discard_all,
	  test_discard_all_without_the_advice, test_prealloc, test_query,
	  test_huge_pages_that_cannot_be_had, test_transparent_huge_pages_need_the_host,
	  test_too_much, test_dirty, test_dirty_late_mark, test_dirty_by_two)
