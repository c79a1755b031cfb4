/* SPDX-License-Identifier: Apache-2.0 */
/* The text of arch_vcpu_report(), apart from how its facts are gathered. */
#ifndef AEROSTAT_ARCH_X86_64_REPORT_H
#define AEROSTAT_ARCH_X86_64_REPORT_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/arch/x86_64/probe.h"
#include "vmm/kvm/vcpu.h"

struct x86_report {
	struct vcpu_stop stop;
	enum x86_virt host;
	bool have_regs;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint8_t code[16]; /* what memory has at RIP */
	unsigned code_len;
	uint8_t insn[15]; /* what KVM's emulator gave up on */
	unsigned insn_len;
	uint64_t hw_reason; /* of an exit that KVM doesn't know */
};

/* Lines with '\n', cut at len, always NUL-terminated. */
void x86_report_format(const struct x86_report *r, char *out, size_t len);

#endif
