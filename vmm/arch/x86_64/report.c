// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/report.h"

#include <string.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/text.h"

#define RESET_RIP     0xfff0ull
#define RESET_CS_BASE 0xffff0000ull

/* Entry failure reasons: AMD APM volume 2, VMEXIT_INVALID; Intel SDM volume 3, appendix C. */
#define SVM_INVALID	  UINT64_MAX
#define SVM_INVALID_32	  UINT32_MAX
#define VMX_INVALID_STATE 0x80000021ull

/* ---- the text ---- */

static bool is_reset_state(const struct x86_report *r)
{
	return r->regs.rip == RESET_RIP && r->sregs.cs.base == RESET_CS_BASE;
}

static const char *emulation_meaning(const struct x86_report *r)
{
	if (r->have_regs && !r->code_len)
		return "The guest jumped to where it has no memory.\n";
	if (r->host == X86_VIRT_NONE)
		return "This host's CPUs have no svm or vmx: its KVM runs guest kernel code in "
		       "an\n"
		       "instruction emulator, and that lacks this instruction. Use a host "
		       "with\n"
		       "hardware virtualization, or an emulated one (tools/kvmhost).\n";
	return "The guest reached device memory with an instruction that KVM can't emulate, "
	       "or\n"
	       "jumped to where no code is.\n";
}

static const char *entry_meaning(uint64_t reason)
{
	if (reason == SVM_INVALID || reason == SVM_INVALID_32 || reason == VMX_INVALID_STATE)
		return "The CPU found the guest's registers inconsistent. The host's dmesg has "
		       "all of\n"
		       "them if kvm_intel or kvm_amd was loaded with dump_invalid_vmcs or\n"
		       "dump_invalid_vmcb.\n";
	return "The host's dmesg may say more.\n";
}

static const char *meaning(const struct x86_report *r)
{
	switch (r->stop.kind) {
	case VCPU_STOP_SHUTDOWN:
		return "The guest kernel crashed before it could handle exceptions, or "
		       "rebooted this\n"
		       "way on purpose (reboot=t).\n";
	case VCPU_STOP_INTERNAL_ERROR:
		if (r->stop.code == KVM_INTERNAL_ERROR_EMULATION)
			return emulation_meaning(r);
		return "The guest's exception tables or stack are broken, or KVM has a "
		       "fault.\n";
	case VCPU_STOP_FAIL_ENTRY:
		return entry_meaning(r->stop.code);
	case VCPU_STOP_UNKNOWN_EXIT:
		return "This host's KVM asks for something that aerostat doesn't know.\n";
	case VCPU_STOP_RUN_FAILED:
		return text_run_failed(r->stop.code);
	default:
		return "";
	}
}

static unsigned mode_bits(const struct kvm_sregs *s)
{
	if (s->cs.l)
		return 64;
	return s->cs.db ? 32 : 16;
}

static void put_regs(struct text *t, const struct kvm_regs *g, const struct kvm_sregs *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} reg[] = {
		{"rip", g->rip}, {"rsp", g->rsp}, {"rfl", g->rflags}, {"rbp", g->rbp},
		{"rax", g->rax}, {"rbx", g->rbx}, {"rcx", g->rcx},    {"rdx", g->rdx},
		{"rsi", g->rsi}, {"rdi", g->rdi}, {"r8", g->r8},      {"r9", g->r9},
		{"r10", g->r10}, {"r11", g->r11}, {"r12", g->r12},    {"r13", g->r13},
		{"r14", g->r14}, {"r15", g->r15}, {"cr0", s->cr0},    {"cr2", s->cr2},
		{"cr3", s->cr3}, {"cr4", s->cr4}, {"efer", s->efer},  {"gs", s->gs.base},
	};

	const unsigned n = sizeof(reg) / sizeof(reg[0]);

	text_put(t, "  %u-bit code in ring %u, cs %#x, ss %#x, gdt %#llx, idt %#llx\n",
		 mode_bits(s), s->ss.dpl, s->cs.selector, s->ss.selector,
		 (unsigned long long)s->gdt.base, (unsigned long long)s->idt.base);
	for (unsigned i = 0; i < n; i++)
		text_reg(t, i, n, reg[i].name, reg[i].value);
}

void x86_report_format(const struct x86_report *r, char *out, size_t len)
{
	struct text t;

	if (!len)
		return;
	text_init(&t, out, len);
	if (!text_stop(&t, &r->stop, r->hw_reason, meaning(r), r->have_regs))
		return;
	if (is_reset_state(r)) {
		text_put(&t, "  its registers are gone: the CPU has been reset since\n");
		return;
	}
	put_regs(&t, &r->regs, &r->sregs);
	if (r->insn_len)
		text_bytes(&t, "instruction", r->insn, r->insn_len);
	if (r->code_len)
		text_bytes(&t, "memory at rip", r->code, r->code_len);
	else
		text_put(&t, "  memory at rip: not RAM, or not mapped\n");
}

/* ---- the facts ---- */

/* As many bytes at the linear address as can be read; a page at a time. */
static unsigned read_code(struct kvm_vcpu *vcpu, const struct gmem *mem, uint64_t linear,
			  uint8_t *out, unsigned want)
{
	unsigned got = 0;

	while (got < want) {
		struct kvm_translation tr = {.linear_address = linear + got};
		unsigned n = (unsigned)(GMEM_PAGE_SIZE - (linear + got) % GMEM_PAGE_SIZE);
		const void *p;

		if (n > want - got)
			n = want - got;
		if (kvm_ioctl(vcpu->fd, KVM_TRANSLATE, &tr) || !tr.valid)
			break;
		p = gmem_ptr(mem, tr.physical_address, n);
		if (!p)
			break;
		memcpy(out + got, p, n);
		got += n;
	}
	return got;
}

/* Documentation/virt/kvm/api.rst: flags and bytes are there only if ndata counts them. */
static void take_instruction(struct x86_report *r, const struct kvm_run *run)
{
	unsigned n = run->emulation_failure.insn_size;

	if (run->emulation_failure.ndata < 3 ||
	    !(run->emulation_failure.flags &
	      KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return;
	r->insn_len = n < sizeof(r->insn) ? n : sizeof(r->insn);
	memcpy(r->insn, run->emulation_failure.insn_bytes, r->insn_len);
}

void arch_vcpu_report(struct kvm_vcpu *vcpu, const struct gmem *mem,
		      const struct vcpu_stop *stop, char *out, size_t len)
{
	struct x86_report r = {.stop = *stop, .host = x86_host_virt()};

	r.have_regs = !kvm_ioctl(vcpu->fd, KVM_GET_REGS, &r.regs) &&
		      !kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &r.sregs);
	if (r.have_regs)
		r.code_len = read_code(vcpu, mem, r.sregs.cs.base + r.regs.rip, r.code,
				       sizeof(r.code));
	if (stop->kind == VCPU_STOP_INTERNAL_ERROR &&
	    stop->code == KVM_INTERNAL_ERROR_EMULATION)
		take_instruction(&r, vcpu->run);
	if (stop->kind == VCPU_STOP_UNKNOWN_EXIT && stop->code == KVM_EXIT_UNKNOWN)
		r.hw_reason = vcpu->run->hw.hardware_exit_reason;
	x86_report_format(&r, out, len);
}
