/* SPDX-License-Identifier: Apache-2.0 */
/* Guest physical addresses, ports and interrupts of the x86-64 machine. */
#ifndef AEROSTAT_ARCH_X86_64_LAYOUT_H
#define AEROSTAT_ARCH_X86_64_LAYOUT_H

/* Below 1 MiB: what the boot protocols need. All of it is RAM of slot 0. */
#define X86_GDT_GPA	    0x00000500ull
#define X86_ZERO_PAGE_GPA   0x00007000ull
#define X86_PAGE_TABLES_GPA 0x00009000ull /* PML4, PDPT, 4 page directories: 24 KiB */
#define X86_PVH_INFO_GPA    0x00010000ull /* hvm_start_info, module list, memory map: 4 KiB */
#define X86_CMDLINE_GPA	    0x00020000ull
#define X86_LOW_RAM_END	    0x0009fc00ull
#define X86_ACPI_GPA	    0x000e0000ull /* RSDP first, where a search finds it */
#define X86_ACPI_END	    0x00100000ull
#define X86_HIGH_RAM_START  0x00100000ull

/* The hole between 3 and 4 GiB: no RAM, all MMIO. */
#define X86_HOLE_START	  0xc0000000ull
#define X86_HOLE_END	  0x100000000ull
#define X86_VIRTIO_GPA	  0xd0000000ull /* one 4 KiB window per slot */
#define X86_IOAPIC_GPA	  0xfec00000ull
#define X86_LAPIC_GPA	  0xfee00000ull
#define X86_KVM_IDMAP_GPA 0xfffbc000ull /* KVM_SET_IDENTITY_MAP_ADDR: 1 page */
#define X86_KVM_TSS_GPA	  0xfffbd000ull /* KVM_SET_TSS_ADDR: 3 pages */

/* Ports. */
#define X86_SERIAL_PORT 0x3f8
#define X86_I8042_PORT	0x60
#define X86_I8042_LEN	5
#define X86_PM_PORT	0x600 /* sleep control, see vmm/io/pm_regs.h */
#define X86_PM_LEN	8

/* Interrupts (GSI = I/O APIC pin). */
#define X86_SERIAL_GSI 4
#define X86_PM_GSI     9
#define X86_VIRTIO_GSI 16 /* slot n raises 16 + n; the I/O APIC has 24 pins */

#endif
