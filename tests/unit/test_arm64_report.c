// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/arm64/report.h"

#include <errno.h>

#include "tests/unit/report_text.h"

static struct arm64_report stopped(enum vcpu_stop_kind kind, uint64_t code)
{
	struct arm64_report r = {
		.stop = {.kind = kind, .vcpu = 2, .code = code},
		.have_regs = true,
		.code = {0x1f, 0x20, 0x03, 0xd5},
		.code_len = 4,
	};

	for (unsigned i = 0; i < ARM64_SHOWN; i++)
		r.reg[i] = 0xa000 + i;
	r.reg[ARM64_PSTATE] = 0x3c5;
	r.reg[ARM64_SCTLR] = 0x30d00800;
	return r;
}

static void put(const void *r, char *out, size_t len)
{
	arm64_report_format(r, out, len);
}

static void format(const struct arm64_report *r)
{
	report_format(put, r);
}

START_TEST(every_register_has_its_name)
{
	struct arm64_report r = stopped(VCPU_STOP_RUN_FAILED, ENOSYS);

	format(&r);
	SAYS("vCPU 2 stopped: KVM_RUN failed");
	SAYS("device memory");
	SAYS("EL1h, masked: D A I F, MMU off");
	SAYS("x0   000000000000a000");
	SAYS("x30  000000000000a01e");
	SAYS("sp   000000000000a01f");
	SAYS("pc   000000000000a020");
	SAYS("elr  000000000000a023");
	SAYS("esr  000000000000a025");
	SAYS("far  000000000000a026");
	SAYS("vbar 000000000000a027");
	SAYS("ttb1 000000000000a02a");
	SAYS("memory at pc: 1f 20 03 d5\n");
}
END_TEST

START_TEST(memory_is_shown_only_where_it_can_be_read)
{
	struct arm64_report r = stopped(VCPU_STOP_CRASH, 0);

	r.code_len = 0;
	format(&r);
	SAYS("said that it crashed");
	SAYS("memory at pc: not RAM");
	r.reg[ARM64_SCTLR] |= ARM64_SCTLR_MMU;
	r.reg[ARM64_PSTATE] = 0;
	format(&r);
	SAYS("EL0t, masked: nothing, MMU on");
	SAYS_NOTHING("memory at pc");
	r.have_regs = false;
	format(&r);
	SAYS("can't be read");
	SAYS_NOTHING("x0 ");
}
END_TEST

START_TEST(other_errors_keep_their_meaning)
{
	struct arm64_report r = stopped(VCPU_STOP_RUN_FAILED, EFAULT);

	format(&r);
	SAYS("can't get a page of guest memory");
	r = stopped(VCPU_STOP_UNKNOWN_EXIT, 27);
	format(&r);
	SAYS("exit reason 27");
}
END_TEST

START_TEST(any_length_is_cut_cleanly)
{
	struct arm64_report r = stopped(VCPU_STOP_RUN_FAILED, ENOSYS);

	report_cut(put, &r);
}
END_TEST

UNIT_MAIN("arm64_report", every_register_has_its_name,
	  memory_is_shown_only_where_it_can_be_read, other_errors_keep_their_meaning,
	  any_length_is_cut_cleanly)
