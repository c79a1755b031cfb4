// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/exit.h"

#include <stdint.h>
#include <sys/random.h>

#define SBI_ERR_NOT_SUPPORTED (-2) /* SBI Specification 2.0, chapter 3 */

/* The register seed: RISC-V Cryptography Extensions, volume I, 4.1. */
#define CSR_SEED  0x015
#define SEED_WAIT (1ul << 30)
#define SEED_ES16 (2ul << 30) /* with 16 bits of entropy */

static unsigned long seed(void)
{
	uint16_t entropy;

	if (getrandom(&entropy, sizeof(entropy), GRND_NONBLOCK) != sizeof(entropy))
		return SEED_WAIT;
	return SEED_ES16 | entropy;
}

bool riscv64_exit(struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_RISCV_SBI:
		/* The console of old, and of debugging; vendors' own: the guest has none. */
		run->riscv_sbi.ret[0] = (unsigned long)SBI_ERR_NOT_SUPPORTED;
		run->riscv_sbi.ret[1] = 0;
		return true;
	case KVM_EXIT_RISCV_CSR:
		/* User mode may get here too: what it may read must not end the machine. */
		run->riscv_csr.ret_value = run->riscv_csr.csr_num == CSR_SEED ? seed() : 0;
		return true;
	default:
		return false;
	}
}
