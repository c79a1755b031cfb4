// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/cpu.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/arch/x86_64/layout.h"

static const struct arch_entry bits64 = {.pc = 0x1000200, .arg = X86_ZERO_PAGE_GPA};
static const struct arch_entry pvh = {.pvh = true, .pc = 0x1000000, .arg = X86_PVH_INFO_GPA};

static struct gmem memory(uint64_t len)
{
	const struct gmem_span span = {.gpa = 0, .len = len};
	struct gmem mem;
	struct err err;

	ck_assert_int_eq(gmem_create(&mem, &span, 1, &err), 0);
	return mem;
}

/* Whatever the state was before, with every byte set, must not shine through. */
static struct kvm_sregs state(const struct arch_entry *entry)
{
	struct kvm_sregs s;

	memset(&s, 0xff, sizeof(s));
	x86_entry_sregs(&s, entry);
	return s;
}

START_TEST(boot_protocol_registers)
{
	struct kvm_regs r = x86_entry_regs(&bits64);

	ck_assert_uint_eq(r.rip, 0x1000200);
	ck_assert_uint_eq(r.rsi, X86_ZERO_PAGE_GPA);
	ck_assert_uint_eq(r.rflags, 2);
	ck_assert_uint_eq(r.rbx, 0);
}
END_TEST

START_TEST(pvh_registers)
{
	struct kvm_regs r = x86_entry_regs(&pvh);

	ck_assert_uint_eq(r.rip, 0x1000000);
	ck_assert_uint_eq(r.rbx, X86_PVH_INFO_GPA);
	ck_assert_uint_eq(r.rflags, 2);
	ck_assert_uint_eq(r.rsi, 0);
}
END_TEST

START_TEST(long_mode_state)
{
	struct kvm_sregs s = state(&bits64);

	ck_assert_uint_eq(s.cs.selector, 0x10);
	ck_assert(s.cs.l && !s.cs.db && s.cs.present && !s.cs.unusable);
	ck_assert_uint_eq(s.ds.selector, 0x18);
	ck_assert_uint_eq(s.ss.dpl, 0);
	ck_assert_uint_eq(s.cr0 & 0x80000001, 0x80000001);
	ck_assert_uint_eq(s.cr3, X86_PAGE_TABLES_GPA);
	ck_assert_uint_eq(s.cr4, 1 << 5);
	ck_assert_uint_eq(s.efer, 1 << 8 | 1 << 10);
	ck_assert_uint_eq(s.tr.type, 0xb);
}
END_TEST

START_TEST(protected_mode_state)
{
	struct kvm_sregs s = state(&pvh);
	const struct kvm_segment *data[] = {&s.ds, &s.es, &s.ss};

	ck_assert(!s.cs.l && s.cs.db);
	ck_assert_uint_eq(s.cs.base, 0);
	ck_assert_uint_eq(s.cs.limit, UINT32_MAX);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(data[i]->base, 0);
		ck_assert_uint_eq(data[i]->limit, UINT32_MAX);
		ck_assert_uint_eq(data[i]->type, 3);
	}
	ck_assert_uint_eq(s.cr0 & 0x80000001, 1);
	ck_assert_uint_eq(s.cr4, 0);
	ck_assert_uint_eq(s.efer, 0);
	ck_assert(s.tr.type == 0xb && s.tr.limit == 0x67 && s.tr.present);
}
END_TEST

