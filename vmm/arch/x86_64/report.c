// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/arch/arch.h"

#define RESET_RIP     0xfff0ull
#define RESET_CS_BASE 0xffff0000ull

/* Entry failure reasons: AMD APM volume 2, VMEXIT_INVALID; Intel SDM volume 3, appendix C. */
#define SVM_INVALID	  UINT64_MAX
#define SVM_INVALID_32	  UINT32_MAX
#define VMX_INVALID_STATE 0x80000021ull

/* ---- the text ---- */

struct text {
	char *out;
	size_t len, cap;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->out + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < t->cap - t->len ? (size_t)n : t->cap - t->len - 1;
}

static const char *internal_error(uint64_t suberror)
{
	switch (suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		return "KVM can't emulate an instruction";
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		return "a second exception while KVM delivered one";
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		return "an exit in the middle of an interrupt's or exception's delivery";
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		return "KVM didn't expect what made the guest exit";
	default:
		return "KVM internal error";
	}
}

static void put_headline(struct text *t, const struct x86_report *r)
{
	unsigned long long code = r->stop.code;
	char why[96];

	put(t, "vCPU %u stopped: ", r->stop.vcpu);
	switch (r->stop.kind) {
	case VCPU_STOP_SHUTDOWN:
		put(t, "triple fault\n");
		break;
	case VCPU_STOP_INTERNAL_ERROR:
		put(t, "%s (internal error %llu)\n", internal_error(code), code);
		break;
	case VCPU_STOP_FAIL_ENTRY:
		put(t, "the CPU refused to enter the guest (hardware reason %#llx)\n", code);
		break;
	case VCPU_STOP_UNKNOWN_EXIT:
		put(t, "unexpected KVM exit reason %llu", code);
		if (code == KVM_EXIT_UNKNOWN)
			put(t, " (hardware exit reason %#llx)",
			    (unsigned long long)r->hw_reason);
		put(t, "\n");
		break;
	case VCPU_STOP_RUN_FAILED:
		put(t, "KVM_RUN failed: %s\n", strerror_r((int)code, why, sizeof(why)));
		break;
	case VCPU_STOP_NONE:
		put(t, "by request\n");
		break;
	}
}

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

static const char *run_failed_meaning(uint64_t error)
{
	switch (error) {
	case EFAULT:
		return "KVM can't get a page of guest memory: the host has no memory or no "
		       "huge\n"
		       "page left for it.\n";
	case EHWPOISON:
		return "The host's memory has a hardware error in a page of the guest.\n";
	case ENOMEM:
		return "The host has no memory left for KVM.\n";
	default:
		return "The host's dmesg may say more.\n";
	}
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
		return run_failed_meaning(r->stop.code);
	case VCPU_STOP_NONE:
		break;
	}
	return "";
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

	put(t, "  %u-bit code in ring %u, cs %#x, ss %#x, gdt %#llx, idt %#llx\n", mode_bits(s),
	    s->ss.dpl, s->cs.selector, s->ss.selector, (unsigned long long)s->gdt.base,
	    (unsigned long long)s->idt.base);
	for (size_t i = 0; i < sizeof(reg) / sizeof(reg[0]); i++)
		put(t, "%s%-4s %016llx%s", i % 4 ? " " : "  ", reg[i].name,
		    (unsigned long long)reg[i].value, i % 4 == 3 ? "\n" : "");
}

static void put_bytes(struct text *t, const char *what, const uint8_t *b, unsigned n)
{
	put(t, "  %s:", what);
	for (unsigned i = 0; i < n; i++)
		put(t, " %02x", b[i]);
	put(t, "\n");
}

void x86_report_format(const struct x86_report *r, char *out, size_t len)
{
	struct text t = {.out = out, .cap = len};

	if (!len)
		return;
	*out = '\0';
	put_headline(&t, r);
	put(&t, "%s", meaning(r));
	if (!r->have_regs) {
		put(&t, "  its registers can't be read\n");
		return;
	}
	if (is_reset_state(r)) {
		put(&t, "  its registers are gone: the CPU has been reset since\n");
		return;
	}
	put_regs(&t, &r->regs, &r->sregs);
	if (r->insn_len)
		put_bytes(&t, "instruction", r->insn, r->insn_len);
	if (r->code_len)
		put_bytes(&t, "memory at rip", r->code, r->code_len);
	else
		put(&t, "  memory at rip: not RAM, or not mapped\n");
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
