// SPDX-License-Identifier: Apache-2.0
/* The facts of a report. */
#include <string.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/riscv64/cpu.h"
#include "vmm/arch/riscv64/report.h"

static bool read_regs(int vcpu_fd, struct riscv64_report *r)
{
	static const struct {
		enum riscv64_shown at;
		uint64_t id;
	} csrs[] = {
		{RISCV64_SSTATUS, RISCV64_CSR(sstatus)}, {RISCV64_SEPC, RISCV64_CSR(sepc)},
		{RISCV64_SCAUSE, RISCV64_CSR(scause)},	 {RISCV64_STVAL, RISCV64_CSR(stval)},
		{RISCV64_STVEC, RISCV64_CSR(stvec)},	 {RISCV64_SIE, RISCV64_CSR(sie)},
		{RISCV64_SIP, RISCV64_CSR(sip)},	 {RISCV64_SATP, RISCV64_CSR(satp)},
	};
	uint64_t mode = 0;
	bool ok = !riscv64_get_reg(vcpu_fd, RISCV64_CORE(mode), &mode);

	for (unsigned i = RISCV64_PC; i < RISCV64_SSTATUS; i++)
		ok &= !riscv64_get_reg(vcpu_fd, RISCV64_CORE(regs.pc) + i, &r->reg[i]);
	for (unsigned i = 0; i < sizeof(csrs) / sizeof(csrs[0]); i++)
		ok &= !riscv64_get_reg(vcpu_fd, csrs[i].id, &r->reg[csrs[i].at]);
	r->supervisor = mode == KVM_RISCV_MODE_S;
	return ok;
}

void arch_vcpu_report(struct kvm_vcpu *vcpu, const struct gmem *mem,
		      const struct vcpu_stop *stop, char *out, size_t len)
{
	struct riscv64_report r = {.stop = *stop};
	const void *code;

	r.have_regs = read_regs(vcpu->fd, &r);
	code = gmem_ptr(mem, r.reg[RISCV64_PC], sizeof(r.code));
	if (r.have_regs && code && !(r.reg[RISCV64_SATP] >> 60)) {
		memcpy(r.code, code, sizeof(r.code));
		r.code_len = sizeof(r.code);
	}
	if (stop->kind == VCPU_STOP_UNKNOWN_EXIT && stop->code == KVM_EXIT_UNKNOWN)
		r.hw_reason = vcpu->run->hw.hardware_exit_reason;
	riscv64_report_format(&r, out, len);
}
