// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/report.h"

#include <errno.h>

#include "vmm/arch/text.h"

/* arch/riscv/kvm/vcpu_insn.c: a load or store that KVM doesn't decode. */
#define UNDECODED EOPNOTSUPP

#define SATP_MODE(satp) ((unsigned)((satp) >> 60)) /* 0: MMU off */

#define SSTATUS_SIE 2u

static void put_state(struct text *t, const struct riscv64_report *r)
{
	unsigned mode = SATP_MODE(r->reg[RISCV64_SATP]);

	text_put(t, "  %s mode, interrupts %s, MMU ", r->supervisor ? "supervisor" : "user",
		 r->reg[RISCV64_SSTATUS] & SSTATUS_SIE ? "on" : "off");
	/* Modes 8, 9, 10 are Sv39, Sv48, Sv57. */
	if (mode)
		text_put(t, "Sv%u\n", 39 + (mode - 8) * 9);
	else
		text_put(t, "off\n");
}

static void put_regs(struct text *t, const struct riscv64_report *r)
{
	static const char *const names[RISCV64_SHOWN] = {
		"pc", "ra", "sp",   "gp",  "tp",   "t0",   "t1",   "t2",  "s0",	 "s1",
		"a0", "a1", "a2",   "a3",  "a4",   "a5",   "a6",   "a7",  "s2",	 "s3",
		"s4", "s5", "s6",   "s7",  "s8",   "s9",   "s10",  "s11", "t3",	 "t4",
		"t5", "t6", "stat", "epc", "caus", "tval", "tvec", "sie", "sip", "satp",
	};

	for (unsigned i = 0; i < RISCV64_SHOWN; i++)
		text_reg(t, i, RISCV64_SHOWN, names[i], r->reg[i]);
}

void riscv64_report_format(const struct riscv64_report *r, char *out, size_t len)
{
	struct text t;

	if (!len)
		return;
	text_init(&t, out, len);
	if (!text_stop(&t, &r->stop, r->hw_reason, text_meaning(&r->stop, UNDECODED),
		       r->have_regs))
		return;
	put_state(&t, r);
	put_regs(&t, r);
	text_code(&t, r->code, r->code_len, SATP_MODE(r->reg[RISCV64_SATP]));
}
