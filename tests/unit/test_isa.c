// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/isa.h"

#include <string.h>

#include "tests/unit/unit.h"

/* KVM's numbers (enum KVM_RISCV_ISA_EXT_ID, asm/kvm.h of riscv). */
enum { A = 0, C, D, F, H, I, M, SSTC = 8, ZBB = 13, SSAIA = 14, V = 15, ZBA = 17, ZICNTR = 19 };

#define BIT(n) (1ull << (n))

START_TEST(the_string_is_in_canonical_order)
{
	char text[ISA_TEXT];

	isa_string(BIT(I) | BIT(M) | BIT(A) | BIT(F) | BIT(D) | BIT(C), text);
	ck_assert_str_eq(text, "rv64imafdc");
	isa_string(BIT(SSTC) | BIT(ZBB) | BIT(ZBA) | BIT(V) | BIT(C) | BIT(A) | BIT(I) |
			   BIT(SSAIA) | BIT(ZICNTR) | BIT(ISA_ZAWRS),
		   text);
	ck_assert_str_eq(text, "rv64iacv_zawrs_zba_zbb_zicntr_ssaia_sstc");
	isa_string(0, text);
	ck_assert_str_eq(text, "rv64");
}
END_TEST

START_TEST(the_list_has_the_same)
{
	const char *list[ISA_KNOWN];

	ck_assert_uint_eq(
		isa_list(BIT(SSTC) | BIT(ISA_ZICBOM) | BIT(ISA_ZICBOZ) | BIT(I), list), 4);
	ck_assert_str_eq(list[0], "i");
	ck_assert_str_eq(list[1], "zicbom");
	ck_assert_str_eq(list[2], "zicboz");
	ck_assert_str_eq(list[3], "sstc");
	ck_assert_uint_eq(isa_list(0, list), 0);
}
END_TEST

/* Also bits of extensions that have no name here. */
START_TEST(all_of_them_fit)
{
	const char *list[ISA_KNOWN];
	char text[ISA_TEXT];
	size_t n = isa_list(~0ull, list);

	ck_assert_uint_eq(n, ISA_KNOWN);
	isa_string(~0ull, text);
	ck_assert_ptr_nonnull(strstr(text, "rv64imafdcvh_zacas_"));
	ck_assert_str_eq(list[n - 1], "svpbmt");
	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_nonnull(strstr(text, list[i]));
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(list[i], list[j]);
	}
}
END_TEST

UNIT_MAIN("isa", the_string_is_in_canonical_order, the_list_has_the_same, all_of_them_fit)
