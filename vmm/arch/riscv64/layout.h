/* SPDX-License-Identifier: Apache-2.0 */
/* Guest physical addresses, sizes in bytes, and interrupts of the riscv64 machine. */
#ifndef AEROSTAT_ARCH_RISCV64_LAYOUT_H
#define AEROSTAT_ARCH_RISCV64_LAYOUT_H

/* Devices, below 2 GiB. A machine has a PLIC, or an APLIC and IMSICs. */
#define RISCV64_PLIC_GPA   0x0c000000ull
#define RISCV64_APLIC_GPA  0x0d000000ull
#define RISCV64_IMSIC_GPA  0x0e000000ull /* one page per hart */
#define RISCV64_SERIAL_GPA 0x10000000ull
#define RISCV64_VIRTIO_GPA 0x11000000ull /* one 4 KiB window per slot */

#define RISCV64_PLIC_LEN  0x400000ull /* with the contexts of 255 harts and more */
#define RISCV64_APLIC_LEN 0x4000ull
#define RISCV64_IMSIC_LEN 0x1000ull /* per hart */

/* RAM is one region from here on. */
#define RISCV64_RAM_GPA 0x80000000ull

/* Interrupts: a GSI is the number of a source of the PLIC or APLIC; none has 0. */
#define RISCV64_SOURCES	   31
#define RISCV64_SERIAL_GSI 1
#define RISCV64_VIRTIO_GSI 16 /* slot n raises 16 + n */

/* Identities of an IMSIC: the fewest that it may have, and more than sources and IPIs need. */
#define RISCV64_IMSIC_IDS 63

/* Bits that the number of a hart takes in the address of its IMSIC page. */
static inline unsigned riscv64_hart_bits(unsigned harts)
{
	return harts > 1 ? 32 - (unsigned)__builtin_clz(harts - 1) : 0;
}

#endif
