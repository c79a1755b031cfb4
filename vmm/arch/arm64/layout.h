/* SPDX-License-Identifier: Apache-2.0 */
/* Guest physical addresses and interrupts of the arm64 machine. */
#ifndef AEROSTAT_ARCH_ARM64_LAYOUT_H
#define AEROSTAT_ARCH_ARM64_LAYOUT_H

#include <stdint.h>

/* Below 1 GiB: devices. Windows of KVM's are aligned to the largest host page, 64 KiB. */
#define ARM64_GIC_DIST_GPA   0x08000000ull
#define ARM64_GIC_CPU_GPA    0x08010000ull /* GICv2 */
#define ARM64_GIC_REDIST_GPA 0x09000000ull /* GICv3: one after the other, a frame per CPU */
#define ARM64_SERIAL_GPA     0x10000000ull
#define ARM64_VIRTIO_GPA     0x11000000ull /* one 4 KiB window per slot */

#define ARM64_GIC3_DIST_LEN   0x10000ull
#define ARM64_GIC3_REDIST_LEN 0x20000ull /* per CPU */
#define ARM64_GIC2_DIST_LEN   0x1000ull
#define ARM64_GIC2_CPU_LEN    0x2000ull
#define ARM64_GIC2_CPUS	      8

/* RAM is one region from here on. */
#define ARM64_RAM_GPA 0x40000000ull

/* Interrupts: a GSI is the number of a shared peripheral interrupt (SPI). */
#define ARM64_SERIAL_GSI 0
#define ARM64_VIRTIO_GSI 16 /* slot n raises 16 + n */
#define ARM64_GIC_IRQS	 64 /* 32 private ones of each CPU, 32 SPIs; a multiple of 32 */

/*
 * The affinity fields of MPIDR_EL1 that KVM gives to the vCPU of this number (Linux,
 * arch/arm64/kvm: groups of 16, as a GICv3 addresses them).
 */
static inline uint64_t arm64_affinity(unsigned id)
{
	return (id & 0xf) | (id >> 4 & 0xff) << 8 | (uint64_t)(id >> 12 & 0xff) << 16;
}

#endif
