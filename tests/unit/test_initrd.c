// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/initrd.h"

#include <errno.h>

#include "tests/unit/kernels.h"
#include "tests/unit/unit.h"

static struct gmem mem;
static struct err err;
static uint64_t gpa;

static int place(uint64_t size, uint64_t start, uint64_t end, uint64_t limit)
{
	const struct image img = {.what = "initrd", .name = "i", .fd = -1, .size = size};

	return initrd_place(&img, &mem, start, end, limit, &gpa, &err);
}

START_TEST(as_high_as_possible)
{
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(place(4096, 16 * MIB, 20 * MIB, 64 * MIB), 0);
	ck_assert_uint_eq(gpa, 64 * MIB - 4096);
	ck_assert_int_eq(place(4097, 16 * MIB, 20 * MIB, 64 * MIB), 0);
	ck_assert_uint_eq(gpa, 64 * MIB - 8192);
	ck_assert_int_eq(place(1, 16 * MIB, 20 * MIB, 32 * MIB), 0);
	ck_assert_uint_eq(gpa, 32 * MIB - 4096);
	/* A limit inside a page. */
	ck_assert_int_eq(place(100, 16 * MIB, 20 * MIB, 32 * MIB + 99), 0);
	ck_assert_uint_eq(gpa, 32 * MIB - 4096);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(above_the_kernel_exactly)
{
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(place(44 * MIB, 16 * MIB, 20 * MIB, 64 * MIB), 0);
	ck_assert_uint_eq(gpa, 20 * MIB);
	ck_assert_int_eq(place(44 * MIB + 1, 16 * MIB, 20 * MIB, 64 * MIB), -EFBIG);
	/* The kernel's end inside a page: rounding down must not touch it. */
	ck_assert_int_eq(place(44 * MIB - 1, 1 * MIB, 20 * MIB + 1, 64 * MIB), -EFBIG);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(below_the_kernel_when_it_must)
{
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(place(8 * MIB, 16 * MIB, 60 * MIB, 64 * MIB), 0);
	ck_assert_uint_eq(gpa, 8 * MIB);
	ck_assert_int_eq(place(15 * MIB, 16 * MIB, 60 * MIB, 64 * MIB), 0);
	ck_assert_uint_eq(gpa, 1 * MIB);
	ck_assert_int_eq(place(15 * MIB + 1, 16 * MIB, 60 * MIB, 64 * MIB), -EFBIG);
	/* A limit below the kernel. */
	ck_assert_int_eq(place(1 * MIB, 16 * MIB, 60 * MIB, 8 * MIB), 0);
	ck_assert_uint_eq(gpa, 7 * MIB);
	ck_assert_int_eq(place(1, 16 * MIB, 60 * MIB, 1), -EFBIG);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(messages)
{
	kernels_ram(&mem, 512 * MIB, 0);
	ck_assert_int_eq(place(700 * MIB, 16 * MIB, 60 * MIB, 512 * MIB), -EFBIG);
	ck_assert_str_eq(err.msg, "initrd 'i': 700.0 MiB do not fit beside the kernel in "
				  "512.0 MiB of memory (-m)");
	ck_assert_int_eq(place(700 * MIB, 16 * MIB, 60 * MIB, 256 * MIB), -EFBIG);
	ck_assert_str_eq(err.msg, "initrd 'i': 700.0 MiB do not fit beside the kernel below "
				  "256.0 MiB, where it has to be");
	ck_assert_int_eq(place(UINT64_MAX, 16 * MIB, 60 * MIB, 512 * MIB), -EFBIG);
	gmem_destroy(&mem);
}
END_TEST

UNIT_MAIN("initrd", as_high_as_possible, above_the_kernel_exactly,
	  below_the_kernel_when_it_must, messages)
