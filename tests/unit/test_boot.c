// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/kimage/boot.h"

#include <errno.h>

#include "tests/unit/images.h"
#include "tests/unit/unit.h"

#define BASE GIB
#define TREE (64 * KIB)

static struct images_kernel k;
static char initrd[70000];
static struct kimage_boot out;
static struct gmem mem;
static struct err err;

static int load(uint64_t ram, bool with_initrd)
{
	const struct gmem_span spans[] = {{BASE, ram}, {4 * GIB, 16 * MIB}};
	struct arch_boot boot = {
		.mem = &mem,
		.kernel_fd = images_file(&k, sizeof(k)),
		.initrd_fd = with_initrd ? images_file(initrd, sizeof(initrd)) : -1,
		.kernel_name = "k",
		.initrd_name = "i",
	};
	int rc;

	ck_assert_int_eq(gmem_create(&mem, spans, 2, &err), 0);
	rc = kimage_boot_load(&boot, KIMAGE_ARM64, "an arm64", TREE, &out, &err);
	close(boot.kernel_fd);
	if (with_initrd)
		close(boot.initrd_fd);
	return rc;
}

static void setup(void)
{
	images_kernel(&k);
	k.h.image_size = 2 * MIB + 4096;
	memset(initrd, 'i', sizeof(initrd));
}

START_TEST(one_behind_the_other)
{
	setup();
	ck_assert_msg(!load(8 * MIB, true), "%s", err.msg);
	ck_assert_uint_eq(out.kernel.start, BASE);
	ck_assert_uint_eq(out.dtb, BASE + 4 * MIB);
	ck_assert_uint_eq(out.initrd, out.dtb + TREE);
	ck_assert_uint_eq(out.initrd_len, sizeof(initrd));
	ck_assert_mem_eq(gmem_ptr(&mem, BASE, sizeof(k)), &k, sizeof(k));
	ck_assert_mem_eq(gmem_ptr(&mem, out.initrd, sizeof(initrd)), initrd, sizeof(initrd));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(without_an_initrd)
{
	setup();
	ck_assert_int_eq(load(8 * MIB, false), 0);
	ck_assert_uint_eq(out.initrd_len, 0);
	gmem_destroy(&mem);
}
END_TEST

/* To the byte; and another region's room is none. */
START_TEST(what_does_not_fit_is_refused)
{
	const uint64_t tree_end = 4 * MIB + TREE;

	setup();
	ck_assert_int_eq(load(tree_end, false), 0);
	gmem_destroy(&mem);
	ck_assert_int_eq(load(tree_end - 4096, false), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "kernel 'k': needs RAM"));
	gmem_destroy(&mem);
	ck_assert_int_eq(load(tree_end + 72 * KIB, true), 0);
	gmem_destroy(&mem);
	ck_assert_int_eq(load(tree_end + 68 * KIB, true), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "initrd 'i': 68.4 KiB do not fit behind"));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(what_is_no_kernel_is_refused)
{
	setup();
	k.h.magic = KIMAGE_RISCV64;
	ck_assert_int_eq(load(8 * MIB, true), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.msg, "not an arm64 kernel"));
	gmem_destroy(&mem);
}
END_TEST

UNIT_MAIN("boot", one_behind_the_other, without_an_initrd, what_does_not_fit_is_refused,
	  what_is_no_kernel_is_refused)
