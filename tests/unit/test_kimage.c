// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/kimage/kimage.h"

#include <errno.h>

#include "tests/unit/images.h"
#include "tests/unit/unit.h"

#define BASE GIB
#define RAM  (4 * MIB)

static struct images_kernel k;
static uint8_t zipped[2 * sizeof(k)];
static struct kimage at;
static struct gmem mem;
static struct err err;

static void setup(void)
{
	const struct gmem_span ram = {BASE, RAM};

	images_kernel(&k);
	ck_assert_int_eq(gmem_create(&mem, &ram, 1, &err), 0);
}

static int load(const void *data, size_t len)
{
	struct image img;
	int fd = images_file(data, len), rc;

	ck_assert_int_eq(image_init(&img, "kernel", fd, "k", &err), 0);
	rc = kimage_load(&img, KIMAGE_ARM64, "an arm64", &mem, BASE, &at, &err);
	close(fd);
	return rc;
}

static void refused(int rc, const char *says)
{
	ck_assert_int_eq(load(&k, sizeof(k)), rc);
	ck_assert_msg(strstr(err.msg, says) != NULL, "%s", err.msg);
}

START_TEST(it_goes_where_its_header_says)
{
	setup();
	ck_assert_msg(!load(&k, sizeof(k)), "%s", err.msg);
	ck_assert_uint_eq(at.start, BASE);
	ck_assert_uint_eq(at.end, BASE + MIB);
	ck_assert_mem_eq(gmem_ptr(&mem, at.start, sizeof(k)), &k, sizeof(k));
	k.h.text_offset = 0x80000;
	ck_assert_int_eq(load(&k, sizeof(k)), 0);
	ck_assert_uint_eq(at.start, BASE + 0x80000);
	ck_assert_uint_eq(at.end, BASE + 0x80000 + MIB);
	ck_assert_mem_eq(gmem_ptr(&mem, at.start, sizeof(k)), &k, sizeof(k));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(gzip_is_inflated)
{
	size_t len;

	setup();
	len = images_gzip(&k, sizeof(k), zipped, sizeof(zipped));
	ck_assert_msg(!load(zipped, len), "%s", err.msg);
	ck_assert_uint_eq(at.end, BASE + MIB);
	ck_assert_mem_eq(gmem_ptr(&mem, at.start, sizeof(k)), &k, sizeof(k));
	ck_assert_int_eq(load(zipped, len - 20), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.msg, "cut off"));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(a_file_longer_than_it_says_keeps_its_place)
{
	setup();
	k.h.image_size = 4096;
	ck_assert_int_eq(load(&k, sizeof(k)), 0);
	ck_assert_uint_eq(at.end, BASE + sizeof(k));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(other_files_are_named)
{
	setup();
	k.h.magic = KIMAGE_RISCV64;
	refused(-ENOEXEC,
		"kernel 'k': a riscv64 kernel, not an arm64 kernel (Image or Image.gz)");
	memcpy((uint8_t *)&k + 0x202, "HdrS", 4);
	refused(-ENOEXEC, "an x86 bzImage");
	memcpy(&k,
	       "\x7f"
	       "ELF",
	       4);
	k.code[0x202 - 64] = 0;
	refused(-ENOEXEC, "an ELF file");
	ck_assert_int_eq(load("abc", 3), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.msg, "no kernel header"));
	images_kernel(&k);
	k.h.flags = 1;
	refused(-ENOEXEC, "big-endian");
	images_kernel(&k);
	k.h.image_size = 0;
	refused(-ENOEXEC, "does not say its size");
	gmem_destroy(&mem);
}
END_TEST

START_TEST(too_big)
{
	static uint8_t bomb[5 * MIB];
	size_t len;

	setup();
	k.h.image_size = RAM;
	ck_assert_int_eq(load(&k, sizeof(k)), 0);
	k.h.image_size = RAM + 1;
	refused(-EFBIG,
		"needs RAM up to 5.0 MiB to start, the guest has it up to 4.0 MiB (-m)");
	k.h.image_size = UINT64_MAX;
	refused(-EFBIG, "(-m)");
	k.h.image_size = 4096;
	k.h.text_offset = UINT64_MAX - 5;
	refused(-EFBIG, "(-m)");
	k.h.text_offset = RAM - 4096;
	k.h.image_size = 4096;
	refused(-EFBIG, "(-m)");
	k.h.text_offset = RAM - 512;
	k.h.image_size = 512;
	refused(-EFBIG, "(-m)");
	/* More comes out of it than there is RAM, and none of it goes elsewhere. */
	images_kernel(&k);
	memcpy(bomb, &k.h, sizeof(k.h));
	len = images_gzip(bomb, sizeof(bomb), zipped, sizeof(zipped));
	ck_assert_int_eq(load(zipped, len), -EFBIG);
	gmem_destroy(&mem);
}
END_TEST

UNIT_MAIN("kimage", it_goes_where_its_header_says, gzip_is_inflated,
	  a_file_longer_than_it_says_keeps_its_place, other_files_are_named, too_big)
