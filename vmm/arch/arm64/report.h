/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of arch_vcpu_report(), apart from how its facts are gathered. Compiles on any
 * machine.
 */
#ifndef AEROSTAT_ARCH_ARM64_REPORT_H
#define AEROSTAT_ARCH_ARM64_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm/vcpu.h"

/* Registers that the text shows, in this order; the first are x0 to x30. */
enum arm64_shown {
	ARM64_X0 = 0,
	ARM64_SP = 31,
	ARM64_PC,
	ARM64_PSTATE,
	ARM64_SP_EL1,
	ARM64_ELR,
	ARM64_SPSR,
	ARM64_ESR,
	ARM64_FAR,
	ARM64_VBAR,
	ARM64_SCTLR,
	ARM64_TTBR0,
	ARM64_TTBR1,
	ARM64_SHOWN
};

struct arm64_report {
	struct vcpu_stop stop;
	bool have_regs;
	uint64_t reg[ARM64_SHOWN];
	uint8_t code[16]; /* what memory has at pc, when the MMU is off */
	unsigned code_len;
	uint64_t hw_reason; /* of an exit that KVM doesn't know */
};

#define ARM64_SCTLR_MMU 1u

/* Lines with '\n', cut at len, always NUL-terminated. */
void arm64_report_format(const struct arm64_report *r, char *out, size_t len);

#endif
