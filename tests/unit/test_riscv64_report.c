// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/report.h"

#include <errno.h>

#include "tests/unit/report_text.h"

static struct riscv64_report stopped(enum vcpu_stop_kind kind, uint64_t code)
{
	struct riscv64_report r = {
		.stop = {.kind = kind, .vcpu = 2, .code = code},
		.have_regs = true,
		.supervisor = true,
		.code = {0x13, 0x00, 0x00, 0x00},
		.code_len = 4,
	};

	for (unsigned i = 0; i < RISCV64_SHOWN; i++)
		r.reg[i] = 0xa000 + i;
	r.reg[RISCV64_SSTATUS] = 0x120;
	r.reg[RISCV64_SATP] = 0;
	return r;
}

static void put(const void *r, char *out, size_t len)
{
	riscv64_report_format(r, out, len);
}

static void format(const struct riscv64_report *r)
{
	report_format(put, r);
}

START_TEST(every_register_has_its_name)
{
	struct riscv64_report r = stopped(VCPU_STOP_RUN_FAILED, EOPNOTSUPP);

	format(&r);
	SAYS("vCPU 2 stopped: KVM_RUN failed");
	SAYS("device memory");
	SAYS("supervisor mode, interrupts off, MMU off");
	/* x1, x2, x8, x10, x17, x18, x27, x28, x31 */
	SAYS("pc   000000000000a000");
	SAYS("ra   000000000000a001");
	SAYS("sp   000000000000a002");
	SAYS("s0   000000000000a008");
	SAYS("a0   000000000000a00a");
	SAYS("a7   000000000000a011");
	SAYS("s2   000000000000a012");
	SAYS("s11  000000000000a01b");
	SAYS("t3   000000000000a01c");
	SAYS("t6   000000000000a01f");
	SAYS("stat 0000000000000120");
	SAYS("caus 000000000000a022");
	SAYS("tval 000000000000a023");
	SAYS("tvec 000000000000a024");
	SAYS("memory at pc: 13 00 00 00\n");
}
END_TEST

START_TEST(memory_is_shown_only_where_it_can_be_read)
{
	struct riscv64_report r = stopped(VCPU_STOP_CRASH, 0);

	r.code_len = 0;
	format(&r);
	SAYS("said that it crashed");
	SAYS("memory at pc: not RAM");
	r.reg[RISCV64_SATP] = 9ull << 60 | 0x1234;
	r.reg[RISCV64_SSTATUS] = 2;
	r.supervisor = false;
	format(&r);
	SAYS("user mode, interrupts on, MMU Sv48");
	SAYS_NOTHING("memory at pc");
	r.have_regs = false;
	format(&r);
	SAYS("can't be read");
	SAYS_NOTHING("ra ");
}
END_TEST

START_TEST(other_errors_keep_their_meaning)
{
	struct riscv64_report r = stopped(VCPU_STOP_RUN_FAILED, EFAULT);

	format(&r);
	SAYS("can't get a page of guest memory");
	r = stopped(VCPU_STOP_UNKNOWN_EXIT, 99);
	format(&r);
	SAYS("exit reason 99");
}
END_TEST

START_TEST(any_length_is_cut_cleanly)
{
	struct riscv64_report r = stopped(VCPU_STOP_RUN_FAILED, EOPNOTSUPP);

	report_cut(put, &r);
}
END_TEST

UNIT_MAIN("riscv64_report", every_register_has_its_name,
	  memory_is_shown_only_where_it_can_be_read, other_errors_keep_their_meaning,
	  any_length_is_cut_cleanly)
