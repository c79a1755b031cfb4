/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AEROSTAT_ARCH_X86_64_INITRD_H
#define AEROSTAT_ARCH_X86_64_INITRD_H

#include <stdint.h>

#include "vmm/arch/image.h"
#include "vmm/mem/gmem.h"

/*
 * Choose the highest page-aligned place for img that ends at or below `limit` (at most the end
 * of low RAM) and doesn't touch the kernel's [start, end): above the kernel, else between it
 * and 1 MiB. -EFBIG when there is none.
 */
int initrd_place(const struct image *img, const struct gmem *mem, uint64_t start, uint64_t end,
		 uint64_t limit, uint64_t *gpa, struct err *err);

#endif
