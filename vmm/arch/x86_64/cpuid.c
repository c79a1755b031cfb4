// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Leaf 1. */
#define L1_ECX_MONITOR	    (1u << 3)
#define L1_ECX_PDCM	    (1u << 15)
#define L1_ECX_TSC_DEADLINE (1u << 24)
#define L1_ECX_HYPERVISOR   (1u << 31)
#define L1_EDX_CLFLUSH	    (1u << 19)
#define L1_EDX_HTT	    (1u << 28)

#define L6_EAX_ARAT (1u << 2) /* the APIC timer never stops */

/* Leaf 0x80000001. */
#define LX1_ECX_CMP_LEGACY (1u << 1)
#define LX1_ECX_TOPOEXT	   (1u << 22)

/* Leaves 0xb and 0x1f: ECX[15:8]. */
#define LEVEL_THREAD 1u
#define LEVEL_CORE   2u

/* KVM accepts 256 entries at most (KVM_MAX_CPUID_ENTRIES); the rest is for kernels to come. */
#define MAX_ENTRIES 4096u

int x86_cpuid_supported(const struct kvm_host *host, struct kvm_cpuid2 **out, struct err *err)
{
	for (uint32_t n = 128; n <= MAX_ENTRIES; n *= 2) {
		struct kvm_cpuid2 *c;
		int rc;

		c = calloc(1, sizeof(*c) + (n + X86_CPUID_ROOM) * sizeof(c->entries[0]));
		if (!c)
			return err_sys(err, -ENOMEM, "KVM_GET_SUPPORTED_CPUID");
		c->nent = n;
		rc = kvm_ioctl(host->fd, KVM_GET_SUPPORTED_CPUID, c);
		if (!rc) {
			*out = c;
			return 0;
		}
		free(c);
		if (rc != -E2BIG)
			return err_sys(err, rc, "KVM_GET_SUPPORTED_CPUID");
	}
	return err_sys(err, -E2BIG, "KVM_GET_SUPPORTED_CPUID");
}

struct kvm_cpuid_entry2 *x86_cpuid_find(struct kvm_cpuid2 *c, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == function &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index))
			return e;
	}
	return NULL;
}

/* The entry, a new and empty one if there was none. Callers add X86_CPUID_ROOM at most. */
static struct kvm_cpuid_entry2 *obtain(struct kvm_cpuid2 *c, uint32_t function, uint32_t index,
				       uint32_t flags)
{
	struct kvm_cpuid_entry2 *e = x86_cpuid_find(c, function, index);

	if (e)
		return e;
	e = &c->entries[c->nent++];
	*e = (struct kvm_cpuid_entry2){.function = function, .index = index, .flags = flags};
	return e;
}

static void clear_leaf(struct kvm_cpuid2 *c, uint32_t function)
{
	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == function)
			e->eax = e->ebx = e->ecx = e->edx = 0;
	}
}

/* So many low bits of the APIC id number the cores of the package. */
static unsigned core_bits(unsigned ncpus)
{
	unsigned bits = 0;

	while (1u << bits < ncpus)
		bits++;
	return bits;
}

static bool is_amd(struct kvm_cpuid2 *c)
{
	const struct kvm_cpuid_entry2 *e = x86_cpuid_find(c, 0, 0);
	char vendor[12];

	if (!e)
		return false;
	memcpy(vendor, &e->ebx, 4);
	memcpy(vendor + 4, &e->edx, 4);
	memcpy(vendor + 8, &e->ecx, 4);
	return !memcmp(vendor, "AuthenticAMD", 12) || !memcmp(vendor, "HygonGenuine", 12);
}

static void set_flag(uint32_t *reg, uint32_t bit, bool on)
{
	*reg = on ? *reg | bit : *reg & ~bit;
}

/* KVM has no MWAIT for the guest unless its exits are switched off, which they are not. */
static void leaf_features(struct kvm_cpuid2 *c, unsigned id, unsigned ncpus, bool tsc_deadline)
{
	struct kvm_cpuid_entry2 *e = x86_cpuid_find(c, 1, 0);
	uint32_t clflush;

	if (!e)
		return;
	clflush = e->ebx & 0xff00;
	if (!clflush && e->edx & L1_EDX_CLFLUSH)
		clflush = 8 << 8; /* 64-byte lines */
	e->ebx = (e->ebx & 0xff) | clflush | (ncpus & 0xff) << 16 | id << 24;
	set_flag(&e->ecx, L1_ECX_HYPERVISOR, true);
	set_flag(&e->ecx, L1_ECX_TSC_DEADLINE, tsc_deadline);
	set_flag(&e->ecx, L1_ECX_MONITOR, false);
	set_flag(&e->edx, L1_EDX_HTT, ncpus > 1);
	clear_leaf(c, 5);
}

