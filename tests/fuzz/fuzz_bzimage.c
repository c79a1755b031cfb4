// SPDX-License-Identifier: Apache-2.0
/* arch_load() with a bzImage that nobody can trust. */
#include "tests/fuzz/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The header begins at 0x1f1: what lies before takes no bytes of the input. */
	const size_t skip = offsetof(struct kernels_bz, hdr);
	static uint8_t input[sizeof(struct fuzz_knobs) + KERNELS_BZ_SIZE];
	static struct kernels_bz valid;
	static struct fuzz_guest g;
	const struct boot_params *bp;
	struct arch_entry entry;
	struct fuzz_knobs knobs;

	if (!g.mem.nregions) {
		fuzz_guest_create(&g);
		kernels_bz(&valid);
	}
	if (size < sizeof(knobs))
		return 0;
	memset(input, 0, sizeof(input));
	memcpy(input, data, sizeof(knobs));
	data += sizeof(knobs);
	size -= sizeof(knobs);
	if (size > sizeof(input) - sizeof(knobs) - skip)
		size = sizeof(input) - sizeof(knobs) - skip;
	memcpy(input + sizeof(knobs) + skip, data, size);
	fuzz_files(&g, &knobs, &valid, sizeof(valid), input, sizeof(input));
	if (fuzz_load(&g, &knobs, &entry))
		return 0;

	assert(!entry.pvh && entry.arg == X86_ZERO_PAGE_GPA);
	bp = gmem_ptr(&g.mem, entry.arg, sizeof(*bp));
	assert(entry.pc == bp->hdr.code32_start + 0x200ull);
	assert((uint64_t)bp->hdr.code32_start + bp->hdr.init_size <= FUZZ_RAM);
	assert(bp->hdr.ramdisk_size == knobs.initrd);
	if (knobs.initrd) {
		uint64_t gpa = bp->hdr.ramdisk_image, len = bp->hdr.ramdisk_size;

		fuzz_check_initrd(gpa, len, bp->hdr.code32_start,
				  bp->hdr.code32_start + (uint64_t)bp->hdr.init_size);
		assert(gpa + len - 1 <= bp->hdr.initrd_addr_max);
	}
	return 0;
}
