// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/speed.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/kvm_guest.h"
#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"

static struct kvm_host host;
static struct err err;

START_TEST(a_host_has_a_speed)
{
	uint64_t ns = 0;

	ck_assert_int_eq(kvm_host_open(&host, &err), 0);
	ck_assert_msg(!arch_probe_speed(&host, &ns, &err), "%s", err.msg);
	/* A million instructions: no CPU does them in 10 us, nor this host in 10 minutes. */
	ck_assert_uint_gt(ns, 10000);
	ck_assert_uint_lt(ns, 600000000000ull);
	kvm_host_close(&host);
}
END_TEST

/* Whatever the CPU makes of no code at all, it isn't what was asked for. */
START_TEST(another_exit_is_an_error)
{
	static const uint8_t nothing[16];
	struct speed s;
	uint64_t ns;

	ck_assert_int_eq(kvm_host_open(&host, &err), 0);
	ck_assert_int_eq(speed_open(&s, &host, nothing, sizeof(nothing), &err), 0);
	ck_assert_int_eq(speed_measure(&s, KVM_EXIT_DEBUG, &ns, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "exit reason"));
	speed_close(&s);
	kvm_host_close(&host);
}
END_TEST

START_TEST(no_host_is_an_error_and_leaves_nothing)
{
	static const uint8_t nothing[16];
	const struct kvm_host none = {.fd = -1};
	struct speed s;

	ck_assert_int_eq(speed_open(&s, &none, nothing, sizeof(nothing), &err), -EBADF);
	speed_close(&s);
}
END_TEST

UNIT_MAIN_KVM("speed", a_host_has_a_speed, another_exit_is_an_error,
	      no_host_is_an_error_and_leaves_nothing)
