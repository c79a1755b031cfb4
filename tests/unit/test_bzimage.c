// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/bzimage.h"

#include <errno.h>

#include "tests/unit/kernels.h"
#include "tests/unit/unit.h"
#include "vmm/arch/x86_64/layout.h"

static struct kernels_bz k;
static struct bzimage bz;
static struct err err;

/* Parse the first `size` bytes of k for RAM up to low_end. */
static int parse_cut(size_t size, uint64_t low_end)
{
	const struct image img = {.what = "kernel", .name = "k", .fd = -1, .size = size};
	size_t len = size < BZIMAGE_PEEK ? size : BZIMAGE_PEEK;

	return bzimage_parse(&img, (const uint8_t *)&k, len, low_end, &bz, &err);
}

static int parse(void)
{
	return parse_cut(sizeof(k), 64 * MIB);
}

static void expect_error(int rc, const char *text)
{
	ck_assert_int_eq(parse(), rc);
	ck_assert_msg(strstr(err.msg, text) != NULL, "'%s' lacks '%s'", err.msg, text);
	ck_assert_int_eq(strncmp(err.msg, "kernel 'k': ", 12), 0);
}

START_TEST(probe)
{
	const uint8_t *head = (const uint8_t *)&k;

	kernels_bz(&k);
	ck_assert(bzimage_probe(head, BZIMAGE_PEEK));
	ck_assert(!bzimage_probe(head, 0x26b)); /* shorter than the header */
	ck_assert(!bzimage_probe(head, 0));
	k.hdr.boot_flag = 0;
	ck_assert(!bzimage_probe(head, BZIMAGE_PEEK));
	kernels_bz(&k);
	k.hdr.header = 0;
	ck_assert(!bzimage_probe(head, BZIMAGE_PEEK));
}
END_TEST

START_TEST(preferred_address)
{
	kernels_bz(&k);
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.off, 1024);
	ck_assert_uint_eq(bz.len, KERNELS_BZ_CODE);
	ck_assert_uint_eq(bz.start, 16 * MIB);
	ck_assert_uint_eq(bz.end, 20 * MIB);
	ck_assert_uint_eq(bzimage_entry(&bz), 16 * MIB + 0x200);
}
END_TEST

START_TEST(relocation)
{
	kernels_bz(&k);
	/* No preference: the lowest aligned address from 1 MiB on. */
	k.hdr.pref_address = 0;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.start, 2 * MIB);
	k.hdr.kernel_alignment = 4096;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.start, 1 * MIB);
	/* It would align itself upwards, so that is where it goes. */
	k.hdr.kernel_alignment = 16 * MIB;
	k.hdr.pref_address = 16 * MIB + 1;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.start, 32 * MIB);
	/* Not relocatable: exactly where it says, whatever the alignment. */
	k.hdr.relocatable_kernel = 0;
	k.hdr.pref_address = 5 * MIB + 4096;
	k.hdr.kernel_alignment = 3;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.start, 5 * MIB + 4096);
	k.hdr.pref_address = 0x10000;
	expect_error(-ENOEXEC, "wants to be loaded at 0x10000, below 1 MiB");
}
END_TEST

START_TEST(bad_alignment)
{
	kernels_bz(&k);
	k.hdr.kernel_alignment = 0;
	expect_error(-ENOEXEC, "alignment 0 is no power of two");
	k.hdr.kernel_alignment = 3 * MIB;
	expect_error(-ENOEXEC, "alignment 0x300000 is no power of two");
}
END_TEST

