// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/pvh.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "vmm/arch/x86_64/layout.h"

_Static_assert(sizeof(struct pvh_start_info) == 56, "start info, version 1");
_Static_assert(sizeof(struct pvh_module) == 32, "module list entry");
_Static_assert(sizeof(struct pvh_memmap) == 24, "memory map entry");
_Static_assert(sizeof(struct pvh_page) <= 4096, "layout.h gives it a page");

void pvh_write_page(const struct gmem *mem, uint64_t initrd, uint64_t initrd_len, uint64_t rsdp)
{
	struct pvh_page *page = gmem_ptr(mem, X86_PVH_INFO_GPA, sizeof(*page));
	struct e820_range map[E820_MAX];
	unsigned n = e820_build(mem, map);

	assert(page);
	memset(page, 0, sizeof(*page));
	page->info = (struct pvh_start_info){
		.magic = PVH_MAGIC,
		.version = 1,
		.cmdline = X86_CMDLINE_GPA,
		.rsdp = rsdp,
		.memmap = X86_PVH_INFO_GPA + offsetof(struct pvh_page, memmap),
		.memmap_entries = n,
	};
	if (initrd_len) {
		page->info.nr_modules = 1;
		page->info.modlist = X86_PVH_INFO_GPA + offsetof(struct pvh_page, initrd);
		page->initrd = (struct pvh_module){.gpa = initrd, .len = initrd_len};
	}
	for (unsigned i = 0; i < n; i++)
		page->memmap[i] = (struct pvh_memmap){
			.addr = map[i].addr, .len = map[i].len, .type = map[i].type};
}
