/* SPDX-License-Identifier: Apache-2.0 */
/* What the texts of arch_vcpu_report() have in common. Lines for people, cut where they end. */
#ifndef AEROSTAT_ARCH_TEXT_H
#define AEROSTAT_ARCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm/vcpu.h"

struct text {
	char *out;
	size_t len, cap;
};

/* Text goes to out, at most cap bytes (not 0) with the NUL. */
void text_init(struct text *t, char *out, size_t cap);
void text_put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "  what: 0f 0b\n" */
void text_bytes(struct text *t, const char *what, const uint8_t *b, unsigned n);

/* Register i of n, from 0 on, as "name value": four to a line. */
void text_reg(struct text *t, unsigned i, unsigned n, const char *name, uint64_t value);
/* What memory has at pc, or that there is none; nothing if that can't be told: mapped. */
void text_code(struct text *t, const uint8_t *code, unsigned n, bool mapped);

/*
 * Which vCPU stopped, and why, as a line, and what that means. hw_reason: of an exit that KVM
 * doesn't know. False when there are no registers to go on with, which it says, too.
 */
bool text_stop(struct text *t, const struct vcpu_stop *stop, uint64_t hw_reason,
	       const char *meaning, bool have_regs);
/* What a KVM_RUN that failed with this errno means: one or more lines. */
const char *text_run_failed(uint64_t error);
/*
 * What a stop means where KVM plays the firmware: lines, or "". undecoded: the errno by which
 * KVM_RUN says that it can't decode an access to a device.
 */
const char *text_meaning(const struct vcpu_stop *stop, uint64_t undecoded);

#endif
