// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/e820.h"

#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/ram.h"

#define ISA_HOLE 0xa0000ull /* video memory and ROMs of a PC, up to 1 MiB */

unsigned e820_build(const struct gmem *mem, struct e820_range out[E820_MAX])
{
	unsigned n = 0;

	out[n++] = (struct e820_range){0, X86_LOW_RAM_END, E820_RAM};
	/* Where a PC has its extended BIOS data: kernels expect it not to be RAM. */
	out[n++] =
		(struct e820_range){X86_LOW_RAM_END, ISA_HOLE - X86_LOW_RAM_END, E820_RESERVED};
	out[n++] =
		(struct e820_range){X86_ACPI_GPA, X86_ACPI_END - X86_ACPI_GPA, E820_RESERVED};
	out[n++] = (struct e820_range){X86_HIGH_RAM_START,
				       ram_low_end(mem) - X86_HIGH_RAM_START, E820_RAM};
	for (unsigned i = 1; i < mem->nregions; i++)
		out[n++] =
			(struct e820_range){mem->region[i].gpa, mem->region[i].len, E820_RAM};
	return n;
}
