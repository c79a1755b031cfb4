/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory map a kernel is told, in the terms of ACPI 6.5 section 15 (Address Range Types).
 * The zero page and the PVH start info carry the same list.
 */
#ifndef AEROSTAT_ARCH_X86_64_E820_H
#define AEROSTAT_ARCH_X86_64_E820_H

#include <stdint.h>

#include "vmm/mem/gmem.h"

#define E820_RAM      1
#define E820_RESERVED 2

#define E820_MAX (4 + GMEM_MAX_REGIONS)

struct e820_range {
	uint64_t addr, len; /* bytes */
	uint32_t type;
};

/* Fill out in ascending order and return how many. mem is as ram_low_end() wants it. */
unsigned e820_build(const struct gmem *mem, struct e820_range out[E820_MAX]);

#endif
