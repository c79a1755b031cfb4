/* SPDX-License-Identifier: Apache-2.0 */
/* Exits that only riscv64 has. Compiles on any machine. */
#ifndef AEROSTAT_ARCH_RISCV64_EXIT_H
#define AEROSTAT_ARCH_RISCV64_EXIT_H

#include <linux/kvm.h>
#include <stdbool.h>

/*
 * Answer an exit to the guest: what it asked of its firmware that KVM doesn't play, and its
 * reads of the seed register (extension Zkr). For struct kvm_vm's arch_exit; the vCPU's thread.
 */
bool riscv64_exit(struct kvm_run *run);

#endif
