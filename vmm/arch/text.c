// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/text.h"

#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_init(struct text *t, char *out, size_t cap)
{
	assert(cap);
	*t = (struct text){.out = out, .cap = cap};
	*out = '\0';
}

void text_put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->out + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < t->cap - t->len ? (size_t)n : t->cap - t->len - 1;
}

void text_bytes(struct text *t, const char *what, const uint8_t *b, unsigned n)
{
	text_put(t, "  %s:", what);
	for (unsigned i = 0; i < n; i++)
		text_put(t, " %02x", b[i]);
	text_put(t, "\n");
}

void text_reg(struct text *t, unsigned i, unsigned n, const char *name, uint64_t value)
{
	text_put(t, "%s%-4s %016llx%s", i % 4 ? " " : "  ", name, (unsigned long long)value,
		 i % 4 == 3 || i == n - 1 ? "\n" : "");
}

void text_code(struct text *t, const uint8_t *code, unsigned n, bool mapped)
{
	if (n)
		text_bytes(t, "memory at pc", code, n);
	else if (!mapped)
		text_put(t, "  memory at pc: not RAM\n");
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

static void headline(struct text *t, const struct vcpu_stop *stop, uint64_t hw_reason)
{
	unsigned long long code = stop->code;
	char why[96];

	text_put(t, "vCPU %u stopped: ", stop->vcpu);
	switch (stop->kind) {
	case VCPU_STOP_SHUTDOWN:
		text_put(t, "triple fault\n");
		break;
	case VCPU_STOP_INTERNAL_ERROR:
		text_put(t, "%s (internal error %llu)\n", internal_error(code), code);
		break;
	case VCPU_STOP_FAIL_ENTRY:
		text_put(t, "the CPU refused to enter the guest (hardware reason %#llx)\n",
			 code);
		break;
	case VCPU_STOP_UNKNOWN_EXIT:
		text_put(t, "unexpected KVM exit reason %llu", code);
		if (code == KVM_EXIT_UNKNOWN)
			text_put(t, " (hardware exit reason %#llx)",
				 (unsigned long long)hw_reason);
		text_put(t, "\n");
		break;
	case VCPU_STOP_RUN_FAILED:
		text_put(t, "KVM_RUN failed: %s\n", strerror_r((int)code, why, sizeof(why)));
		break;
	case VCPU_STOP_CRASH:
		text_put(t, "the guest said that it crashed\n");
		break;
	case VCPU_STOP_NONE:
	case VCPU_STOP_POWEROFF:
	case VCPU_STOP_RESET:
		text_put(t, "by request\n");
		break;
	}
}

bool text_stop(struct text *t, const struct vcpu_stop *stop, uint64_t hw_reason,
	       const char *meaning, bool have_regs)
{
	headline(t, stop, hw_reason);
	text_put(t, "%s", meaning);
	if (!have_regs)
		text_put(t, "  its registers can't be read\n");
	return have_regs;
}

const char *text_run_failed(uint64_t error)
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

const char *text_meaning(const struct vcpu_stop *stop, uint64_t undecoded)
{
	switch (stop->kind) {
	case VCPU_STOP_RUN_FAILED:
		if (stop->code == undecoded)
			return "The guest reached device memory, or where it has no memory, "
			       "with an\n"
			       "instruction that KVM can't carry out.\n";
		return text_run_failed(stop->code);
	case VCPU_STOP_UNKNOWN_EXIT:
		return "This host's KVM asks for something that aerostat doesn't know.\n";
	case VCPU_STOP_FAIL_ENTRY:
	case VCPU_STOP_INTERNAL_ERROR:
		return "The host's dmesg may say more.\n";
	default:
		return "";
	}
}
