/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of arch_vcpu_report(), apart from how its facts are gathered. Compiles on any
 * machine.
 */
#ifndef AEROSTAT_ARCH_RISCV64_REPORT_H
#define AEROSTAT_ARCH_RISCV64_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm/vcpu.h"

/* Registers that the text shows, in this order; the first are pc and x1 to x31. */
enum riscv64_shown {
	RISCV64_PC = 0,
	RISCV64_SSTATUS = 32,
	RISCV64_SEPC,
	RISCV64_SCAUSE,
	RISCV64_STVAL,
	RISCV64_STVEC,
	RISCV64_SIE,
	RISCV64_SIP,
	RISCV64_SATP,
	RISCV64_SHOWN
};

struct riscv64_report {
	struct vcpu_stop stop;
	bool have_regs;
	bool supervisor; /* mode; else user */
	uint64_t reg[RISCV64_SHOWN];
	uint8_t code[16]; /* what memory has at pc, when the MMU is off */
	unsigned code_len;
	uint64_t hw_reason; /* of an exit that KVM doesn't know */
};

/* Lines with '\n', cut at len, always NUL-terminated. */
void riscv64_report_format(const struct riscv64_report *r, char *out, size_t len);

#endif
