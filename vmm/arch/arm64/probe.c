// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/arm64/cpu.h"
#include "vmm/arch/speed.h"

#define DONE_GPA      0x08000000ull /* no RAM: a store there exits */
#define SCTLR_I_CACHE (1ull << 12)

/*
 * Out of reset instructions don't come from the cache, and then a loop tells how fast the
 * host's memory is, not its KVM. The MMU may stay off.
 */
static int cache_code(int vcpu_fd, struct err *err)
{
	uint64_t sctlr;
	int rc = arm64_get_reg(vcpu_fd, ARM64_SCTLR_EL1, &sctlr);

	if (!rc)
		rc = arm64_set_reg(vcpu_fd, ARM64_SCTLR_EL1, sctlr | SCTLR_I_CACHE);
	return rc ? err_sys(err, rc, "KVM_SET_ONE_REG of SCTLR_EL1") : 0;
}

int arch_probe_speed(const struct kvm_host *host, uint64_t *ns, struct err *err)
{
	static const uint32_t code[] = {
		0x52800001 | SPEED_TURNS << 5, /* again: mov w1, turns */
		0x71000421,		       /* turn: subs w1, w1, #1 */
		0x54ffffe1,		       /* b.ne turn */
		0xb9000001,		       /* str w1, [x0] */
		0x17fffffc,		       /* b again */
	};
	struct kvm_host h = *host;
	struct speed s;
	int rc = arch_host_init(&h, SPEED_RAM_LEN, err);

	if (rc)
		return rc;
	rc = speed_open(&s, &h, code, sizeof(code), err);
	if (!rc)
		rc = arm64_vcpu_reset(s.vm.fd, s.fd, 0, 0, err);
	if (!rc)
		rc = cache_code(s.fd, err);
	if (!rc)
		rc = arm64_vcpu_enter(s.fd, SPEED_CODE_GPA, DONE_GPA, err);
	if (!rc)
		rc = speed_measure(&s, KVM_EXIT_MMIO, ns, err);
	speed_close(&s);
	return rc;
}

static const char *gic(const struct kvm_vm *vm)
{
	static const struct {
		uint32_t type;
		const char *name;
	} kinds[] = {{KVM_DEV_TYPE_ARM_VGIC_V3, "GICv3"}, {KVM_DEV_TYPE_ARM_VGIC_V2, "GICv2"}};

	for (unsigned i = 0; i < 2; i++) {
		struct kvm_create_device dev = {.type = kinds[i].type,
						.flags = KVM_CREATE_DEVICE_TEST};

		if (!kvm_ioctl(vm->fd, KVM_CREATE_DEVICE, &dev))
			return kinds[i].name;
	}
	return "no GIC";
}

/* Nothing but KVM tells: EL2 is not in what the kernel says of a CPU. */
void arch_host_virt(char *out, size_t len)
{
	struct kvm_host host;
	struct kvm_vm vm;

	if (kvm_host_open(&host, NULL)) {
		snprintf(out, len, "not known (only KVM could tell)");
		return;
	}
	if (arch_host_init(&host, SPEED_RAM_LEN, NULL) || kvm_vm_create(&vm, &host, NULL)) {
		snprintf(out, len, "not known (KVM can't make a VM)");
	} else {
		snprintf(out, len, "Arm EL2, guests have %s and up to %u address bits",
			 gic(&vm), arm64_ipa_bits(&host));
		kvm_vm_destroy(&vm);
	}
	kvm_host_close(&host);
}
