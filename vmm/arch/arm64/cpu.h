/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU's registers by KVM_GET_ONE_REG and KVM_SET_ONE_REG, and how it starts. For the main
 * thread, while the vCPU is not in KVM_RUN.
 */
#ifndef AEROSTAT_ARCH_ARM64_CPU_H
#define AEROSTAT_ARCH_ARM64_CPU_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/kvm/kvm.h"

/* A member of struct kvm_regs, 64 bits wide. */
#define ARM64_CORE_REG(member)                                                                 \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(member))

#define ARM64_MPIDR_EL1 ARM64_SYS_REG(3, 0, 0, 0, 5)
#define ARM64_SCTLR_EL1 ARM64_SYS_REG(3, 0, 1, 0, 0)

/* Bits of a guest physical address that this host's KVM can give. */
unsigned arm64_ipa_bits(const struct kvm_host *host);

/* 0 or a negative errno. */
int arm64_get_reg(int vcpu_fd, uint64_t id, uint64_t *value);
int arm64_set_reg(int vcpu_fd, uint64_t id, uint64_t value);

/*
 * Reset a vCPU: of the host's kind, with PSCI 1.x by KVM, off until another vCPU turns it on
 * if `off`. 0 or a negative errno with *err.
 */
int arm64_vcpu_reset(int vm_fd, int vcpu_fd, unsigned id, int off, struct err *err);

/*
 * Start a reset vCPU at pc with x0 = arg, and as reset leaves it else: EL1, exceptions masked,
 * MMU off (Documentation/arch/arm64/booting.rst).
 */
int arm64_vcpu_enter(int vcpu_fd, uint64_t pc, uint64_t arg, struct err *err);

#endif
