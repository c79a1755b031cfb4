// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/report.h"

#include <errno.h>

#include "tests/unit/report_text.h"

static struct x86_report stopped(enum vcpu_stop_kind kind, uint64_t code)
{
	struct x86_report r = {
		.stop = {.kind = kind, .vcpu = 3, .code = code},
		.host = X86_VIRT_SVM,
		.have_regs = true,
		.regs = {.rip = 0xffffffff81000042, .rsp = 0xffffc90000013e58, .r15 = 0xf15},
		.sregs = {.cs = {.selector = 0x10, .l = 1}, .cr2 = 0xdead, .cr3 = 0x9000},
		.code = {0x0f, 0x0b},
		.code_len = 2,
	};

	return r;
}

static void put(const void *r, char *out, size_t len)
{
	x86_report_format(r, out, len);
}

static void format(const struct x86_report *r)
{
	report_format(put, r);
}

START_TEST(triple_fault)
{
	struct x86_report r = stopped(VCPU_STOP_SHUTDOWN, 0);

	format(&r);
	SAYS("vCPU 3 stopped: triple fault\n");
	SAYS("reboot=t");
	SAYS("rip  ffffffff81000042");
	SAYS("r15  0000000000000f15");
	SAYS("cr2  000000000000dead");
	SAYS("64-bit code in ring 0");
	SAYS("memory at rip: 0f 0b\n");
	SAYS_NOTHING("instruction:");
}
END_TEST

START_TEST(registers_that_were_reset_are_not_shown)
{
	struct x86_report r = stopped(VCPU_STOP_SHUTDOWN, 0);

	r.regs.rip = 0xfff0;
	r.sregs.cs = (struct kvm_segment){.base = 0xffff0000, .selector = 0xf000};
	format(&r);
	SAYS("reset since");
	SAYS_NOTHING("rip  ");
}
END_TEST

START_TEST(emulation_failure)
{
	struct x86_report r = stopped(VCPU_STOP_INTERNAL_ERROR, KVM_INTERNAL_ERROR_EMULATION);
	static const uint8_t xrstor[] = {0x0f, 0xae, 0x2f};

	memcpy(r.insn, xrstor, sizeof(xrstor));
	r.insn_len = sizeof(xrstor);
	format(&r);
	SAYS("can't emulate an instruction (internal error 1)");
	SAYS("instruction: 0f ae 2f\n");
	SAYS_NOTHING("svm");
	r.host = X86_VIRT_NONE;
	format(&r);
	SAYS("no svm or vmx");
	SAYS("tools/kvmhost");
	r.code_len = 0;
	format(&r);
	SAYS("jumped to where it has no memory");
	SAYS_NOTHING("svm");
}
END_TEST

START_TEST(other_kinds_say_their_code)
{
	struct x86_report r = stopped(VCPU_STOP_FAIL_ENTRY, 0x80000021);

	format(&r);
	SAYS("0x80000021");
	SAYS("inconsistent");
	r = stopped(VCPU_STOP_FAIL_ENTRY, 7);
	format(&r);
	SAYS("reason 0x7");
	SAYS_NOTHING("inconsistent");
	r = stopped(VCPU_STOP_UNKNOWN_EXIT, 24);
	format(&r);
	SAYS("exit reason 24\n");
	r = stopped(VCPU_STOP_UNKNOWN_EXIT, KVM_EXIT_UNKNOWN);
	r.hw_reason = 0x8f;
	format(&r);
	SAYS("hardware exit reason 0x8f");
	r = stopped(VCPU_STOP_RUN_FAILED, EFAULT);
	format(&r);
	SAYS("Bad address");
	SAYS("guest memory");
	r = stopped(VCPU_STOP_INTERNAL_ERROR, 99);
	format(&r);
	SAYS("internal error 99");
}
END_TEST

START_TEST(what_cannot_be_read_is_said)
{
	struct x86_report r = stopped(VCPU_STOP_SHUTDOWN, 0);

	r.code_len = 0;
	format(&r);
	SAYS("not RAM, or not mapped");
	r.have_regs = false;
	format(&r);
	SAYS("can't be read");
	SAYS_NOTHING("rip  ");
}
END_TEST

START_TEST(any_length_is_cut_cleanly)
{
	struct x86_report r = stopped(VCPU_STOP_SHUTDOWN, 0);

	report_cut(put, &r);
}
END_TEST

UNIT_MAIN("report", triple_fault, registers_that_were_reset_are_not_shown, emulation_failure,
	  other_kinds_say_their_code, what_cannot_be_read_is_said, any_length_is_cut_cleanly)
