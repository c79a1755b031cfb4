// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/riscv64/cpu.h"
#include "vmm/arch/riscv64/exit.h"
#include "vmm/arch/riscv64/layout.h"
#include "vmm/base/size.h"

#define GPA_BITS_DEFAULT 41u /* Sv39x4, which every host with guests has */

unsigned riscv64_gpa_bits(const struct kvm_host *host)
{
	int cap = kvm_host_cap(host, KVM_CAP_VM_GPA_BITS);

	return cap ? (unsigned)cap : GPA_BITS_DEFAULT;
}

/*
 * KVM has an interrupt controller where the CPU has the AIA for guests. Its irqfds raise a
 * source and never lower it (arch/riscv/kvm/vm.c, kvm_arch_set_irq_inatomic), so that of edges
 * all but the first are lost: sources are pulsed instead.
 */
int arch_host_init(struct kvm_host *host, uint64_t bytes, struct err *err)
{
	unsigned most = riscv64_gpa_bits(host);
	char asked[SIZE_TEXT], max[SIZE_TEXT];

	if (bytes > (1ull << most) - RISCV64_RAM_GPA)
		return err_set(err, -EINVAL,
			       "-m %s: at most %s on this host (%u physical address bits)",
			       size_format(bytes, asked),
			       size_format((1ull << most) - RISCV64_RAM_GPA, max), most);
	host->irqs = kvm_host_cap(host, KVM_CAP_IRQCHIP) ? KVM_IRQS_PULSE : KVM_IRQS_VCPU;
	return 0;
}

int arch_vm_init(struct kvm_vm *vm, struct err *err)
{
	int rc;

	vm->arch_exit = riscv64_exit;
	if (vm->host->irqs == KVM_IRQS_VCPU)
		return 0;
	rc = kvm_vm_irqchip(vm, KVM_DEV_TYPE_RISCV_AIA, err);
	return rc == -ENODEV ? err_set(err, rc, "this host's KVM offers an AIA, but gives none")
			     : rc;
}

static int set_config(struct kvm_vm *vm, uint64_t what, uint32_t value, struct err *err)
{
	return kvm_vm_irqchip_set(vm, KVM_DEV_RISCV_AIA_GRP_CONFIG, what, &value, err);
}

static int set_address(struct kvm_vm *vm, uint64_t what, uint64_t gpa, struct err *err)
{
	return kvm_vm_irqchip_set(vm, KVM_DEV_RISCV_AIA_GRP_ADDR, what, &gpa, err);
}

/* Documentation/virt/kvm/devices: its mode is KVM's to choose, by what the host has. */
int arch_vm_ready(struct kvm_vm *vm, unsigned ncpus, struct err *err)
{
	int rc;

	if (!vm->irqchip)
		return 0;
	rc = set_config(vm, KVM_DEV_RISCV_AIA_CONFIG_SRCS, RISCV64_SOURCES, err);
	if (!rc)
		rc = set_config(vm, KVM_DEV_RISCV_AIA_CONFIG_IDS, RISCV64_IMSIC_IDS, err);
	if (!rc)
		rc = set_config(vm, KVM_DEV_RISCV_AIA_CONFIG_HART_BITS,
				riscv64_hart_bits(ncpus), err);
	if (!rc)
		rc = set_address(vm, KVM_DEV_RISCV_AIA_ADDR_APLIC, RISCV64_APLIC_GPA, err);
	for (unsigned i = 0; i < ncpus && !rc; i++)
		rc = set_address(vm, KVM_DEV_RISCV_AIA_ADDR_IMSIC(i),
				 RISCV64_IMSIC_GPA + i * RISCV64_IMSIC_LEN, err);
	if (!rc)
		rc = kvm_vm_irqchip_set(vm, KVM_DEV_RISCV_AIA_GRP_CTRL,
					KVM_DEV_RISCV_AIA_CTRL_INIT, NULL, err);
	return rc;
}
