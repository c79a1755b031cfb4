// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/text.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "tests/unit/unit.h"

static char out[512];
static struct text t;

START_TEST(text_is_cut_where_room_ends)
{
	for (size_t cap = 1; cap <= 12; cap++) {
		memset(out, 'x', sizeof(out));
		text_init(&t, out, cap);
		text_put(&t, "%s", "abcde");
		text_put(&t, "%d", 67890);
		ck_assert_uint_eq(strlen(out), cap <= 11 ? cap - 1 : 10);
		ck_assert_mem_eq(out, "abcde67890", strlen(out));
		ck_assert_uint_eq(out[cap], 'x');
	}
}
END_TEST

START_TEST(bytes)
{
	text_init(&t, out, sizeof(out));
	text_bytes(&t, "code", (const uint8_t[]){0, 0xab, 7}, 3);
	ck_assert_str_eq(out, "  code: 00 ab 07\n");
}
END_TEST

static void expect(enum vcpu_stop_kind kind, uint64_t code, const char *says)
{
	const struct vcpu_stop stop = {.kind = kind, .vcpu = 5, .code = code};

	text_init(&t, out, sizeof(out));
	ck_assert(text_stop(&t, &stop, 0x77, "", true));
	ck_assert_msg(!strncmp(out, "vCPU 5 stopped: ", 16), "%s", out);
	ck_assert_str_eq(out + 16, says);
}

START_TEST(headlines)
{
	expect(VCPU_STOP_SHUTDOWN, 0, "triple fault\n");
	expect(VCPU_STOP_CRASH, 0, "the guest said that it crashed\n");
	expect(VCPU_STOP_RUN_FAILED, EFAULT, "KVM_RUN failed: Bad address\n");
	expect(VCPU_STOP_UNKNOWN_EXIT, 99, "unexpected KVM exit reason 99\n");
	expect(VCPU_STOP_UNKNOWN_EXIT, KVM_EXIT_UNKNOWN,
	       "unexpected KVM exit reason 0 (hardware exit reason 0x77)\n");
	expect(VCPU_STOP_INTERNAL_ERROR, 77, "KVM internal error (internal error 77)\n");
	expect(VCPU_STOP_INTERNAL_ERROR, KVM_INTERNAL_ERROR_EMULATION,
	       "KVM can't emulate an instruction (internal error 1)\n");
	expect(VCPU_STOP_FAIL_ENTRY, 9,
	       "the CPU refused to enter the guest (hardware reason 0x9)\n");
}
END_TEST

START_TEST(errors_of_kvm_run_mean_something)
{
	ck_assert_ptr_nonnull(strstr(text_run_failed(EFAULT), "guest memory"));
	ck_assert_ptr_nonnull(strstr(text_run_failed(EHWPOISON), "hardware error"));
	ck_assert_ptr_nonnull(strstr(text_run_failed(ENOMEM), "no memory left"));
	ck_assert_ptr_nonnull(strstr(text_run_failed(EPERM), "dmesg"));
}
END_TEST

START_TEST(a_stop_means_something_or_nothing)
{
	struct vcpu_stop stop = {.kind = VCPU_STOP_RUN_FAILED, .code = ENOSYS};

	ck_assert_ptr_nonnull(strstr(text_meaning(&stop, ENOSYS), "device memory"));
	ck_assert_str_eq(text_meaning(&stop, EOPNOTSUPP), text_run_failed(ENOSYS));
	stop.kind = VCPU_STOP_UNKNOWN_EXIT;
	ck_assert_ptr_nonnull(strstr(text_meaning(&stop, ENOSYS), "doesn't know"));
	stop.kind = VCPU_STOP_FAIL_ENTRY;
	ck_assert_ptr_nonnull(strstr(text_meaning(&stop, ENOSYS), "dmesg"));
	stop.kind = VCPU_STOP_CRASH;
	ck_assert_str_eq(text_meaning(&stop, ENOSYS), "");
}
END_TEST

UNIT_MAIN("text", text_is_cut_where_room_ends, bytes, headlines,
	  errors_of_kvm_run_mean_something, a_stop_means_something_or_nothing)