/* The descriptors of the usual flat GDT, known by heart. */
START_TEST(descriptor_table)
{
	struct gmem mem = memory(1 << 20);
	struct kvm_sregs s = state(&bits64);
	const uint64_t *gdt = gmem_ptr(&mem, X86_GDT_GPA, 48);

	ck_assert_int_eq(x86_entry_tables(&mem, &s), 0);
	ck_assert_uint_eq(s.gdt.base, X86_GDT_GPA);
	ck_assert_uint_eq(s.gdt.limit, 47);
	ck_assert_uint_eq(gdt[0] | gdt[1] | gdt[5], 0);
	ck_assert_uint_eq(gdt[2], 0x00af9b000000ffff);
	ck_assert_uint_eq(gdt[3], 0x00cf93000000ffff);
	ck_assert_uint_eq(gdt[4], 0x00008b0000000067);
	s = state(&pvh);
	ck_assert_int_eq(x86_entry_tables(&mem, &s), 0);
	ck_assert_uint_eq(gdt[2], 0x00cf9b000000ffff);
	gmem_destroy(&mem);
}
END_TEST

/* Walk the tables as the CPU does. Returns UINT64_MAX when nothing is mapped. */
static uint64_t walk(const struct gmem *mem, uint64_t root, uint64_t va)
{
	uint64_t table = root;

	for (int shift = 39; shift >= 21; shift -= 9) {
		const uint64_t *t = gmem_ptr(mem, table, 4096);
		uint64_t e;

		ck_assert_ptr_nonnull(t);
		e = t[va >> shift & 511];
		if (!(e & 1))
			return UINT64_MAX;
		ck_assert(e & 2);
		if (e & 0x80)
			return (e & 0xfffffffe00000) | (va & 0x1fffff);
		table = e & 0xffffffffff000;
	}
	ck_abort_msg("no page at the last level");
}

START_TEST(the_first_4_gib_are_mapped_one_to_one)
{
	static const uint64_t at[] = {0,	  0x1fffff,   0x200000,	  0x3fffffff,
				      0x40000000, 0xc0000123, 0xfee00020, 0xffffffff};
	struct gmem mem = memory(1 << 20);
	struct kvm_sregs s = state(&bits64);

	memset(gmem_ptr(&mem, X86_PAGE_TABLES_GPA, 0x6000), 0xff, 0x6000);
	ck_assert_int_eq(x86_entry_tables(&mem, &s), 0);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		ck_assert_uint_eq(walk(&mem, s.cr3, at[i]), at[i]);
	ck_assert_uint_eq(walk(&mem, s.cr3, 0x100000000), UINT64_MAX);
	ck_assert_uint_eq(walk(&mem, s.cr3, 0xffffffff80000000), UINT64_MAX);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(pvh_leaves_the_page_tables_room_alone)
{
	struct gmem mem = memory(1 << 20);
	struct kvm_sregs s = state(&pvh);
	const uint8_t *room = gmem_ptr(&mem, X86_PAGE_TABLES_GPA, 0x6000);

	ck_assert_int_eq(x86_entry_tables(&mem, &s), 0);
	for (unsigned i = 0; i < 0x6000; i++)
		ck_assert_uint_eq(room[i], 0);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(the_reset_vector_writes_the_reset_register)
{
	static const uint8_t code[] = {0xba, 0x02, 0x06, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd};
	struct gmem mem = memory(1 << 20);

	ck_assert_int_eq(x86_reset_vector(&mem), 0);
	ck_assert_mem_eq(gmem_ptr(&mem, 0xffff0, 16), code, sizeof(code));
	gmem_destroy(&mem);
	mem = memory(0xff000);
	ck_assert_int_eq(x86_reset_vector(&mem), -EFAULT);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(too_little_memory_is_refused)
{
	struct gmem mem = memory(X86_PAGE_TABLES_GPA + 5 * 4096);
	struct kvm_sregs s = state(&bits64);

	ck_assert_int_eq(x86_entry_tables(&mem, &s), -EFAULT);
	gmem_destroy(&mem);
}
END_TEST

UNIT_MAIN("cpu", boot_protocol_registers, pvh_registers, long_mode_state, protected_mode_state,
	  descriptor_table, the_first_4_gib_are_mapped_one_to_one,
	  pvh_leaves_the_page_tables_room_alone, the_reset_vector_writes_the_reset_register,
	  too_little_memory_is_refused)
