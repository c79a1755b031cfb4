/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a vCPU starts.
 *
 * vCPU 0 begins in the kernel's entry, in one of two ways:
 *  - the 64-bit boot protocol (Linux Documentation/arch/x86/boot.rst): long mode, the first
 *    4 GiB mapped one to one, __BOOT_CS 0x10, __BOOT_DS 0x18, RSI the boot parameters;
 *  - PVH (xen/include/public/arch-x86/hvm/start_info.h): 32-bit protected mode without paging,
 *    flat segments, EBX the start info.
 * The others wait for the INIT and SIPI that the kernel sends.
 */
#ifndef AEROSTAT_ARCH_X86_64_CPU_H
#define AEROSTAT_ARCH_X86_64_CPU_H

#include <linux/kvm.h>

#include "vmm/arch/arch.h"

/*
 * Where a PC's BIOS starts, F000:FFF0, and what a kernel jumps to that wants it to reset the
 * machine. Linux does so when ACPI is hardware-reduced and there is no EFI (arch/x86/kernel/
 * reboot.c: it prefers EFI to the ACPI reset register then, and falls back to the BIOS).
 */
#define X86_RESET_VECTOR_GPA 0xffff0ull
#define X86_RESET_VECTOR_LEN 16u

/* General registers at the entry. */
struct kvm_regs x86_entry_regs(const struct arch_entry *entry);

/* Change s, the state after reset that KVM_GET_SREGS gives, to the entry's. */
void x86_entry_sregs(struct kvm_sregs *s, const struct arch_entry *entry);

/*
 * Write what the state of x86_entry_sregs() refers to: the GDT, and for the 64-bit entry the
 * page tables. 0 or -EFAULT: no RAM there. The guest must not run.
 */
int x86_entry_tables(const struct gmem *mem, const struct kvm_sregs *s);

/* Write the code at the reset vector: it resets by the power registers. Returns as above. */
int x86_reset_vector(const struct gmem *mem);

#endif
