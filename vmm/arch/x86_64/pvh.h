/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a PVH kernel finds in the page that EBX points to: Xen's
 * public/arch-x86/hvm/start_info.h, version 1. All fields are little-endian.
 */
#ifndef AEROSTAT_ARCH_X86_64_PVH_H
#define AEROSTAT_ARCH_X86_64_PVH_H

#include <stdint.h>

#include "vmm/arch/x86_64/e820.h"
#include "vmm/mem/gmem.h"

#define PVH_MAGIC 0x336ec578u

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist; /* gpa, as all that follow */
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t gpa, len;
	uint64_t cmdline;
	uint64_t reserved;
};

struct pvh_memmap {
	uint64_t addr, len;
	uint32_t type; /* as in e820 */
	uint32_t reserved;
};

/* All of it, at X86_PVH_INFO_GPA. */
struct pvh_page {
	struct pvh_start_info info;
	struct pvh_module initrd;
	struct pvh_memmap memmap[E820_MAX];
};

/* Write the page. The command line is at X86_CMDLINE_GPA. initrd_len 0: no initrd. */
void pvh_write_page(const struct gmem *mem, uint64_t initrd, uint64_t initrd_len,
		    uint64_t rsdp);

#endif
