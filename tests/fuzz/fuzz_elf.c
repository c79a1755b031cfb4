// SPDX-License-Identifier: Apache-2.0
/* arch_load() with an ELF kernel that nobody can trust; the first byte chooses 32 or 64 bits.
 */
#include "tests/fuzz/kernel.h"
#include "vmm/arch/x86_64/elf.h"
#include "vmm/arch/x86_64/pvh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The segments once more, by the parser alone: the file hasn't changed. */
static void check_segments(const struct fuzz_guest *g, uint64_t initrd, uint64_t len,
			   const struct arch_entry *entry)
{
	struct elf_kernel k;
	struct image img;
	bool inside = false;

	assert(!image_init(&img, "kernel", g->kernel, "k", NULL));
	assert(!elf_parse(&img, FUZZ_RAM, &k, NULL));
	for (unsigned i = 0; i < k.nsegs; i++) {
		const struct elf_segment *s = &k.seg[i];
		const uint8_t *p = gmem_ptr(&g->mem, s->gpa, s->memsz);

		assert(p && s->gpa >= X86_HIGH_RAM_START);
		if (len)
			fuzz_check_initrd(initrd, len, s->gpa, s->gpa + s->memsz);
		if (s->memsz > s->filesz)
			assert(!p[s->filesz] && !p[s->memsz - 1]);
		inside |= entry->pc >= s->gpa && entry->pc < s->gpa + s->filesz;
	}
	assert(inside);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kernels_elf64 valid64;
	static struct kernels_elf32 valid32;
	static struct fuzz_guest g;
	const struct pvh_page *page;
	struct arch_entry entry;
	struct fuzz_knobs knobs;

	if (!g.mem.nregions) {
		fuzz_guest_create(&g);
		kernels_elf64(&valid64);
		kernels_elf32(&valid32);
	}
	if (!size)
		return 0;
	if (*data & 1)
		fuzz_files(&g, &knobs, &valid32, sizeof(valid32), data + 1, size - 1);
	else
		fuzz_files(&g, &knobs, &valid64, sizeof(valid64), data + 1, size - 1);
	if (fuzz_load(&g, &knobs, &entry))
		return 0;

	assert(entry.pvh && entry.arg == X86_PVH_INFO_GPA);
	page = gmem_ptr(&g.mem, entry.arg, sizeof(*page));
	assert(page->info.nr_modules == (knobs.initrd != 0));
	assert(page->initrd.len == knobs.initrd);
	check_segments(&g, page->initrd.gpa, page->initrd.len, &entry);
	return 0;
}
