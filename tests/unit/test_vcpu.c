// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/kvm_guest.h"
#include "tests/unit/unit.h"
#include "vmm/base/fd.h"

#define PORT 0x10

/* again: mov al, bl; out 10h, al; in al, 10h; jmp again */
static const uint8_t out_loop[] = {0x88, 0xd8, 0xe6, PORT, 0xe4, PORT, 0xeb, 0xf8};

static _Atomic unsigned long seen[4];
static struct vcpu_set *hold_on_write;

static void on_out(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	(void)opaque;
	(void)off;
	(void)len;
	atomic_fetch_add(&seen[value % 4], 1);
	if (hold_on_write)
		vcpus_hold(hold_on_write);
}

static uint64_t on_in(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	(void)off;
	(void)len;
	return 0x5a;
}

static const struct bus_ops port_ops = {.read = on_in, .write = on_out};

static bool wait_for(unsigned vcpu, unsigned long more)
{
	unsigned long start = seen[vcpu];

	for (int ms = 0; ms < 20000; ms++) {
		if (seen[vcpu] >= start + more)
			return true;
		usleep(1000);
	}
	return false;
}

START_TEST(every_vcpu_runs_and_pause_holds_all)
{
	struct kvm_guest g = {0};

	ck_assert_int_eq(bus_add(&g.pio, PORT, 1, &port_ops, NULL), 0);
	kvm_guest_create(&g, 2, out_loop, sizeof(out_loop));
	usleep(20000);
	ck_assert_uint_eq(seen[0] + seen[1], 0); /* created parked */

	vcpus_resume(&g.vcpus);
	ck_assert(wait_for(0, 3));
	ck_assert(wait_for(1, 3));
	for (int i = 0; i < 50; i++) {
		unsigned long before;

		vcpus_pause(&g.vcpus);
		before = seen[0] + seen[1];
		usleep(200);
		ck_assert_uint_eq(seen[0] + seen[1], before);
		vcpus_resume(&g.vcpus);
	}
	ck_assert(wait_for(0, 1));
	ck_assert(wait_for(1, 1));
	ck_assert_uint_ge(vcpus_exits(&g.vcpus), seen[0] + seen[1]);
	ck_assert_int_eq(vcpus_stop_reason(&g.vcpus).kind, VCPU_STOP_NONE);
	kvm_guest_destroy(&g);
}
END_TEST

START_TEST(parked_vcpu_has_its_last_access_completed)
{
	struct kvm_guest g = {0};
	struct kvm_regs regs;

	ck_assert_int_eq(bus_add(&g.pio, PORT, 1, &port_ops, NULL), 0);
	kvm_guest_create(&g, 1, out_loop, sizeof(out_loop));
	for (int i = 0; i < 20; i++) {
		vcpus_resume(&g.vcpus);
		ck_assert(wait_for(0, 2));
		vcpus_pause(&g.vcpus);
		ck_assert_int_eq(kvm_ioctl(g.vcpus.vcpu[0].fd, KVM_GET_REGS, &regs), 0);
		/* al is bl before the OUT and what the port gave after the IN, nothing between
		 */
		if (regs.rip == 0x1006 || regs.rip == 0x1000)
			ck_assert_uint_eq(regs.rax & 0xff, 0x5a);
	}
	kvm_guest_destroy(&g);
}
END_TEST

START_TEST(hold_parks_before_the_next_guest_code)
{
	struct kvm_guest g = {0};

	ck_assert_int_eq(bus_add(&g.pio, PORT, 1, &port_ops, NULL), 0);
	kvm_guest_create(&g, 1, out_loop, sizeof(out_loop));
	hold_on_write = &g.vcpus;
	vcpus_resume(&g.vcpus);
	ck_assert(wait_for(0, 1));
	usleep(50000);
	ck_assert_uint_eq(seen[0], 1);
	hold_on_write = NULL;
	vcpus_resume(&g.vcpus);
	ck_assert(wait_for(0, 2));
	kvm_guest_destroy(&g);
}
END_TEST

static void run_until_stop(struct kvm_guest *g)
{
	struct pollfd p = {.fd = g->stop_fd, .events = POLLIN};

	vcpus_resume(&g->vcpus);
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
}

START_TEST(a_vcpu_that_cannot_go_on_is_reported_and_parks_the_others)
{
	/* test bl, bl; jnz +1; hlt; again: jmp again -- without an interrupt controller nobody
	 * wakes it */
	static const uint8_t halt[] = {0x84, 0xdb, 0x75, 0x01, 0xf4, 0xeb, 0xfe};
	struct kvm_guest g = {0};
	struct vcpu_stop stop;

	kvm_guest_create(&g, 2, halt, sizeof(halt));
	run_until_stop(&g);
	vcpus_pause(&g.vcpus);
	stop = vcpus_stop_reason(&g.vcpus);
	ck_assert_int_eq(stop.kind, VCPU_STOP_UNKNOWN_EXIT);
	ck_assert_uint_eq(stop.code, KVM_EXIT_HLT);
	ck_assert_uint_eq(stop.vcpu, 0);
	kvm_guest_destroy(&g);
}
END_TEST

