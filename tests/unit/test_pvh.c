// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/pvh.h"

#include "tests/unit/kernels.h"
#include "tests/unit/unit.h"
#include "vmm/arch/x86_64/layout.h"

static uint64_t word(const uint8_t *p, size_t off, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, p + off, len);
	return v;
}

/* Offsets by Xen's start_info.h, not by our struct. */
START_TEST(fields)
{
	struct gmem m;
	const uint8_t *p, *mod, *map;

	kernels_ram(&m, 64 * MIB, 16 * MIB);
	memset(gmem_ptr(&m, X86_PVH_INFO_GPA, 4096), 0xff, 4096);
	pvh_write_page(&m, 0x3000000, 12345, 0xe0000);
	p = gmem_ptr(&m, X86_PVH_INFO_GPA, 4096);
	ck_assert_uint_eq(word(p, 0, 4), 0x336ec578);
	ck_assert_uint_eq(word(p, 4, 4), 1);
	ck_assert_uint_eq(word(p, 8, 4), 0);
	ck_assert_uint_eq(word(p, 12, 4), 1);
	ck_assert_uint_eq(word(p, 24, 8), X86_CMDLINE_GPA);
	ck_assert_uint_eq(word(p, 32, 8), 0xe0000);
	ck_assert_uint_eq(word(p, 48, 4), 5);
	ck_assert_uint_eq(word(p, 52, 4), 0);

	mod = gmem_ptr(&m, word(p, 16, 8), 32);
	ck_assert_ptr_nonnull(mod);
	ck_assert_uint_eq(word(mod, 0, 8), 0x3000000);
	ck_assert_uint_eq(word(mod, 8, 8), 12345);
	ck_assert_uint_eq(word(mod, 16, 8), 0);
	ck_assert_uint_eq(word(mod, 24, 8), 0);

	map = gmem_ptr(&m, word(p, 40, 8), 5 * 24);
	ck_assert_ptr_nonnull(map);
	ck_assert_uint_eq(word(map, 3 * 24, 8), 0x100000);
	ck_assert_uint_eq(word(map, 3 * 24 + 8, 8), 63 * MIB);
	ck_assert_uint_eq(word(map, 3 * 24 + 16, 4), 1);
	ck_assert_uint_eq(word(map, 3 * 24 + 20, 4), 0);
	ck_assert_uint_eq(word(map, 4 * 24, 8), 4 * GIB);
	ck_assert_uint_eq(word(map, 4 * 24 + 8, 8), 16 * MIB);
	gmem_destroy(&m);
}
END_TEST

START_TEST(no_initrd)
{
	const struct pvh_page *page;
	struct gmem m;

	kernels_ram(&m, 64 * MIB, 0);
	pvh_write_page(&m, 0, 0, 0xe0000);
	page = gmem_ptr(&m, X86_PVH_INFO_GPA, sizeof(*page));
	ck_assert_uint_eq(page->info.nr_modules, 0);
	ck_assert_uint_eq(page->info.modlist, 0);
	gmem_destroy(&m);
}
END_TEST

UNIT_MAIN("pvh", fields, no_initrd)
