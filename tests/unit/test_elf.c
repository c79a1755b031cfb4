// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/elf.h"

#include <errno.h>
#include <stdio.h>

#include "tests/unit/kernels.h"
#include "tests/unit/unit.h"
#include "vmm/arch/x86_64/layout.h"

static struct kernels_elf64 f;
static struct elf_kernel k;
static struct err err;

static int parse_bytes(const void *data, size_t size, uint64_t low_end)
{
	int fd = kernels_file(data, size);
	struct image img;
	int rc = image_init(&img, "kernel", fd, "k", &err);

	if (!rc)
		rc = elf_parse(&img, low_end, &k, &err);
	close(fd);
	return rc;
}

static int parse(void)
{
	return parse_bytes(&f, sizeof(f), 64 * MIB);
}

static void expect_error(int rc, const char *text)
{
	ck_assert_int_eq(parse(), rc);
	ck_assert_msg(strstr(err.msg, text) != NULL, "'%s' lacks '%s'", err.msg, text);
	ck_assert_int_eq(strncmp(err.msg, "kernel 'k': ", 12), 0);
}

START_TEST(elf64)
{
	kernels_elf64(&f);
	ck_assert(elf_probe((const uint8_t *)&f, 4));
	ck_assert(!elf_probe((const uint8_t *)&f, 3));
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(k.nsegs, 2);
	ck_assert_uint_eq(k.entry, KERNELS_ELF_ENTRY);
	ck_assert_uint_eq(k.start, KERNELS_ELF_GPA);
	ck_assert_uint_eq(k.end, KERNELS_ELF_DATA + 1024);
	/* The order of segments doesn't matter. */
	f.ph[1].p_paddr = 2 * MIB;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(k.start, 2 * MIB);
	ck_assert_uint_eq(k.end, KERNELS_ELF_GPA + KERNELS_ELF_BSS);
}
END_TEST

START_TEST(elf32)
{
	struct kernels_elf32 g;

	kernels_elf32(&g);
	ck_assert_int_eq(parse_bytes(&g, sizeof(g), 64 * MIB), 0);
	ck_assert_uint_eq(k.nsegs, 1);
	ck_assert_uint_eq(k.seg[0].memsz, KERNELS_ELF_BSS);
	ck_assert_uint_eq(k.entry, KERNELS_ELF_ENTRY);
	g.eh.e_machine = EM_X86_64; /* x32 */
	ck_assert_int_eq(parse_bytes(&g, sizeof(g), 64 * MIB), -ENOEXEC);
}
END_TEST

START_TEST(load_zeroes_the_rest)
{
	const size_t bss = KERNELS_ELF_BSS - 3072;
	struct image img;
	struct gmem mem;
	uint8_t *p;
	int fd;

	kernels_elf64(&f);
	fd = kernels_file(&f, sizeof(f));
	kernels_ram(&mem, 64 * MIB, 0);
	p = gmem_ptr(&mem, KERNELS_ELF_GPA, 0x9000);
	memset(p, 0xee, 0x9000);
	ck_assert_int_eq(image_init(&img, "kernel", fd, "k", &err), 0);
	ck_assert_int_eq(elf_parse(&img, 64 * MIB, &k, &err), 0);
	ck_assert_int_eq(elf_load(&img, &k, &mem, &err), 0);
	ck_assert_mem_eq(p, f.code, 3072);
	for (size_t i = 0; i < bss; i++)
		ck_assert_uint_eq(p[3072 + i], 0);
	ck_assert_uint_eq(p[KERNELS_ELF_BSS], 0xee);
	ck_assert_uint_eq(p[0x7fff], 0xee);
	ck_assert_mem_eq(p + 0x8000, f.code + 3072, 1024);
	ck_assert_uint_eq(p[0x8400], 0xee);
	close(fd);
	gmem_destroy(&mem);
}
END_TEST

/* Resident pages of this process. The host's shared page of zeros doesn't count. */
static long resident(void)
{
	long size, rss;
	FILE *file = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%ld %ld", &size, &rss), 2);
	fclose(file);
	return rss;
}

