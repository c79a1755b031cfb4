// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "tests/unit/kernels.h"
#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/pvh.h"

static struct gmem mem;
static struct arch_entry entry;
static struct err err;

static int load(int kernel, int initrd, const char *cmdline)
{
	const struct arch_boot b = {
		.mem = &mem,
		.kernel_fd = kernel,
		.initrd_fd = initrd,
		.kernel_name = "k",
		.initrd_name = "i",
		.cmdline = cmdline,
		.cpus = 2,
		.virtio_slots = 1,
	};

	return arch_load(&b, &entry, &err);
}

static const struct boot_params *zero_page(void)
{
	return gmem_ptr(&mem, X86_ZERO_PAGE_GPA, 4096);
}

START_TEST(bzimage_with_initrd)
{
	static struct kernels_bz k;
	char initrd[10000];
	const struct boot_params *bp;
	int kfd, ifd;

	kernels_bz(&k);
	memset(initrd, 'i', sizeof(initrd));
	kfd = kernels_file(&k, sizeof(k));
	ifd = kernels_file(initrd, sizeof(initrd));
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_msg(!load(kfd, ifd, "console=ttyS0"), "%s", err.msg);
	ck_assert(!entry.pvh);
	ck_assert_uint_eq(entry.pc, 16 * MIB + 0x200);
	ck_assert_uint_eq(entry.arg, X86_ZERO_PAGE_GPA);
	bp = zero_page();
	ck_assert_uint_eq(bp->hdr.ramdisk_image, 64 * MIB - 12288);
	ck_assert_uint_eq(bp->hdr.ramdisk_size, sizeof(initrd));
	ck_assert_mem_eq(gmem_ptr(&mem, 64 * MIB - 12288, 12288), initrd, sizeof(initrd));
	ck_assert_mem_eq(gmem_ptr(&mem, 16 * MIB, sizeof(k.code)), k.code, sizeof(k.code));
	ck_assert_str_eq(gmem_ptr(&mem, bp->hdr.cmd_line_ptr, 100), "console=ttyS0");
	ck_assert_mem_eq(gmem_ptr(&mem, bp->acpi_rsdp_addr, 8), "RSD PTR ", 8);
	gmem_destroy(&mem);
	close(kfd);
	close(ifd);
}
END_TEST

START_TEST(reload_leaves_nothing_of_the_first_boot)
{
	static struct kernels_bz k;
	int kfd, ifd;

	kernels_bz(&k);
	kfd = kernels_file(&k, sizeof(k));
	ifd = kernels_file("initrd", 6);
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(load(kfd, ifd, "a long command line"), 0);
	ck_assert_int_eq(load(kfd, -1, "short"), 0);
	ck_assert_str_eq(gmem_ptr(&mem, X86_CMDLINE_GPA, 100), "short");
	ck_assert_uint_eq(zero_page()->hdr.ramdisk_size, 0);
	gmem_destroy(&mem);
	close(kfd);
	close(ifd);
}
END_TEST

START_TEST(initrd_obeys_the_kernel)
{
	static struct kernels_bz k;
	int kfd, ifd;

	kernels_bz(&k);
	k.hdr.initrd_addr_max = 32 * MIB - 1;
	kfd = kernels_file(&k, sizeof(k));
	ifd = kernels_file("initrd", 6);
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(load(kfd, ifd, ""), 0);
	ck_assert_uint_eq(zero_page()->hdr.ramdisk_image, 32 * MIB - 4096);
	ck_assert_int_eq(ftruncate(ifd, 64 * MIB), 0);
	ck_assert_int_eq(load(kfd, ifd, ""), -EFBIG);
	ck_assert_str_eq(err.msg, "initrd 'i': 64.0 MiB do not fit beside the kernel below "
				  "32.0 MiB, where it has to be");
	ck_assert_int_eq(ftruncate(ifd, 0), 0);
	ck_assert_int_eq(load(kfd, ifd, ""), -ENOEXEC);
	ck_assert_str_eq(err.msg, "initrd 'i': an empty file");
	gmem_destroy(&mem);
	close(kfd);
	close(ifd);
}
END_TEST

START_TEST(elf_with_initrd)
{
	static struct kernels_elf64 k;
	const struct pvh_page *page;
	int kfd, ifd;

	kernels_elf64(&k);
	kfd = kernels_file(&k, sizeof(k));
	ifd = kernels_file("initrd", 6);
	kernels_ram(&mem, 64 * MIB, 16 * MIB);
	ck_assert_msg(!load(kfd, ifd, "quiet"), "%s", err.msg);
	ck_assert(entry.pvh);
	ck_assert_uint_eq(entry.pc, KERNELS_ELF_ENTRY);
	ck_assert_uint_eq(entry.arg, X86_PVH_INFO_GPA);
	page = gmem_ptr(&mem, entry.arg, sizeof(*page));
	ck_assert_uint_eq(page->info.nr_modules, 1);
	ck_assert_uint_eq(page->initrd.gpa, 64 * MIB - 4096);
	ck_assert_uint_eq(page->initrd.len, 6);
	ck_assert_mem_eq(gmem_ptr(&mem, page->initrd.gpa, 6), "initrd", 6);
	ck_assert_mem_eq(gmem_ptr(&mem, page->info.rsdp, 8), "RSD PTR ", 8);
	ck_assert_str_eq(gmem_ptr(&mem, page->info.cmdline, 100), "quiet");
	gmem_destroy(&mem);
	close(kfd);
	close(ifd);
}
END_TEST

