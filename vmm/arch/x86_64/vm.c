// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"

static int vm_ioctl(struct kvm_vm *vm, unsigned long req, const char *name, void *arg,
		    struct err *err)
{
	int rc = kvm_ioctl(vm->fd, req, arg);

	return rc < 0 ? err_sys(err, rc, "%s", name) : 0;
}

#define VM_IOCTL(vm, req, arg, err) vm_ioctl(vm, req, #req, arg, err)

/*
 * KVM gives GSI 0 to 15 to its PIC as well as to its I/O APIC. A guest with hardware-reduced
 * ACPI never touches the PIC, and out of reset that one would pass the first edge on to the CPU
 * as an exception's vector. So mask it, as firmware does before it starts a kernel.
 */
static int mask_pic(struct kvm_vm *vm, struct err *err)
{
	static const uint32_t pics[] = {KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE};

	for (unsigned i = 0; i < 2; i++) {
		struct kvm_irqchip chip = {.chip_id = pics[i]};
		int rc;

		rc = VM_IOCTL(vm, KVM_GET_IRQCHIP, &chip, err);
		if (rc)
			return rc;
		chip.chip.pic.imr = 0xff;
		rc = VM_IOCTL(vm, KVM_SET_IRQCHIP, &chip, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* Addresses of guests are as wide as the CPU's: nothing to be told to KVM. */
int arch_host_init(struct kvm_host *host, uint64_t bytes, struct err *err)
{
	(void)host;
	(void)bytes;
	(void)err;
	return 0;
}

/* The two addresses are for Intel CPUs that can't run real mode or an unpaged guest otherwise.
 */
int arch_vm_init(struct kvm_vm *vm, struct err *err)
{
	uint64_t idmap = X86_KVM_IDMAP_GPA;
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	int rc;

	rc = VM_IOCTL(vm, KVM_SET_IDENTITY_MAP_ADDR, &idmap, err);
	if (!rc)
		rc = VM_IOCTL(vm, KVM_SET_TSS_ADDR, (void *)X86_KVM_TSS_GPA, err);
	if (!rc)
		rc = VM_IOCTL(vm, KVM_CREATE_IRQCHIP, NULL, err);
	if (!rc)
		rc = mask_pic(vm, err);
	if (!rc)
		rc = VM_IOCTL(vm, KVM_CREATE_PIT2, &pit, err);
	return rc;
}

int arch_vm_ready(struct kvm_vm *vm, unsigned ncpus, struct err *err)
{
	(void)vm;
	(void)ncpus;
	(void)err;
	return 0;
}