/*
 * Leaves 4 and 0x8000001d have the same layout: EAX[7:5] the cache's level, EAX[25:14] how many
 * APIC ids share it less one. Intel's EAX[31:26], ids of cores in the package less one, can't
 * count beyond 64; later leaves do.
 */
static void leaf_caches(struct kvm_cpuid2 *c, uint32_t function, unsigned ncpus)
{
	uint32_t last_id = (1u << core_bits(ncpus)) - 1;

	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];
		uint32_t level = e->eax >> 5 & 7;

		if (e->function != function || !(e->eax & 0x1f))
			continue;
		e->eax &= 0x3fff;
		if (level > 2)
			e->eax |= last_id << 14;
		if (function == 4)
			e->eax |= (last_id < 63 ? last_id : 63) << 26;
	}
}

/* Counters only if KVM has some: a guest must not find an architectural PMU without any. */
static void leaf_power_and_pmu(struct kvm_cpuid2 *c)
{
	struct kvm_cpuid_entry2 *e = x86_cpuid_find(c, 6, 0);

	if (e) {
		uint32_t arat = e->eax & L6_EAX_ARAT;

		clear_leaf(c, 6);
		e->eax = arat;
	}
	e = x86_cpuid_find(c, 0xa, 0);
	if (e && e->eax & 0xff && e->eax & 0xff00)
		return;
	clear_leaf(c, 0xa);
	e = x86_cpuid_find(c, 1, 0);
	if (e)
		set_flag(&e->ecx, L1_ECX_PDCM, false);
}

/* Leaves 0xb and 0x1f: a sub-leaf per level, each with this vCPU's whole id in EDX. */
static void leaf_levels(struct kvm_cpuid2 *c, uint32_t function, unsigned id, unsigned ncpus)
{
	const struct {
		uint32_t shift, count, level;
	} sub[] = {
		{0, 1, LEVEL_THREAD},
		{core_bits(ncpus), ncpus, LEVEL_CORE},
		{0, 0, 0},
	};

	clear_leaf(c, function);
	for (uint32_t i = 0; i < sizeof(sub) / sizeof(sub[0]); i++) {
		struct kvm_cpuid_entry2 *e =
			obtain(c, function, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);

		e->eax = sub[i].shift;
		e->ebx = sub[i].count;
		e->ecx = sub[i].level << 8 | i;
		e->edx = id;
	}
}

static void amd_topology(struct kvm_cpuid2 *c, unsigned id, unsigned ncpus)
{
	struct kvm_cpuid_entry2 *e = x86_cpuid_find(c, 0x80000008, 0);
	struct kvm_cpuid_entry2 *features = x86_cpuid_find(c, 0x80000001, 0);

	if (e)
		e->ecx = core_bits(ncpus) << 12 | (ncpus - 1);
	clear_leaf(c, 0x80000026); /* would win over 0xb; empty, it is skipped */
	if (!features)
		return;
	set_flag(&features->ecx, LX1_ECX_CMP_LEGACY, ncpus > 1);
	if (!(features->ecx & LX1_ECX_TOPOEXT))
		return;
	e = obtain(c, 0x8000001e, 0, 0);
	e->eax = id;	     /* extended APIC id */
	e->ebx = id;	     /* core id; threads per core less one in [15:8] */
	e->ecx = e->edx = 0; /* node 0 of one */
}

void x86_cpuid_tailor(struct kvm_cpuid2 *c, unsigned id, unsigned ncpus, bool tsc_deadline)
{
	struct kvm_cpuid_entry2 *e = obtain(c, 0, 0, 0);

	if (e->eax < 0xb)
		e->eax = 0xb;
	leaf_features(c, id, ncpus, tsc_deadline);
	leaf_caches(c, 4, ncpus);
	leaf_power_and_pmu(c);
	leaf_levels(c, 0xb, id, ncpus);
	if (e->eax >= 0x1f)
		leaf_levels(c, 0x1f, id, ncpus);
	if (is_amd(c)) {
		leaf_caches(c, 0x8000001d, ncpus);
		amd_topology(c, id, ncpus);
	}
}
