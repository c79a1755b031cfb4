/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels of the "Image" format, plain or in gzip: a header of 64 bytes at the start of what
 * is loaded, as arm64 and riscv64 have it (Documentation/arch/arm64/booting.rst,
 * Documentation/arch/riscv/boot-image-header.rst).
 */
#ifndef AEROSTAT_ARCH_KIMAGE_KIMAGE_H
#define AEROSTAT_ARCH_KIMAGE_KIMAGE_H

#include <stdint.h>

#include "vmm/arch/image.h"
#include "vmm/mem/gmem.h"

struct kimage_header {
	uint32_t code[2];
	uint64_t text_offset; /* from an address that is a multiple of 2 MiB */
	uint64_t image_size;  /* bytes it needs from there, with what is not in the file */
	uint64_t flags;	      /* bit 0: big endian */
	uint64_t res[3];
	uint32_t magic; /* KIMAGE_* */
	uint32_t pe;
};

#define KIMAGE_ARM64   0x644d5241u /* "ARM\x64" */
#define KIMAGE_RISCV64 0x05435352u /* "RSC\x05" */

#define KIMAGE_ALIGN (2ull << 20)

struct kimage {
	uint64_t start; /* gpa of the entry */
	uint64_t end;	/* gpa: nothing else may lie below before the kernel has started */
};

/*
 * Put the kernel into RAM as low as it goes at or above `from` (a multiple of KIMAGE_ALIGN, in
 * RAM). magic and name are those of the architecture ("an arm64"). 0; -ENOEXEC: not a kernel
 * that boots here; -EFBIG: needs more RAM; another negative errno. *err has one line.
 */
int kimage_load(const struct image *img, uint32_t magic, const char *name,
		const struct gmem *mem, uint64_t from, struct kimage *k, struct err *err);

#endif
