// SPDX-License-Identifier: Apache-2.0
/* The facts of a report. */
#include <string.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/arm64/cpu.h"
#include "vmm/arch/arm64/report.h"

static bool read_regs(int vcpu_fd, uint64_t reg[ARM64_SHOWN])
{
	static const struct {
		enum arm64_shown at;
		uint64_t id;
	} others[] = {
		{ARM64_SP, ARM64_CORE_REG(regs.sp)},
		{ARM64_PC, ARM64_CORE_REG(regs.pc)},
		{ARM64_PSTATE, ARM64_CORE_REG(regs.pstate)},
		{ARM64_SP_EL1, ARM64_CORE_REG(sp_el1)},
		{ARM64_ELR, ARM64_CORE_REG(elr_el1)},
		{ARM64_SPSR, ARM64_CORE_REG(spsr[KVM_SPSR_EL1])},
		{ARM64_ESR, ARM64_SYS_REG(3, 0, 5, 2, 0)},
		{ARM64_FAR, ARM64_SYS_REG(3, 0, 6, 0, 0)},
		{ARM64_VBAR, ARM64_SYS_REG(3, 0, 12, 0, 0)},
		{ARM64_SCTLR, ARM64_SCTLR_EL1},
		{ARM64_TTBR0, ARM64_SYS_REG(3, 0, 2, 0, 0)},
		{ARM64_TTBR1, ARM64_SYS_REG(3, 0, 2, 0, 1)},
	};
	bool ok = true;

	/* Numbers of core registers count 32 bits each. */
	for (unsigned i = 0; i < ARM64_SP; i++)
		ok &= !arm64_get_reg(vcpu_fd, ARM64_CORE_REG(regs.regs[0]) + 2 * i, &reg[i]);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ok &= !arm64_get_reg(vcpu_fd, others[i].id, &reg[others[i].at]);
	return ok;
}

void arch_vcpu_report(struct kvm_vcpu *vcpu, const struct gmem *mem,
		      const struct vcpu_stop *stop, char *out, size_t len)
{
	struct arm64_report r = {.stop = *stop};
	const void *code;

	r.have_regs = read_regs(vcpu->fd, r.reg);
	code = gmem_ptr(mem, r.reg[ARM64_PC], sizeof(r.code));
	if (r.have_regs && code && !(r.reg[ARM64_SCTLR] & ARM64_SCTLR_MMU)) {
		memcpy(r.code, code, sizeof(r.code));
		r.code_len = sizeof(r.code);
	}
	if (stop->kind == VCPU_STOP_UNKNOWN_EXIT && stop->code == KVM_EXIT_UNKNOWN)
		r.hw_reason = vcpu->run->hw.hardware_exit_reason;
	arm64_report_format(&r, out, len);
}