START_TEST(needs_ram)
{
	kernels_bz(&k);
	ck_assert_int_eq(parse_cut(sizeof(k), 20 * MIB), 0);
	ck_assert_int_eq(parse_cut(sizeof(k), 20 * MIB - 4096), -EFBIG);
	k.hdr.init_size += 1;
	ck_assert_int_eq(parse_cut(sizeof(k), 20 * MIB), -EFBIG);
	ck_assert_str_eq(err.msg,
			 "kernel 'k': needs RAM up to 21.0 MiB to start, the guest has "
			 "it up to 20.0 MiB (-m)");
	ck_assert_int_eq(parse_cut(sizeof(k), 2 * MIB), -EFBIG);
	k.hdr.pref_address = UINT64_MAX - 10;
	ck_assert_int_eq(parse(), -EFBIG);
	k.hdr.pref_address = UINT64_MAX & ~(2 * MIB - 1);
	ck_assert_int_eq(parse(), -EFBIG);
	k.hdr.relocatable_kernel = 0;
	ck_assert_int_eq(parse(), -EFBIG);
	kernels_bz(&k);
	k.hdr.init_size = UINT32_MAX;
	ck_assert_int_eq(parse_cut(sizeof(k), X86_HOLE_START), -EFBIG);
	ck_assert_ptr_null(strstr(err.msg, "-m")); /* more of it would not help */
	/* An init_size that lies: the code itself needs room. */
	k.hdr.init_size = 0;
	ck_assert_int_eq(parse_cut(sizeof(k), 16 * MIB + KERNELS_BZ_CODE), 0);
	ck_assert_int_eq(parse_cut(sizeof(k), 16 * MIB + KERNELS_BZ_CODE - 1), -EFBIG);
}
END_TEST

START_TEST(refused_kinds)
{
	kernels_bz(&k);
	k.hdr.version = 0x020b;
	expect_error(-ENOEXEC, "boot protocol 2.11 is too old");
	kernels_bz(&k);
	k.hdr.version = 0x020c;
	ck_assert_int_eq(parse(), 0);
	k.hdr.xloadflags = (uint16_t)~XLF_KERNEL_64;
	expect_error(-ENOEXEC, "a 32-bit kernel");
	kernels_bz(&k);
	k.hdr.loadflags = 0;
	expect_error(-ENOEXEC, "a zImage");
	kernels_bz(&k);
	k.hdr.syssize = 0x200 / 16; /* the entry would be behind its end */
	expect_error(-ENOEXEC, "can't be a kernel");
	kernels_bz(&k);
	k.hdr.jump = 0x00eb;
	expect_error(-ENOEXEC, "its setup header ends at byte 514");
}
END_TEST

START_TEST(cut_off)
{
	kernels_bz(&k);
	ck_assert_int_eq(parse_cut(sizeof(k) - 1, 64 * MIB), -ENOEXEC);
	ck_assert_str_eq(err.msg, "kernel 'k': cut off, 9215 of 9216 bytes are there");
	ck_assert_int_eq(parse_cut(1024, 64 * MIB), -ENOEXEC);
	ck_assert_int_eq(parse_cut(0x26c, 64 * MIB), -ENOEXEC);
	k.hdr.setup_sects = 0; /* means 4 */
	ck_assert_int_eq(parse(), -ENOEXEC);
	k.hdr.syssize = (KERNELS_BZ_SIZE - 5 * 512) / 16;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.off, 5 * 512);
	k.hdr.setup_sects = 255;
	ck_assert_int_eq(parse(), -ENOEXEC);
	kernels_bz(&k);
	k.hdr.syssize = UINT32_MAX;
	ck_assert_int_eq(parse(), -ENOEXEC);
}
END_TEST

START_TEST(header_is_copied_to_its_end_only)
{
	kernels_bz(&k);
	ck_assert_int_eq(parse(), 0);
	ck_assert_mem_eq(bz.raw, &k.hdr, sizeof(k.hdr));
	for (size_t i = sizeof(k.hdr); i < sizeof(bz.raw); i++)
		ck_assert_uint_eq(bz.raw[i], 0);
	/* A longer one of the future, and one that reaches beyond the zero page's room. */
	k.hdr.jump = 0x7feb;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.raw[0x281 - 0x1f1 - 1], 0xff);
	ck_assert_uint_eq(bz.raw[0x281 - 0x1f1], 0);
	k.hdr.jump = 0xffeb;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.raw[sizeof(bz.raw) - 1], 0xff);
	/* A shorter one: what lies behind it is not a header field. */
	k.hdr.jump = 0x62eb;
	k.hdr.handover_offset = 0x12345678;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(bz.hdr.handover_offset, 0);
	ck_assert_uint_eq(bz.hdr.init_size, 4 * MIB);
}
END_TEST

