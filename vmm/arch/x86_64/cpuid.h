/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPUID tells a vCPU: what KVM can do on this host, with the machine's own topology put
 * in.
 *
 * Topology: one package; each vCPU is a core with one thread, whose APIC id is the vCPU's id;
 * L1 and L2 are the core's own, higher caches are shared by the package.
 *
 * Sources: Intel SDM volume 2A (CPUID), AMD APM volume 3 appendix E,
 * Documentation/virt/kvm/x86/cpuid.rst.
 */
#ifndef AEROSTAT_ARCH_X86_64_CPUID_H
#define AEROSTAT_ARCH_X86_64_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/kvm/kvm.h"

/* How many entries x86_cpuid_tailor() may add. */
#define X86_CPUID_ROOM 8u

/*
 * KVM_GET_SUPPORTED_CPUID, with room for X86_CPUID_ROOM more entries. 0 and *out, which the
 * caller frees, or a negative errno with *err filled.
 */
int x86_cpuid_supported(const struct kvm_host *host, struct kvm_cpuid2 **out, struct err *err);

/*
 * Make c, as KVM_GET_SUPPORTED_CPUID gave it, the CPUID of vCPU `id` of `ncpus`. It has room
 * for X86_CPUID_ROOM entries more. tsc_deadline: the host has KVM_CAP_TSC_DEADLINE_TIMER.
 */
void x86_cpuid_tailor(struct kvm_cpuid2 *c, unsigned id, unsigned ncpus, bool tsc_deadline);

/* The entry of a leaf; index counts only where the leaf has sub-leaves. NULL: absent. */
struct kvm_cpuid_entry2 *x86_cpuid_find(struct kvm_cpuid2 *c, uint32_t function,
					uint32_t index);

#endif
