// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/e820.h"

#include "tests/unit/kernels.h"
#include "tests/unit/unit.h"
#include "vmm/arch/x86_64/layout.h"

static void expect(const struct e820_range *r, uint64_t from, uint64_t to, uint32_t type)
{
	ck_assert_uint_eq(r->addr, from);
	ck_assert_uint_eq(r->addr + r->len, to);
	ck_assert_uint_eq(r->type, type);
}

START_TEST(low_memory_only)
{
	struct e820_range map[E820_MAX];
	struct gmem m;

	kernels_ram(&m, 64 * MIB, 0);
	ck_assert_uint_eq(e820_build(&m, map), 4);
	expect(&map[0], 0, 0x9fc00, E820_RAM);
	expect(&map[1], 0x9fc00, 0xa0000, E820_RESERVED);
	expect(&map[2], 0xe0000, 0x100000, E820_RESERVED);
	expect(&map[3], 0x100000, 64 * MIB, E820_RAM);
	gmem_destroy(&m);
}
END_TEST

START_TEST(high_memory_follows)
{
	struct e820_range map[E820_MAX];
	struct gmem m;

	kernels_ram(&m, X86_HOLE_START, 5 * GIB);
	ck_assert_uint_eq(e820_build(&m, map), 5);
	expect(&map[3], 0x100000, X86_HOLE_START, E820_RAM);
	expect(&map[4], 4 * GIB, 9 * GIB, E820_RAM);
	gmem_destroy(&m);
}
END_TEST

/* What must be RAM to the kernel or must not be. */
START_TEST(what_boot_uses)
{
	struct e820_range map[E820_MAX];
	const uint64_t ram[] = {X86_ZERO_PAGE_GPA, X86_PVH_INFO_GPA, X86_CMDLINE_GPA,
				X86_PAGE_TABLES_GPA};
	struct gmem m;

	kernels_ram(&m, 64 * MIB, 0);
	e820_build(&m, map);
	for (unsigned i = 0; i < sizeof(ram) / sizeof(ram[0]); i++)
		ck_assert(ram[i] >= map[0].addr && ram[i] < map[0].addr + map[0].len);
	expect(&map[2], X86_ACPI_GPA, X86_ACPI_END, E820_RESERVED);
	gmem_destroy(&m);
}
END_TEST

UNIT_MAIN("e820", low_memory_only, high_memory_follows, what_boot_uses)