START_TEST(zero_page)
{
	const struct boot_params *bp;
	const uint8_t *page;
	struct gmem mem;

	kernels_bz(&k);
	k.hdr.loadflags = 0xff;
	k.hdr.setup_data = 0x1234;
	kernels_ram(&mem, 64 * MIB, 8 * MIB);
	memset(gmem_ptr(&mem, X86_ZERO_PAGE_GPA, 4096), 0xee, 4096);
	ck_assert_int_eq(parse(), 0);
	bzimage_zero_page(&bz, &mem, 0x3000000, 4711, 0xe0000);
	page = gmem_ptr(&mem, X86_ZERO_PAGE_GPA, 4096);
	bp = (const struct boot_params *)page;
	for (size_t i = 0; i < 0x1f1; i++)
		if ((i < 0x70 || i >= 0x78) && i != 0x1e8)
			ck_assert_uint_eq(page[i], 0); /* the sentinel among them */
	ck_assert_uint_eq(bp->acpi_rsdp_addr, 0xe0000);
	ck_assert_uint_eq(bp->hdr.header, 0x53726448);
	ck_assert_uint_eq(bp->hdr.type_of_loader, 0xff);
	ck_assert_uint_eq(bp->hdr.loadflags, 1);
	ck_assert_uint_eq(bp->hdr.vid_mode, 0xffff);
	ck_assert_uint_eq(bp->hdr.code32_start, 16 * MIB);
	ck_assert_uint_eq(bp->hdr.cmd_line_ptr, X86_CMDLINE_GPA);
	ck_assert_uint_eq(bp->hdr.ramdisk_image, 0x3000000);
	ck_assert_uint_eq(bp->hdr.ramdisk_size, 4711);
	ck_assert_uint_eq(bp->hdr.setup_data, 0);
	ck_assert_uint_eq(bp->hdr.init_size, 4 * MIB);
	ck_assert_uint_eq(bp->e820_entries, 5);
	ck_assert_uint_eq(bp->e820_table[3].addr, 1 * MIB);
	ck_assert_uint_eq(bp->e820_table[3].size, 63 * MIB);
	ck_assert_uint_eq(bp->e820_table[3].type, 1);
	ck_assert_uint_eq(bp->e820_table[4].addr, 4 * GIB);
	ck_assert_uint_eq(bp->e820_table[5].type, 0);
	bzimage_zero_page(&bz, &mem, 0x3000000, 0, 0xe0000);
	ck_assert_uint_eq(bp->hdr.ramdisk_image, 0);
	ck_assert_uint_eq(bp->hdr.ramdisk_size, 0);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(load_reads_the_code_only)
{
	struct image img;
	struct gmem mem;
	const uint8_t *p;
	int fd;

	kernels_bz(&k);
	k.hdr.syssize -= 1; /* 16 bytes remain: a signature */
	fd = kernels_file(&k, sizeof(k));
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(image_init(&img, "kernel", fd, "k", &err), 0);
	ck_assert_int_eq(parse(), 0);
	ck_assert_int_eq(bzimage_load(&img, &bz, &mem, &err), 0);
	p = gmem_ptr(&mem, 16 * MIB - 1, KERNELS_BZ_CODE + 1);
	ck_assert_uint_eq(p[0], 0);
	ck_assert_mem_eq(p + 1, k.code, KERNELS_BZ_CODE - 16);
	ck_assert_uint_eq(p[1 + KERNELS_BZ_CODE - 16], 0);
	ck_assert_int_eq(ftruncate(fd, 2000), 0);
	ck_assert_int_eq(bzimage_load(&img, &bz, &mem, &err), -ENODATA);
	gmem_destroy(&mem);
	close(fd);
}
END_TEST

UNIT_MAIN("bzimage", probe, preferred_address, relocation, bad_alignment, needs_ram,
	  refused_kinds, cut_off, header_is_copied_to_its_end_only, zero_page,
	  load_reads_the_code_only)