/* A large .bss in fresh memory must not cost host memory. */
START_TEST(zeroing_populates_nothing)
{
	struct image img;
	struct gmem mem;
	long before;
	int fd;

	kernels_elf64(&f);
	f.ph[0].p_memsz = 40 * MIB;
	f.ph[1].p_paddr = 60 * MIB;
	fd = kernels_file(&f, sizeof(f));
	kernels_ram(&mem, 64 * MIB, 0);
	ck_assert_int_eq(image_init(&img, "kernel", fd, "k", &err), 0);
	ck_assert_int_eq(elf_parse(&img, 64 * MIB, &k, &err), 0);
	before = resident();
	ck_assert_int_eq(elf_load(&img, &k, &mem, &err), 0);
	ck_assert_int_lt(resident() - before, (long)(16 * MIB / (uint64_t)getpagesize()));
	close(fd);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(bad_headers)
{
	kernels_elf64(&f);
	f.eh.e_machine = EM_AARCH64;
	expect_error(-ENOEXEC, "for machine 183, not x86-64");
	kernels_elf64(&f);
	f.eh.e_ident[EI_DATA] = ELFDATA2MSB;
	expect_error(-ENOEXEC, "not for x86");
	kernels_elf64(&f);
	f.eh.e_ident[EI_CLASS] = 3;
	expect_error(-ENOEXEC, "not for x86");
	kernels_elf64(&f);
	f.eh.e_type = ET_REL;
	expect_error(-ENOEXEC, "not an executable");
	f.eh.e_type = ET_CORE;
	expect_error(-ENOEXEC, "not an executable");
	kernels_elf64(&f);
	f.eh.e_phnum = 0;
	expect_error(-ENOEXEC, "has 0 ELF program headers");
	f.eh.e_phnum = 65;
	expect_error(-ENOEXEC, "has 65 ELF program headers");
	f.eh.e_phnum = PN_XNUM;
	expect_error(-ENOEXEC, "has 65535 ELF program headers");
	kernels_elf64(&f);
	f.eh.e_phentsize = 32;
	expect_error(-ENOEXEC, "of 32 bytes");
	kernels_elf64(&f);
	f.eh.e_phoff = sizeof(f) - 3 * 56 + 1;
	expect_error(-ENOEXEC, "cut off in its ELF program headers");
	f.eh.e_phoff = UINT64_MAX;
	expect_error(-ENOEXEC, "cut off in its ELF program headers");
}
END_TEST

START_TEST(bad_segments)
{
	kernels_elf64(&f);
	f.ph[0].p_paddr = 1 * MIB - 1;
	expect_error(-ENOEXEC, "ELF segment at 0xfffff: the first MiB is not for the kernel");
	f.ph[0].p_paddr = 0;
	expect_error(-ENOEXEC, "the first MiB");
	kernels_elf64(&f);
	f.ph[0].p_paddr = UINT64_MAX - 100;
	expect_error(-ENOEXEC, "impossible sizes");
	kernels_elf64(&f);
	f.ph[0].p_filesz = f.ph[0].p_memsz + 1;
	expect_error(-ENOEXEC, "impossible sizes");
	kernels_elf64(&f);
	f.ph[0].p_offset = sizeof(f) - 3071;
	expect_error(-ENOEXEC, "cut off in the ELF segment at 0x1000000");
	f.ph[0].p_offset = UINT64_MAX;
	expect_error(-ENOEXEC, "cut off in the ELF segment at 0x1000000");
	kernels_elf64(&f);
	f.ph[1].p_paddr = KERNELS_ELF_GPA + KERNELS_ELF_BSS - 1;
	expect_error(-ENOEXEC, "ELF segments at 0x1000000 and 0x1004fff overlap");
	f.ph[1].p_paddr = KERNELS_ELF_GPA - 1023;
	expect_error(-ENOEXEC, "overlap");
	f.ph[1].p_paddr = KERNELS_ELF_GPA - 1024;
	ck_assert_int_eq(parse(), 0);
	f.ph[1].p_paddr = KERNELS_ELF_GPA + KERNELS_ELF_BSS;
	ck_assert_int_eq(parse(), 0);
}
END_TEST

START_TEST(needs_ram)
{
	uint64_t end = KERNELS_ELF_DATA + 1024;

	kernels_elf64(&f);
	ck_assert_int_eq(parse_bytes(&f, sizeof(f), end), 0);
	ck_assert_int_eq(parse_bytes(&f, sizeof(f), end - 1), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "needs RAM up to 17.0 MiB to start"));
	f.ph[0].p_memsz = 2 * GIB;
	expect_error(-EFBIG, "the guest has it up to 64.0 MiB (-m)");
	f.ph[0].p_paddr = 4 * GIB;
	f.ph[0].p_memsz = 4096;
	expect_error(-EFBIG, "needs RAM up to 4.0 GiB");
}
END_TEST