/*
 * Stands in for ioctl(2), by the linker, see the Makefile: an exit that an x86-64 KVM doesn't
 * have, instead of running the guest.
 */
int __wrap_ioctl(int fd, unsigned long req, void *arg);
int __real_ioctl(int fd, unsigned long req, void *arg);

static struct kvm_run *event_in;
static uint32_t event, exit_reason = KVM_EXIT_SYSTEM_EVENT;

int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	if (req != KVM_RUN || !event_in)
		return __real_ioctl(fd, req, arg);
	event_in->exit_reason = exit_reason;
	event_in->system_event.type = event;
	return 0;
}

static void expect_stop(uint32_t type, enum vcpu_stop_kind kind, uint64_t code)
{
	struct kvm_guest g = {0};
	struct vcpu_stop stop;

	kvm_guest_create(&g, 1, out_loop, sizeof(out_loop));
	event = type;
	event_in = g.vcpus.vcpu[0].run;
	run_until_stop(&g);
	stop = vcpus_stop_reason(&g.vcpus);
	ck_assert_int_eq(stop.kind, kind);
	ck_assert_uint_eq(stop.code, code);
	vcpus_pause(&g.vcpus);
	event_in = NULL;
	kvm_guest_destroy(&g);
}

START_TEST(what_the_guest_asks_its_firmware_for)
{
	expect_stop(KVM_SYSTEM_EVENT_SHUTDOWN, VCPU_STOP_POWEROFF, 0);
	expect_stop(KVM_SYSTEM_EVENT_RESET, VCPU_STOP_RESET, 0);
	expect_stop(KVM_SYSTEM_EVENT_CRASH, VCPU_STOP_CRASH, 0);
	expect_stop(77, VCPU_STOP_UNKNOWN_EXIT, KVM_EXIT_SYSTEM_EVENT);
}
END_TEST

static _Atomic unsigned long answered;

static bool answer_ten(struct kvm_run *run)
{
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_RISCV_SBI);
	return atomic_fetch_add(&answered, 1) < 10;
}

START_TEST(an_exit_of_one_architecture_is_its_own)
{
	struct kvm_guest g = {0};
	struct vcpu_stop stop;

	kvm_guest_create(&g, 1, out_loop, sizeof(out_loop));
	g.vm.arch_exit = answer_ten;
	exit_reason = KVM_EXIT_RISCV_SBI;
	event_in = g.vcpus.vcpu[0].run;
	run_until_stop(&g);
	stop = vcpus_stop_reason(&g.vcpus);
	ck_assert_int_eq(stop.kind, VCPU_STOP_UNKNOWN_EXIT);
	ck_assert_uint_eq(stop.code, KVM_EXIT_RISCV_SBI);
	ck_assert_uint_eq(answered, 11);
	vcpus_pause(&g.vcpus);
	event_in = NULL;
	kvm_guest_destroy(&g);
}
END_TEST

START_TEST(too_many_vcpus_name_the_option)
{
	struct kvm_guest g = {0};
	struct err err;

	kvm_guest_create(&g, 1, out_loop, sizeof(out_loop));
	vcpus_destroy(&g.vcpus);
	g.host.max_vcpus = 2;
	ck_assert_int_eq(vcpus_create(&g.vcpus, &g.vm, 3, &g.pio, &g.mmio, g.stop_fd, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "-c 3"));
	ck_assert_ptr_nonnull(strstr(err.msg, "at most 2"));
	kvm_guest_destroy(&g);
}
END_TEST

START_TEST(destroying_a_running_or_empty_set_is_fine)
{
	struct kvm_guest g = {0};
	struct vcpu_set none = {0};

	kvm_guest_create(&g, 3, out_loop, sizeof(out_loop));
	vcpus_resume(&g.vcpus);
	kvm_guest_destroy(&g);
	vcpus_destroy(&none);
}
END_TEST

UNIT_MAIN_KVM("vcpu", every_vcpu_runs_and_pause_holds_all,
	      parked_vcpu_has_its_last_access_completed, hold_parks_before_the_next_guest_code,
	      a_vcpu_that_cannot_go_on_is_reported_and_parks_the_others,
	      what_the_guest_asks_its_firmware_for, an_exit_of_one_architecture_is_its_own,
	      too_many_vcpus_name_the_option, destroying_a_running_or_empty_set_is_fine)
