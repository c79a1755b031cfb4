// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/ram.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/base/size.h"

static struct gmem_span spans[GMEM_MAX_REGIONS];
static struct err err;
static unsigned n;

START_TEST(small_memory_is_one_region)
{
	ck_assert_int_eq(ram_layout(256 * MIB, 40, spans, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(spans[0].gpa, 0);
	ck_assert_uint_eq(spans[0].len, 256 * MIB);
}
END_TEST

START_TEST(exactly_up_to_the_hole)
{
	ck_assert_int_eq(ram_layout(X86_HOLE_START, 32, spans, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(spans[0].len, X86_HOLE_START);
}
END_TEST

START_TEST(the_rest_goes_above_4_gib)
{
	ck_assert_int_eq(ram_layout(X86_HOLE_START + 4096, 36, spans, &n, &err), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(spans[0].len, X86_HOLE_START);
	ck_assert_uint_eq(spans[1].gpa, 4 * GIB);
	ck_assert_uint_eq(spans[1].len, 4096);
}
END_TEST

START_TEST(address_bits_are_the_limit)
{
	/* 36 bits are 64 GiB of addresses, of which the hole takes one. */
	ck_assert_int_eq(ram_layout(63 * GIB, 36, spans, &n, &err), 0);
	ck_assert_uint_eq(spans[1].gpa + spans[1].len, 64 * GIB);
	ck_assert_int_eq(ram_layout(63 * GIB + 4096, 36, spans, &n, &err), -EINVAL);
	ck_assert_str_eq(
		err.msg,
		"-m 63.0 GiB: at most 63.0 GiB on this host (36 physical address bits)");
	ck_assert_int_eq(ram_layout(X86_HOLE_START + 4096, 32, spans, &n, &err), -EINVAL);
	ck_assert_int_eq(ram_layout(-4096ull, 52, spans, &n, &err), -EINVAL);
	ck_assert_int_eq(ram_layout(-4096ull, 64, spans, &n, &err), -EINVAL);
}
END_TEST

START_TEST(this_host)
{
	unsigned bits = ram_phys_bits();

	ck_assert_uint_ge(bits, 32);
	ck_assert_uint_le(bits, 52);
	ck_assert_int_eq(arch_ram_layout(128 * MIB, spans, &n, &err), 0);
	ck_assert_int_eq(arch_ram_layout(1ull << 53, spans, &n, &err), -EINVAL);
}
END_TEST

START_TEST(low_end_ignores_high_memory)
{
	const struct gmem_span s[] = {{0, 8 * MIB}, {4 * GIB, 4 * MIB}};
	struct gmem m;

	ck_assert_int_eq(gmem_create(&m, s, 2, &err), 0);
	ck_assert_uint_eq(ram_low_end(&m), 8 * MIB);
	gmem_destroy(&m);
}
END_TEST

UNIT_MAIN("ram", small_memory_is_one_region, exactly_up_to_the_hole, the_rest_goes_above_4_gib,
	  address_bits_are_the_limit, this_host, low_end_ignores_high_memory)
