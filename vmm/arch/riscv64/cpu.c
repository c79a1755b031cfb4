// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/cpu.h"

#include <errno.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/riscv64/isa.h"

/* Three of the names in isa.c are at KVM's numbers; so are those between. */
_Static_assert(ISA_ZICBOM == KVM_RISCV_ISA_EXT_ZICBOM, "KVM's ABI");
_Static_assert(ISA_ZICBOZ == KVM_RISCV_ISA_EXT_ZICBOZ, "KVM's ABI");
_Static_assert(ISA_ZAWRS == KVM_RISCV_ISA_EXT_ZAWRS, "KVM's ABI");

int riscv64_get_reg(int vcpu_fd, uint64_t id, uint64_t *value)
{
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)value};

	return kvm_ioctl(vcpu_fd, KVM_GET_ONE_REG, &reg);
}

int riscv64_set_reg(int vcpu_fd, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};

	return kvm_ioctl(vcpu_fd, KVM_SET_ONE_REG, &reg);
}

/* An extension that this KVM doesn't know is one that the guest doesn't have. */
static uint64_t read_isa(int vcpu_fd)
{
	uint64_t isa = 0;

	for (unsigned i = 0; i < ISA_KNOWN; i++) {
		const uint64_t id =
			RISCV64_REG(KVM_REG_RISCV_ISA_EXT | KVM_REG_RISCV_ISA_SINGLE | i);
		uint64_t has;

		if (!riscv64_get_reg(vcpu_fd, id, &has) && has)
			isa |= 1ull << i;
	}
	return isa;
}

/* 0 when this KVM doesn't say. */
static uint32_t read_config(int vcpu_fd, uint64_t id)
{
	uint64_t value;

	return riscv64_get_reg(vcpu_fd, id, &value) ? 0 : (uint32_t)value;
}

int riscv64_hart_read(int vcpu_fd, struct riscv64_hart *hart, struct err *err)
{
	uint64_t frequency;
	int rc = riscv64_get_reg(
		vcpu_fd, RISCV64_REG(KVM_REG_RISCV_TIMER | KVM_REG_RISCV_TIMER_REG(frequency)),
		&frequency);

	if (rc)
		return err_sys(err, rc, "KVM_GET_ONE_REG of the timer's frequency");
	*hart = (struct riscv64_hart){
		.isa = read_isa(vcpu_fd),
		.timebase = (uint32_t)frequency,
		.satp_mode = read_config(vcpu_fd, RISCV64_CONFIG(satp_mode)),
		.cbom_block = read_config(vcpu_fd, RISCV64_CONFIG(zicbom_block_size)),
		.cboz_block = read_config(vcpu_fd, RISCV64_CONFIG(zicboz_block_size)),
	};
	return 0;
}

int riscv64_vcpu_enter(int vcpu_fd, unsigned hartid, uint64_t pc, uint64_t arg, struct err *err)
{
	int rc = riscv64_set_reg(vcpu_fd, RISCV64_CORE(regs.pc), pc);

	if (!rc)
		rc = riscv64_set_reg(vcpu_fd, RISCV64_CORE(regs.a0), hartid);
	if (!rc)
		rc = riscv64_set_reg(vcpu_fd, RISCV64_CORE(regs.a1), arg);
	return rc ? err_sys(err, rc, "KVM_SET_ONE_REG") : 0;
}

/* The others are off until a hart starts them by SBI, which KVM plays. */
int arch_vcpu_init(struct kvm_vcpu *vcpu, const struct gmem *mem, unsigned ncpus,
		   const struct arch_entry *entry, struct err *err)
{
	(void)mem;
	(void)ncpus;
	if (vcpu->id > 0)
		return 0;
	return riscv64_vcpu_enter(vcpu->fd, vcpu->id, entry->pc, entry->arg, err);
}
