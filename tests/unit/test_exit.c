// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/exit.h"

#include <stdint.h>

#include "tests/unit/unit.h"

START_TEST(a_call_of_the_firmware_is_not_supported)
{
	/* Console put character of old, write of the debug console, a vendor's. */
	static const unsigned long extensions[] = {1, 0x4442434e, 0x09000000};

	for (unsigned i = 0; i < 3; i++) {
		struct kvm_run run = {.exit_reason = KVM_EXIT_RISCV_SBI};

		run.riscv_sbi.extension_id = extensions[i];
		run.riscv_sbi.ret[0] = run.riscv_sbi.ret[1] = 77;
		ck_assert(riscv64_exit(&run));
		ck_assert_int_eq((long)run.riscv_sbi.ret[0], -2);
		ck_assert_uint_eq(run.riscv_sbi.ret[1], 0);
	}
}
END_TEST

START_TEST(the_seed_register_has_entropy)
{
	struct kvm_run run = {.exit_reason = KVM_EXIT_RISCV_CSR};
	unsigned long differ = 0, first = 0;

	run.riscv_csr.csr_num = 0x015;
	for (unsigned i = 0; i < 64; i++) {
		ck_assert(riscv64_exit(&run));
		ck_assert_uint_eq(run.riscv_csr.ret_value >> 16, 0x8000);
		first = i ? first : run.riscv_csr.ret_value;
		differ |= run.riscv_csr.ret_value ^ first;
	}
	ck_assert_uint_ne(differ, 0);
}
END_TEST

START_TEST(other_registers_read_0_and_other_exits_are_not_ours)
{
	struct kvm_run run = {.exit_reason = KVM_EXIT_RISCV_CSR};

	run.riscv_csr.csr_num = 0x123;
	run.riscv_csr.ret_value = 77;
	ck_assert(riscv64_exit(&run));
	ck_assert_uint_eq(run.riscv_csr.ret_value, 0);
	run.exit_reason = KVM_EXIT_DEBUG;
	ck_assert(!riscv64_exit(&run));
}
END_TEST

UNIT_MAIN("exit", a_call_of_the_firmware_is_not_supported, the_seed_register_has_entropy,
	  other_registers_read_0_and_other_exits_are_not_ours)