START_TEST(command_line_length)
{
	static struct kernels_bz k;
	static struct kernels_elf64 e;
	char line[3000];
	int kfd;

	memset(line, 'x', sizeof(line));
	line[255] = 0;
	kernels_bz(&k);
	k.hdr.cmdline_size = 255;
	kfd = kernels_file(&k, sizeof(k));
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(load(kfd, -1, line), 0);
	line[255] = 'x';
	line[256] = 0;
	ck_assert_int_eq(load(kfd, -1, line), -EFBIG);
	ck_assert_str_eq(err.msg, "kernel 'k': takes a command line of at most 255 bytes, "
				  "--params has 256");
	close(kfd);
	kernels_elf64(&e);
	kfd = kernels_file(&e, sizeof(e));
	ck_assert_int_eq(load(kfd, -1, line), 0);
	line[256] = 'x';
	line[2048] = 0;
	ck_assert_int_eq(load(kfd, -1, line), -EFBIG);
	close(kfd);
	k.hdr.cmdline_size = UINT32_MAX;
	kfd = kernels_file(&k, sizeof(k));
	ck_assert_int_eq(load(kfd, -1, line), -EFBIG);
	line[2047] = 0;
	ck_assert_int_eq(load(kfd, -1, line), 0);
	close(kfd);
	gmem_destroy(&mem);
}
END_TEST

static void expect_refused(const void *data, size_t len, const char *text)
{
	char want[200];
	int fd = kernels_file(data, len);

	snprintf(want, sizeof(want), "kernel 'k': %s, not a bzImage or ELF kernel", text);
	ck_assert_int_eq(load(fd, -1, ""), -ENOEXEC);
	ck_assert_str_eq(err.msg, want);
	close(fd);
}

START_TEST(other_files_are_named)
{
	uint8_t page[4096] = {0};
	int fd;

	kernels_ram(&mem, 64 * MIB, 0);
	expect_refused(page, sizeof(page), "no kernel header");
	expect_refused("x", 1, "no kernel header");
	expect_refused("\x1f\x8b\x08", 3, "gzip-compressed");
	expect_refused("\xfd\x37zXZ\0", 6, "xz-compressed");
	expect_refused("\x28\xb5\x2f\xfd", 4, "zstd-compressed");
	memcpy(page, "MZ", 2);
	expect_refused(page, sizeof(page), "an EFI application");
	memcpy(page + 4, "zimg", 4);
	expect_refused(page, sizeof(page), "an EFI zboot image");
	memset(page, 0, sizeof(page));
	memcpy(page + 56, "ARM\x64", 4);
	expect_refused(page, sizeof(page), "an arm64 kernel");
	expect_refused("070701", 6, "a cpio archive");
	fd = open("/", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(load(fd, -1, ""), -ENOEXEC);
	ck_assert_str_eq(err.msg, "kernel 'k': a directory, not a regular file");
	close(fd);
	gmem_destroy(&mem);
}
END_TEST

/* This program is an ELF file, but not a kernel. */
START_TEST(user_program)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(load(fd, -1, ""), -ENOEXEC);
	ck_assert_str_eq(err.msg, "kernel 'k': an ELF file without a PVH entry (Linux: "
				  "CONFIG_PVH=y)");
	gmem_destroy(&mem);
	close(fd);
}
END_TEST

/* End of what the loaded kernel needs; its entry was checked. */
static uint64_t check_real_bzimage(void)
{
	const struct setup_header *h = &zero_page()->hdr;

	ck_assert_uint_eq(entry.pc, h->code32_start + 0x200);
	/* The 64-bit entry of every Linux so far begins with CLD; CLI. */
	ck_assert_mem_eq(gmem_ptr(&mem, entry.pc, 2), "\xfc\xfa", 2);
	return (uint64_t)h->code32_start + h->init_size;
}

static uint64_t check_real_elf(void)
{
	/* The PVH entry begins with CLD. */
	ck_assert_mem_eq(gmem_ptr(&mem, entry.pc, 1), "\xfc", 1);
	return entry.pc;
}

/* A distribution's kernel, named by AEROSTAT_TEST_KERNEL: a bzImage or a vmlinux. */
START_TEST(real_kernel)
{
	const char *path = getenv("AEROSTAT_TEST_KERNEL");
	uint64_t end;
	int fd;

	if (!path) {
		puts("skip - real_kernel: AEROSTAT_TEST_KERNEL is not set");
		return;
	}
	fd = open(path, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	kernels_ram(&mem, 256 * MIB, 0);
	ck_assert_msg(!load(fd, -1, "console=ttyS0"), "%s", err.msg);
	end = entry.pvh ? check_real_elf() : check_real_bzimage();
	gmem_destroy(&mem);
	/* And it is refused where it can't run. */
	kernels_ram(&mem, (end - 1) & ~4095ull, 0);
	ck_assert_int_eq(load(fd, -1, ""), -EFBIG);
	gmem_destroy(&mem);
	close(fd);
}
END_TEST

UNIT_MAIN("load", bzimage_with_initrd, reload_leaves_nothing_of_the_first_boot,
	  initrd_obeys_the_kernel, elf_with_initrd, command_line_length, other_files_are_named,
	  user_program, real_kernel)
