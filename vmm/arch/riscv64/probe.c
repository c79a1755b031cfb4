// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/riscv64/cpu.h"
#include "vmm/arch/speed.h"

#define DONE_GPA 0x08000000ull /* no RAM: a store there exits */

_Static_assert(SPEED_TURNS == 0x2710, "what the code counts");

int arch_probe_speed(const struct kvm_host *host, uint64_t *ns, struct err *err)
{
	static const uint32_t code[] = {
		0x000022b7, /* again: lui t0, 2 */
		0x71028293, /* addi t0, t0, 0x710 */
		0xfff28293, /* turn: addi t0, t0, -1 */
		0xfe029ee3, /* bnez t0, turn */
		0x0055a023, /* sw t0, 0(a1) */
		0xfedff06f, /* j again */
	};
	struct kvm_host h = *host;
	struct speed s;
	int rc = arch_host_init(&h, SPEED_RAM_LEN, err);

	if (rc)
		return rc;
	rc = speed_open(&s, &h, code, sizeof(code), err);
	if (!rc)
		rc = riscv64_vcpu_enter(s.fd, 0, SPEED_CODE_GPA, DONE_GPA, err);
	if (!rc)
		rc = speed_measure(&s, KVM_EXIT_MMIO, ns, err);
	speed_close(&s);
	return rc;
}

/* KVM's word: it doesn't load without the extension. */
void arch_host_virt(char *out, size_t len)
{
	struct kvm_host host;

	if (kvm_host_open(&host, NULL)) {
		snprintf(out, len, "not known (only KVM could tell)");
		return;
	}
	snprintf(out, len, "RISC-V H extension, guests have %s and up to %u address bits",
		 kvm_host_cap(&host, KVM_CAP_IRQCHIP) ? "an AIA" : "a PLIC of the monitor's",
		 riscv64_gpa_bits(&host));
	kvm_host_close(&host);
}
