/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ISA extensions that KVM gives to a guest, and how a device tree says so
 * (Documentation/devicetree/bindings/riscv/extensions.yaml). Compiles on any machine.
 */
#ifndef AEROSTAT_ARCH_RISCV64_ISA_H
#define AEROSTAT_ARCH_RISCV64_ISA_H

#include <stddef.h>
#include <stdint.h>

/* KVM's numbers of those that matter by themselves (enum KVM_RISCV_ISA_EXT_ID). */
#define ISA_ZICBOM 11u
#define ISA_ZICBOZ 12u
#define ISA_ZAWRS  61u

#define ISA_KNOWN 62u /* numbers from 0 on that have a name here */

/* A set of extensions: bit n is KVM's number n. */
#define ISA_HAS(set, n) ((set) >> (n)&1)

/* Names in the canonical order; returns how many. They are constants. */
size_t isa_list(uint64_t set, const char *list[ISA_KNOWN]);

/* Enough for "rv64" and all of them, with the NUL. */
#define ISA_TEXT 512
/* "rv64imac_zba_sstc" */
void isa_string(uint64_t set, char text[ISA_TEXT]);

#endif
