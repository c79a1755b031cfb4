/* SPDX-License-Identifier: Apache-2.0 */
/* Where the machine's RAM lies: around the hole below 4 GiB. */
#ifndef AEROSTAT_ARCH_X86_64_RAM_H
#define AEROSTAT_ARCH_X86_64_RAM_H

#include <stdint.h>

#include "vmm/mem/gmem.h"

/*
 * arch_ram_layout() for a host whose guests have phys_bits bits of physical address. bytes is
 * a multiple of 4 KiB and not 0.
 */
int ram_layout(uint64_t bytes, unsigned phys_bits, struct gmem_span spans[GMEM_MAX_REGIONS],
	       unsigned *n, struct err *err);

/* Bits of a guest physical address on this host (CPUID 0x80000008). */
unsigned ram_phys_bits(void);

/*
 * End of the RAM that starts at address 0 and ends before the hole: everything a boot protocol
 * places lies below. At least 2 MiB of it exist (asserted).
 */
uint64_t ram_low_end(const struct gmem *mem);

#endif
