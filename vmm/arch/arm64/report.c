// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/arm64/report.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/arch/text.h"

/* api.rst, KVM_RUN: what KVM_EXIT_ARM_NISV would be on request. */
#define UNDECODED ENOSYS

/* Exception level and stack of PSTATE's mode field, and what is masked. */
static void put_state(struct text *t, const struct arm64_report *r)
{
	uint64_t p = r->reg[ARM64_PSTATE];

	text_put(t, "  EL%u%c, masked:%s%s%s%s%s, MMU %s\n", (unsigned)(p >> 2 & 3),
		 p & 1 ? 'h' : 't', p & 0x200 ? " D" : "", p & 0x100 ? " A" : "",
		 p & 0x80 ? " I" : "", p & 0x40 ? " F" : "", p & 0x3c0 ? "" : " nothing",
		 r->reg[ARM64_SCTLR] & ARM64_SCTLR_MMU ? "on" : "off");
}

static void put_regs(struct text *t, const struct arm64_report *r)
{
	static const char *const names[ARM64_SHOWN] = {
		[ARM64_SP] = "sp",	[ARM64_PC] = "pc",	[ARM64_PSTATE] = "pst",
		[ARM64_SP_EL1] = "sp1", [ARM64_ELR] = "elr",	[ARM64_SPSR] = "spsr",
		[ARM64_ESR] = "esr",	[ARM64_FAR] = "far",	[ARM64_VBAR] = "vbar",
		[ARM64_SCTLR] = "sctl", [ARM64_TTBR0] = "ttb0", [ARM64_TTBR1] = "ttb1",
	};

	for (unsigned i = 0; i < ARM64_SHOWN; i++) {
		char x[8];

		snprintf(x, sizeof(x), "x%u", i);
		text_reg(t, i, ARM64_SHOWN, names[i] ? names[i] : x, r->reg[i]);
	}
}

void arm64_report_format(const struct arm64_report *r, char *out, size_t len)
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
	text_code(&t, r->code, r->code_len, r->reg[ARM64_SCTLR] & ARM64_SCTLR_MMU);
}
