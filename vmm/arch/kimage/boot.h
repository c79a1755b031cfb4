/* SPDX-License-Identifier: Apache-2.0 */
/* Where a kernel of the Image format, its device tree and its initrd go in a guest's RAM. */
#ifndef AEROSTAT_ARCH_KIMAGE_BOOT_H
#define AEROSTAT_ARCH_KIMAGE_BOOT_H

#include "vmm/arch/arch.h"
#include "vmm/arch/kimage/kimage.h"

/*
 * From the start of RAM on, near each other: a kernel of arm64 wants its initrd within the same
 * 32 GiB (Linux, Documentation/arch/arm64/booting.rst), and those of both architectures map the
 * 2 MiB that the tree is in before they know of other memory (arch/riscv/mm/init.c).
 */
struct kimage_boot {
	struct kimage kernel;
	uint64_t dtb;	 /* gpa of the place for the tree, a multiple of KIMAGE_ALIGN */
	uint64_t initrd; /* gpa */
	uint64_t initrd_len;
};

/*
 * Load b's kernel and its initrd, if it has one, into the first region of b's memory. magic and
 * name are kimage_load()'s, tree_max is how many bytes the tree may have: at most KIMAGE_ALIGN
 * (asserted). Main thread. 0 or a negative errno with *err: kimage_load()'s, and -EFBIG when
 * not all of it fits.
 */
int kimage_boot_load(const struct arch_boot *b, uint32_t magic, const char *name,
		     uint64_t tree_max, struct kimage_boot *out, struct err *err);

#endif
