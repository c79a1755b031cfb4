// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/ram.h"

#include <assert.h>
#include <cpuid.h>
#include <errno.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/base/size.h"

unsigned ram_phys_bits(void)
{
	unsigned eax, ebx, ecx, edx;
	unsigned guest;

	if (!__get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx))
		return 36; /* what PAE has, the least of a CPU with long mode */
	/* A hypervisor below us may allow its guests' guests fewer bits than the CPU has. */
	guest = eax >> 16 & 0xff;
	return guest ? guest : eax & 0xff;
}

int ram_layout(uint64_t bytes, unsigned phys_bits, struct gmem_span spans[GMEM_MAX_REGIONS],
	       unsigned *n, struct err *err)
{
	uint64_t low = bytes < X86_HOLE_START ? bytes : X86_HOLE_START;
	uint64_t high = bytes - low;
	uint64_t top, room;
	char max[SIZE_TEXT], asked[SIZE_TEXT];

	assert(bytes && !(bytes % GMEM_PAGE_SIZE));
	top = 1ull << (phys_bits < 63 ? phys_bits : 63);
	room = top > X86_HOLE_END ? top - X86_HOLE_END : 0;
	if (high > room)
		return err_set(err, -EINVAL,
			       "-m %s: at most %s on this host (%u physical address bits)",
			       size_format(bytes, asked),
			       size_format(X86_HOLE_START + room, max), phys_bits);
	spans[0] = (struct gmem_span){.gpa = 0, .len = low};
	*n = 1;
	if (high)
		spans[(*n)++] = (struct gmem_span){.gpa = X86_HOLE_END, .len = high};
	return 0;
}

int arch_ram_layout(uint64_t bytes, struct gmem_span spans[GMEM_MAX_REGIONS], unsigned *n,
		    struct err *err)
{
	return ram_layout(bytes, ram_phys_bits(), spans, n, err);
}

uint64_t ram_low_end(const struct gmem *mem)
{
	const struct gmem_region *r = &mem->region[0];

	assert(mem->nregions && !r->gpa && r->len >= 2 * MIB && r->len <= X86_HOLE_START);
	return r->len;
}