START_TEST(too_many_segments)
{
	struct {
		struct kernels_elf64 e;
		Elf64_Phdr ph[40];
	} many;

	kernels_elf64(&many.e);
	many.e.eh.e_phoff = sizeof(many.e);
	for (unsigned i = 0; i < 40; i++) {
		many.ph[i] = many.e.ph[1];
		many.ph[i].p_paddr += i * 4096ull;
	}
	many.ph[0] = many.e.ph[2];
	many.ph[1] = many.e.ph[0];
	many.e.eh.e_phnum = 33;
	ck_assert_int_eq(parse_bytes(&many, sizeof(many), 64 * MIB), 0);
	ck_assert_uint_eq(k.nsegs, 32);
	many.e.eh.e_phnum = 34;
	ck_assert_int_eq(parse_bytes(&many, sizeof(many), 64 * MIB), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.msg, "more than 32 ELF segments"));
}
END_TEST

START_TEST(entry_note)
{
	const char *none = "without a PVH entry";

	kernels_elf64(&f);
	f.entry.h.n_type = 17;
	expect_error(-ENOEXEC, none);
	kernels_elf64(&f);
	memcpy(f.entry.name, "Xeo", 4);
	expect_error(-ENOEXEC, none);
	kernels_elf64(&f);
	f.entry.h.n_descsz = 2;
	expect_error(-ENOEXEC, none);
	kernels_elf64(&f);
	f.ph[2].p_type = PT_NULL;
	expect_error(-ENOEXEC, none);
	/* A user program says so too, although it is linked below 1 MiB. */
	f.ph[0].p_paddr = 0;
	expect_error(-ENOEXEC, none);
	/* Notes that reach out of the segment or wrap. */
	kernels_elf64(&f);
	f.ph[2].p_filesz -= 1;
	expect_error(-ENOEXEC, none);
	f.ph[2].p_filesz = 24 + 11;
	expect_error(-ENOEXEC, none);
	f.ph[2].p_filesz = 0;
	expect_error(-ENOEXEC, none);
	kernels_elf64(&f);
	f.other.h.n_namesz = UINT32_MAX;
	expect_error(-ENOEXEC, none);
	kernels_elf64(&f);
	f.other.h.n_descsz = UINT32_MAX;
	expect_error(-ENOEXEC, none);
	kernels_elf64(&f);
	f.ph[2].p_offset = UINT64_MAX - 8;
	expect_error(-ENOEXEC, "cut off in its ELF notes");
	/* 4 bytes are as good as 8, the last bytes of the segment are enough. */
	kernels_elf64(&f);
	f.entry.h.n_descsz = 4;
	f.entry.desc |= 0xffull << 32;
	f.ph[2].p_filesz -= 4;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(k.entry, KERNELS_ELF_ENTRY);
}
END_TEST

START_TEST(notes_aligned_to_8)
{
	kernels_elf64(&f);
	/* "GNU" with 5 bytes takes 12 + 4 + 8 in both alignments; then Xen's at 24. */
	f.ph[2].p_align = 8;
	ck_assert_int_eq(parse(), 0);
	ck_assert_uint_eq(k.entry, KERNELS_ELF_ENTRY);
	/* A name of 5 bytes: the descriptor is at 20 by 4, at 24 by 8, where Xen's note is. */
	f.other.h.n_namesz = 5;
	f.other.h.n_descsz = 4;
	expect_error(-ENOEXEC, "without a PVH entry");
	f.ph[2].p_align = 4;
	ck_assert_int_eq(parse(), 0);
}
END_TEST

START_TEST(entry_outside)
{
	kernels_elf64(&f);
	f.entry.desc = KERNELS_ELF_GPA - 1;
	expect_error(-ENOEXEC, "its PVH entry 0xffffff is outside of what it loads");
	f.entry.desc = KERNELS_ELF_GPA + 3072; /* .bss */
	expect_error(-ENOEXEC, "outside of what it loads");
	f.entry.desc = KERNELS_ELF_GPA + 3071;
	ck_assert_int_eq(parse(), 0);
	f.entry.desc = KERNELS_ELF_DATA;
	ck_assert_int_eq(parse(), 0);
	f.entry.desc = KERNELS_ELF_GPA | 1ull << 32;
	expect_error(-ENOEXEC, "outside of what it loads");
}
END_TEST

START_TEST(every_truncation)
{
	kernels_elf64(&f);
	for (size_t n = 4; n < sizeof(f); n += n < 400 ? 1 : 97)
		ck_assert_int_eq(parse_bytes(&f, n, 64 * MIB), -ENOEXEC);
}
END_TEST

UNIT_MAIN("elf", elf64, elf32, load_zeroes_the_rest, zeroing_populates_nothing, bad_headers,
	  bad_segments, needs_ram, too_many_segments, entry_note, notes_aligned_to_8,
	  entry_outside, every_truncation)
