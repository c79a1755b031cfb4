/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF kernels with a PVH entry: a 32-bit entry point that a note announces (Xen's
 * docs/misc/pvh.pandoc, Linux arch/x86/platform/pvh/head.S). ELF64 for x86-64, and ELF32 for
 * i386, which small bare-metal guests are.
 */
#ifndef AEROSTAT_ARCH_X86_64_ELF_H
#define AEROSTAT_ARCH_X86_64_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/arch/image.h"
#include "vmm/mem/gmem.h"

#define ELF_SEGMENTS_MAX 32

/* A PT_LOAD: filesz bytes of the file at off go to gpa, zeros follow up to memsz. */
struct elf_segment {
	uint64_t off, filesz;
	uint64_t gpa, memsz;
};

struct elf_kernel {
	struct elf_segment seg[ELF_SEGMENTS_MAX]; /* not overlapping */
	unsigned nsegs;
	uint64_t entry;	     /* gpa, inside what the file fills */
	uint64_t start, end; /* gpa, around all segments */
};

/* Do these first len bytes of a file begin an ELF file of any kind? */
bool elf_probe(const uint8_t *head, size_t len);

/*
 * Read and check the headers. All segments lie in [1 MiB, low_end). -ENOEXEC: not one that we
 * boot; -EFBIG: needs more RAM; or a read error.
 */
int elf_parse(const struct image *img, uint64_t low_end, struct elf_kernel *k, struct err *err);

/* Read the segments to their places. */
int elf_load(const struct image *img, const struct elf_kernel *k, const struct gmem *mem,
	     struct err *err);

#endif
