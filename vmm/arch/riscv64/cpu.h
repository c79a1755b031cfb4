/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU's registers by KVM_GET_ONE_REG and KVM_SET_ONE_REG
 * (Documentation/virt/kvm/api.rst, 4.68 and 4.69), and how it starts. Main thread, the vCPU
 * parked: KVM would wait for one that runs.
 */
#ifndef AEROSTAT_ARCH_RISCV64_CPU_H
#define AEROSTAT_ARCH_RISCV64_CPU_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/arch/riscv64/tree.h"
#include "vmm/base/err.h"
#include "vmm/kvm/kvm.h"

#define RISCV64_REG(what) (KVM_REG_RISCV | KVM_REG_SIZE_U64 | (what))

/* A member of struct kvm_riscv_core, of kvm_riscv_csr, of kvm_riscv_config. */
#define RISCV64_CORE(member) RISCV64_REG(KVM_REG_RISCV_CORE | KVM_REG_RISCV_CORE_REG(member))
#define RISCV64_CSR(member)                                                                    \
	RISCV64_REG(KVM_REG_RISCV_CSR | KVM_REG_RISCV_CSR_GENERAL |                            \
		    KVM_REG_RISCV_CSR_REG(member))
#define RISCV64_CONFIG(member)                                                                 \
	RISCV64_REG(KVM_REG_RISCV_CONFIG | KVM_REG_RISCV_CONFIG_REG(member))

/* Bits of a guest physical address that this host's KVM can give. */
unsigned riscv64_gpa_bits(const struct kvm_host *host);

/* 0 or a negative errno. */
int riscv64_get_reg(int vcpu_fd, uint64_t id, uint64_t *value);
int riscv64_set_reg(int vcpu_fd, uint64_t id, uint64_t value);

/* What the guest is told of its harts, from any vCPU. 0 or a negative errno with *err. */
int riscv64_hart_read(int vcpu_fd, struct riscv64_hart *hart, struct err *err);

/*
 * Start the vCPU of this hart at pc with a0 = hartid and a1 = arg, and as KVM makes it else:
 * supervisor mode, MMU off (Documentation/arch/riscv/boot.rst).
 */
int riscv64_vcpu_enter(int vcpu_fd, unsigned hartid, uint64_t pc, uint64_t arg,
		       struct err *err);

#endif
