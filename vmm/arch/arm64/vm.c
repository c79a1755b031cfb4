// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <errno.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/arm64/cpu.h"
#include "vmm/arch/arm64/layout.h"
#include "vmm/base/size.h"

/* KVM_CAP_ARM_VM_IPA_SIZE, api.rst: 32 to what the capability says; without it, 40. */
#define IPA_MIN	    32u
#define IPA_DEFAULT 40u

unsigned arm64_ipa_bits(const struct kvm_host *host)
{
	int cap = kvm_host_cap(host, KVM_CAP_ARM_VM_IPA_SIZE);

	return cap ? (unsigned)cap : IPA_DEFAULT;
}

int arch_host_init(struct kvm_host *host, uint64_t bytes, struct err *err)
{
	unsigned most = arm64_ipa_bits(host);
	unsigned need = 64 - (unsigned)__builtin_clzll(ARM64_RAM_GPA + bytes - 1);
	char asked[SIZE_TEXT], max[SIZE_TEXT];

	if (need > most)
		return err_set(err, -EINVAL,
			       "-m %s: at most %s on this host (%u physical address bits)",
			       size_format(bytes, asked),
			       size_format((1ull << most) - ARM64_RAM_GPA, max), most);
	/* Few bits are few levels of page tables for the CPU to walk. */
	if (kvm_host_cap(host, KVM_CAP_ARM_VM_IPA_SIZE))
		host->vm_type = KVM_VM_TYPE_ARM_IPA_SIZE(need > IPA_MIN ? need : IPA_MIN);
	return 0;
}

static int set_address(struct kvm_vm *vm, uint64_t what, uint64_t gpa, struct err *err)
{
	return kvm_vm_irqchip_set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, what, &gpa, err);
}

static int create_gic3(struct kvm_vm *vm, struct err *err)
{
	int rc = kvm_vm_irqchip(vm, KVM_DEV_TYPE_ARM_VGIC_V3, err);

	if (!rc)
		rc = set_address(vm, KVM_VGIC_V3_ADDR_TYPE_DIST, ARM64_GIC_DIST_GPA, err);
	if (!rc)
		rc = set_address(vm, KVM_VGIC_V3_ADDR_TYPE_REDIST, ARM64_GIC_REDIST_GPA, err);
	return rc;
}

static int create_gic2(struct kvm_vm *vm, struct err *err)
{
	int rc = kvm_vm_irqchip(vm, KVM_DEV_TYPE_ARM_VGIC_V2, err);

	if (!rc)
		rc = set_address(vm, KVM_VGIC_V2_ADDR_TYPE_DIST, ARM64_GIC_DIST_GPA, err);
	if (!rc)
		rc = set_address(vm, KVM_VGIC_V2_ADDR_TYPE_CPU, ARM64_GIC_CPU_GPA, err);
	return rc;
}

/* Of what the host has: a GICv3 has more CPUs and is faster, and many hosts have only one. */
int arch_vm_init(struct kvm_vm *vm, struct err *err)
{
	int rc = create_gic3(vm, err);

	if (rc == -ENODEV)
		rc = create_gic2(vm, err);
	if (rc == -ENODEV)
		return err_set(err, rc, "this host's KVM offers neither a GICv3 nor a GICv2");
	return rc;
}

int arch_vm_ready(struct kvm_vm *vm, unsigned ncpus, struct err *err)
{
	const uint32_t irqs = ARM64_GIC_IRQS;
	int rc = kvm_vm_irqchip_set(vm, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs, err);

	/* Never more than the GIC can have: KVM_CAP_MAX_VCPUS of a host with a GICv2 says 8. */
	(void)ncpus;
	if (!rc)
		rc = kvm_vm_irqchip_set(vm, KVM_DEV_ARM_VGIC_GRP_CTRL,
					KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, err);
	return rc;
}
