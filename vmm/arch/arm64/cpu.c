// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/arm64/cpu.h"

#include <errno.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/arm64/layout.h"

#define MPIDR_AFFINITY 0xffffffull

int arm64_get_reg(int vcpu_fd, uint64_t id, uint64_t *value)
{
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)value};

	return kvm_ioctl(vcpu_fd, KVM_GET_ONE_REG, &reg);
}

int arm64_set_reg(int vcpu_fd, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};

	return kvm_ioctl(vcpu_fd, KVM_SET_ONE_REG, &reg);
}

int arm64_vcpu_reset(int vm_fd, int vcpu_fd, unsigned id, int off, struct err *err)
{
	struct kvm_vcpu_init init;
	int rc = kvm_ioctl(vm_fd, KVM_ARM_PREFERRED_TARGET, &init);

	if (rc)
		return err_sys(err, rc, "KVM_ARM_PREFERRED_TARGET");
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	if (off)
		init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	rc = kvm_ioctl(vcpu_fd, KVM_ARM_VCPU_INIT, &init);
	return rc ? err_sys(err, rc, "vCPU %u: KVM_ARM_VCPU_INIT", id) : 0;
}

int arm64_vcpu_enter(int vcpu_fd, uint64_t pc, uint64_t arg, struct err *err)
{
	int rc = arm64_set_reg(vcpu_fd, ARM64_CORE_REG(regs.pc), pc);

	if (!rc)
		rc = arm64_set_reg(vcpu_fd, ARM64_CORE_REG(regs.regs[0]), arg);
	return rc ? err_sys(err, rc, "KVM_SET_ONE_REG") : 0;
}

/* The device tree, and a GICv3 by itself, name a CPU by its affinity. */
static int check_affinity(const struct kvm_vcpu *vcpu, struct err *err)
{
	uint64_t mpidr;
	int rc = arm64_get_reg(vcpu->fd, ARM64_MPIDR_EL1, &mpidr);

	if (rc)
		return err_sys(err, rc, "vCPU %u: KVM_GET_ONE_REG of MPIDR_EL1", vcpu->id);
	if ((mpidr & MPIDR_AFFINITY) != arm64_affinity(vcpu->id))
		return err_set(err, -ENOTSUP,
			       "vCPU %u: KVM gives it the unexpected MPIDR %#llx", vcpu->id,
			       (unsigned long long)mpidr);
	return 0;
}

int arch_vcpu_init(struct kvm_vcpu *vcpu, const struct gmem *mem, unsigned ncpus,
		   const struct arch_entry *entry, struct err *err)
{
	int rc = arm64_vcpu_reset(vcpu->set->vm->fd, vcpu->fd, vcpu->id, vcpu->id > 0, err);

	(void)mem;
	(void)ncpus;
	if (!rc)
		rc = check_affinity(vcpu, err);
	if (!rc && vcpu->id == 0)
		rc = arm64_vcpu_enter(vcpu->fd, entry->pc, entry->arg, err);
	return rc;
}
