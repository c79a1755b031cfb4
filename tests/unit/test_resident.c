// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/gmem_kinds.h"
#include "tests/unit/unit.h"
#include "vmm/base/bitmap.h"

static const struct gmem_span spans[] = {{0, 8 * MIB}, {4 * GIB, 4 * MIB}};
#define LOW_PAGES  2048
#define HIGH_PAGES 1024

static struct gmem m;
static uint64_t map[LOW_PAGES / 64];
static enum gmem_method method;

static bool create(size_t kind)
{
	struct err e;

	if (!gmem_kind_possible(kind, 12 * MIB))
		return false;
	ck_assert_msg(!gmem_create_with(&m, spans, 2, &gmem_kinds[kind].config, &e), "%s: %s",
		      gmem_kinds[kind].name, e.msg);
	return true;
}

static uint64_t resident(uint64_t index, uint64_t n)
{
	uint64_t bits = 0;

	ck_assert_int_eq(gmem_resident_map(&m, index, n, map, &method), 0);
	for (uint64_t i = 0; i < n; i++)
		bits += bitmap_test(map, i);
	return bits;
}

/* Touched with a stride of 2 MiB, so that it holds for huge pages too. */
START_TEST(each_kind_counts_what_was_touched)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		if (!create(k))
			continue;
		ck_assert_uint_eq(gmem_resident(&m), 0);
		ck_assert_uint_eq(resident(0, LOW_PAGES), 0);
		memset(m.region[0].hva + 2 * MIB, 1, 2 * MIB);
		memset(m.region[1].hva + 2 * MIB, 1, 2 * MIB);
		ck_assert_msg(gmem_resident(&m) == 4 * MIB, "%s: %llu", gmem_kinds[k].name,
			      (unsigned long long)gmem_resident(&m));
		ck_assert_uint_eq(resident(0, LOW_PAGES), 512);
		ck_assert(!bitmap_test(map, 511) && bitmap_test(map, 512) &&
			  bitmap_test(map, 1023) && !bitmap_test(map, 1024));
		ck_assert_uint_eq(resident(600, 100), 100);
		ck_assert_uint_eq(resident(0, 512), 0);
		ck_assert_uint_eq(resident(LOW_PAGES, HIGH_PAGES), 512);
		ck_assert_uint_eq(resident(LOW_PAGES + HIGH_PAGES - 1, 1), 1);
		gmem_destroy(&m);
	}
}
END_TEST

START_TEST(each_kind_has_its_method)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		if (!create(k))
			continue;
		resident(0, 1);
		switch (gmem_kinds[k].config.backing) {
		case GMEM_ANON:
			ck_assert(method == GMEM_PAGEMAP_SCAN || method == GMEM_MINCORE);
			break;
		case GMEM_MEMFD:
			ck_assert_int_eq(method, GMEM_SEEK_DATA);
			break;
		case GMEM_HUGETLB:
			ck_assert_int_eq(method, GMEM_MINCORE);
			break;
		}
		gmem_destroy(&m);
	}
	ck_assert_str_eq(gmem_method_name(GMEM_PAGEMAP_SCAN), "pagemap-scan");
	ck_assert_str_eq(gmem_method_name(GMEM_MINCORE), "mincore");
	ck_assert_str_eq(gmem_method_name(GMEM_SEEK_DATA), "seek-data");
}
END_TEST

/* More pieces than one call of the kernel answers with. */
START_TEST(every_other_page)
{
	static const struct gmem_config small = {.backing = GMEM_ANON, .thp = GMEM_THP_OFF};
	static const struct gmem_config file = {.backing = GMEM_MEMFD, .thp = GMEM_THP_OFF};
	static const struct gmem_config *const c[] = {&small, &file};

	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(gmem_create_with(&m, spans, 2, c[i], NULL), 0);
		for (uint64_t p = 1; p < LOW_PAGES; p += 2)
			m.region[0].hva[p * GMEM_PAGE_SIZE] = 1;
		ck_assert_uint_eq(gmem_resident(&m), 4 * MIB);
		ck_assert_uint_eq(resident(0, LOW_PAGES), LOW_PAGES / 2);
		for (uint64_t p = 0; p < LOW_PAGES; p++)
			ck_assert(bitmap_test(map, p) == (p & 1));
		ck_assert_uint_eq(resident(1, 1999), 1000);
		gmem_destroy(&m);
	}
}
END_TEST

/* The kernel maps one page of zeros for all that is read before it is written: no memory. */
START_TEST(a_read_is_no_use_of_memory)
{
	volatile uint8_t *p;

	ck_assert_int_eq(gmem_create(&m, spans, 2, NULL), 0);
	madvise(m.region[0].hva, m.region[0].len, MADV_NOHUGEPAGE);
	p = m.region[0].hva;
	ck_assert_uint_eq(p[0] + p[8 * MIB - 1], 0);
	if (resident(0, 1), method == GMEM_PAGEMAP_SCAN)
		ck_assert_uint_eq(resident(0, LOW_PAGES), 0);
	else
		printf("skip - the kernel has no PAGEMAP_SCAN\n");
	gmem_destroy(&m);
}
END_TEST

START_TEST(the_pool_is_no_part_of_the_rss)
{
	for (size_t k = 0; k < GMEM_KINDS; k++) {
		bool pool = gmem_kinds[k].config.backing == GMEM_HUGETLB;

		if (!create(k))
			continue;
		ck_assert_uint_eq(gmem_resident_in_rss(&m, 77), pool ? 0 : 77);
		gmem_destroy(&m);
	}
}
END_TEST

UNIT_MAIN("resident", each_kind_counts_what_was_touched, each_kind_has_its_method,
	  every_other_page, a_read_is_no_use_of_memory, the_pool_is_no_part_of_the_rss)
