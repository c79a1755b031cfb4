// SPDX-License-Identifier: Apache-2.0
#include "vmm/mem/gmem.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
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

START_TEST(test_resident_and_discard)
{
	setup();
	ck_assert_uint_eq(gmem_resident(&m), 0);
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
END_TEST

START_TEST(test_resident_counts_beyond_one_step)
{
	/* More than one mincore() call's worth, and an end that isn't a multiple of it. */
	struct gmem_span s = {0, 40 * MIB + GMEM_PAGE_SIZE};
	struct err e;

	ck_assert_int_eq(gmem_create(&m, &s, 1, &e), 0);
	memset(m.region[0].hva + 10 * MIB, 1, s.len - 10 * MIB);
	ck_assert_uint_ge(gmem_resident(&m), 30 * MIB + GMEM_PAGE_SIZE);
	ck_assert_uint_le(gmem_resident(&m), 32 * MIB + GMEM_PAGE_SIZE);
	gmem_destroy(&m);
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

UNIT_MAIN("gmem", test_layout, test_ptr, test_ptr_refuses, test_index,
	  test_resident_and_discard, test_resident_counts_beyond_one_step, test_too_much)
