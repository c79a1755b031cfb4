// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/cpuid.h"

#include <string.h>

#include "tests/unit/unit.h"

#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX
#define ANY	0xffffffffu /* what a host's own values look like: every bit set */

static union {
	struct kvm_cpuid2 c;
	uint8_t room[sizeof(struct kvm_cpuid2) + 64 * sizeof(struct kvm_cpuid_entry2)];
} u;

static void add(uint32_t function, uint32_t index, uint32_t flags, uint32_t eax, uint32_t ebx,
		uint32_t ecx, uint32_t edx)
{
	u.c.entries[u.c.nent++] = (struct kvm_cpuid_entry2){.function = function,
							    .index = index,
							    .flags = flags,
							    .eax = eax,
							    .ebx = ebx,
							    .ecx = ecx,
							    .edx = edx};
}

static void add_vendor(const char *name, uint32_t max)
{
	uint32_t r[3];

	memcpy(r, name, 12);
	add(0, 0, 0, max, r[0], r[2], r[1]);
}

static void intel(uint32_t max)
{
	memset(&u, 0, sizeof(u));
	add_vendor("GenuineIntel", max);
	add(1, 0, 0, 0x306f2, ANY, ANY, ANY);
	add(4, 0, INDEXED, 0xfc004121, 1, 2, 3); /* L1, 64 cores */
	add(4, 1, INDEXED, 0xfc00c143, 1, 2, 3); /* L2, 4 share */
	add(4, 2, INDEXED, 0xfc1fc163, 1, 2, 3); /* L3, 128 share */
	add(4, 3, INDEXED, 0, 0, 0, 0);
	add(5, 0, 0, 64, 64, 3, 0x20);
	add(6, 0, 0, 0x77, 2, 9, 0);
	add(0xa, 0, 0, 0x07300402, 0, 0, 0x603);
	add(0xb, 0, INDEXED, 0, 0, 0, 0x55);
	if (max >= 0x1f)
		add(0x1f, 0, INDEXED, 0, 0, 0, 0x55);
	add(0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	add(0x80000008, 0, 0, 0x3028, 0, 0, 0);
}

static void amd(const char *vendor, uint32_t ext_ecx)
{
	memset(&u, 0, sizeof(u));
	add_vendor(vendor, 0x10);
	add(1, 0, 0, 0xa20f10, 0, 0, 1u << 19);
	add(0x80000001, 0, 0, 0, 0, ext_ecx, 0);
	add(0x80000008, 0, 0, 0x3030, 7, ANY, 0);
	add(0x8000001d, 0, INDEXED, 0x00004121, 0, 0, 0);
	add(0x8000001d, 1, INDEXED, 0x0003c163, 0, 0, 0);
	add(0x80000026, 0, INDEXED, 1, 2, 3, 4);
}

static struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
	struct kvm_cpuid_entry2 *e = x86_cpuid_find(&u.c, function, index);

	ck_assert_ptr_nonnull(e);
	return e;
}

START_TEST(identity_and_features)
{
	intel(0xd);
	x86_cpuid_tailor(&u.c, 5, 6, true);
	ck_assert_uint_eq(leaf(1, 0)->eax, 0x306f2);
	ck_assert_uint_eq(leaf(1, 0)->ebx, 0x0506ffff);
	ck_assert_uint_eq(leaf(1, 0)->ecx, ANY & ~(1u << 3));
	ck_assert_uint_eq(leaf(1, 0)->edx, ANY);

	x86_cpuid_tailor(&u.c, 0, 1, false);
	ck_assert_uint_eq(leaf(1, 0)->ebx, 0x0001ffff);
	ck_assert_uint_eq(leaf(1, 0)->ecx, ANY & ~(1u << 3 | 1u << 24));
	ck_assert_uint_eq(leaf(1, 0)->edx, ANY & ~(1u << 28));
	ck_assert_uint_eq(leaf(5, 0)->eax | leaf(5, 0)->ebx | leaf(5, 0)->edx, 0);
	ck_assert_uint_eq(leaf(6, 0)->eax, 4);
	ck_assert_uint_eq(leaf(6, 0)->ecx, 0);
	ck_assert_uint_eq(leaf(0x40000000, 0)->ebx, 0x4b4d564b);
}
END_TEST

START_TEST(clflush_size_is_filled_in)
{
	amd("AuthenticAMD", 0);
	x86_cpuid_tailor(&u.c, 0, 1, true);
	ck_assert_uint_eq(leaf(1, 0)->ebx, 0x00010800);
	ck_assert_uint_eq(leaf(1, 0)->ecx, 1u << 31 | 1u << 24);
}
END_TEST

START_TEST(own_l1_and_l2_shared_l3)
{
	static const struct {
		unsigned cpus;
		uint32_t ids;
	} want[] = {{1, 1}, {2, 2}, {3, 4}, {4, 4}, {5, 8}, {64, 64}, {255, 256}};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		uint32_t ids = want[i].ids, cores = (ids < 64 ? ids : 64) - 1;

		intel(0xd);
		x86_cpuid_tailor(&u.c, 0, want[i].cpus, true);
		ck_assert_uint_eq(leaf(4, 0)->eax, cores << 26 | 0x0121);
		ck_assert_uint_eq(leaf(4, 1)->eax, cores << 26 | 0x0143);
		ck_assert_uint_eq(leaf(4, 2)->eax, cores << 26 | (ids - 1) << 14 | 0x0163);
		ck_assert_uint_eq(leaf(4, 2)->ebx, 1);
		ck_assert_uint_eq(leaf(4, 3)->eax, 0);
	}
}
END_TEST

static void check_levels(uint32_t function, unsigned id, unsigned cpus, uint32_t shift)
{
	ck_assert_uint_eq(leaf(function, 0)->eax, 0);
	ck_assert_uint_eq(leaf(function, 0)->ebx, 1);
	ck_assert_uint_eq(leaf(function, 0)->ecx, 0x100);
	ck_assert_uint_eq(leaf(function, 1)->eax, shift);
	ck_assert_uint_eq(leaf(function, 1)->ebx, cpus);
	ck_assert_uint_eq(leaf(function, 1)->ecx, 0x201);
	ck_assert_uint_eq(leaf(function, 2)->ebx, 0);
	ck_assert_uint_eq(leaf(function, 2)->ecx, 2);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_uint_eq(leaf(function, i)->edx, id);
}

START_TEST(topology_levels)
{
	intel(0xd);
	x86_cpuid_tailor(&u.c, 2, 3, true);
	check_levels(0xb, 2, 3, 2);
	ck_assert_ptr_null(x86_cpuid_find(&u.c, 0x1f, 0));

	intel(0x20);
	x86_cpuid_tailor(&u.c, 254, 255, true);
	check_levels(0xb, 254, 255, 8);
	check_levels(0x1f, 254, 255, 8);
}
END_TEST

START_TEST(levels_are_added_where_the_host_has_none)
{
	amd("AuthenticAMD", 0);
	u.c.entries[0].eax = 5;
	x86_cpuid_tailor(&u.c, 1, 2, true);
	ck_assert_uint_eq(leaf(0, 0)->eax, 0xb);
	check_levels(0xb, 1, 2, 1);
}
END_TEST

START_TEST(amd_core_numbers)
{
	static const char *const vendors[] = {"AuthenticAMD", "HygonGenuine"};

	for (unsigned i = 0; i < 2; i++) {
		amd(vendors[i], 1u << 22);
		x86_cpuid_tailor(&u.c, 4, 5, true);
		ck_assert_uint_eq(leaf(0x80000008, 0)->ecx, 0x3004);
		ck_assert_uint_eq(leaf(0x80000008, 0)->ebx, 7);
		ck_assert_uint_eq(leaf(0x80000001, 0)->ecx, 1u << 22 | 1u << 1);
		ck_assert_uint_eq(leaf(0x8000001e, 0)->eax, 4);
		ck_assert_uint_eq(leaf(0x8000001e, 0)->ebx, 4);
		ck_assert_uint_eq(leaf(0x8000001e, 0)->ecx, 0);
		ck_assert_uint_eq(leaf(0x8000001d, 0)->eax, 0x0121);
		ck_assert_uint_eq(leaf(0x8000001d, 1)->eax, 7u << 14 | 0x0163);
		ck_assert_uint_eq(leaf(0x80000026, 0)->ebx, 0);
	}
	amd("AuthenticAMD", 1u << 1);
	x86_cpuid_tailor(&u.c, 0, 1, true);
	ck_assert_uint_eq(leaf(0x80000001, 0)->ecx, 0);
	ck_assert_ptr_null(x86_cpuid_find(&u.c, 0x8000001e, 0));

	intel(0xd);
	x86_cpuid_tailor(&u.c, 4, 5, true);
	ck_assert_uint_eq(leaf(0x80000008, 0)->ecx, 0);
}
END_TEST

START_TEST(counters_only_if_there_are_some)
{
	intel(0xd);
	x86_cpuid_tailor(&u.c, 0, 1, true);
	ck_assert_uint_eq(leaf(0xa, 0)->eax, 0x07300402);
	ck_assert(leaf(1, 0)->ecx & 1u << 15);

	intel(0xd);
	leaf(0xa, 0)->eax = 0x07300002;
	x86_cpuid_tailor(&u.c, 0, 1, true);
	ck_assert_uint_eq(leaf(0xa, 0)->eax | leaf(0xa, 0)->edx, 0);
	ck_assert(!(leaf(1, 0)->ecx & 1u << 15));
}
END_TEST

/* The caller's buffer has room for so many: an empty list with everything to add is the worst.
 */
START_TEST(no_more_is_added_than_promised)
{
	uint32_t before;

	amd("AuthenticAMD", 1u << 22);
	u.c.entries[0].eax = 0x20;
	before = u.c.nent;
	x86_cpuid_tailor(&u.c, 0, 4, true);
	ck_assert_uint_le(u.c.nent - before, X86_CPUID_ROOM);
	memset(&u, 0, sizeof(u));
	x86_cpuid_tailor(&u.c, 0, 4, true);
	ck_assert_uint_le(u.c.nent, X86_CPUID_ROOM);
}
END_TEST

START_TEST(tailoring_twice_changes_nothing)
{
	struct kvm_cpuid_entry2 once[64];
	uint32_t n;

	amd("AuthenticAMD", 1u << 22);
	x86_cpuid_tailor(&u.c, 3, 4, true);
	n = u.c.nent;
	memcpy(once, u.c.entries, n * sizeof(once[0]));
	x86_cpuid_tailor(&u.c, 3, 4, true);
	ck_assert_uint_eq(u.c.nent, n);
	ck_assert_mem_eq(once, u.c.entries, n * sizeof(once[0]));
}
END_TEST

UNIT_MAIN("cpuid", identity_and_features, clflush_size_is_filled_in, own_l1_and_l2_shared_l3,
	  topology_levels, levels_are_added_where_the_host_has_none, amd_core_numbers,
	  counters_only_if_there_are_some, no_more_is_added_than_promised,
	  tailoring_twice_changes_nothing)
