// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/kvm_guest.h"
#include "tests/unit/unit.h"
#include "vmm/base/fd.h"

START_TEST(host_says_what_it_can)
{
	struct kvm_host h;

	ck_assert_int_eq(kvm_host_open(&h, NULL), 0);
	ck_assert_uint_ge(h.run_len, sizeof(struct kvm_run));
	ck_assert_uint_ge(h.max_vcpus, 1);
	ck_assert_int_ne(kvm_host_cap(&h, KVM_CAP_IRQFD), 0);
	kvm_host_close(&h);
	ck_assert_int_eq(h.fd, -1);
}
END_TEST

START_TEST(overlapping_slots_are_an_error_that_names_the_gpa)
{
	const struct gmem_span spans[] = {{0, 0x10000}, {0x10000, 0x10000}};
	struct kvm_host h;
	struct kvm_vm vm;
	struct gmem mem;
	struct err err;

	ck_assert_int_eq(kvm_host_open(&h, NULL), 0);
	ck_assert_int_eq(kvm_vm_create(&vm, &h, NULL), 0);
	ck_assert_int_eq(gmem_create(&mem, spans, 2, NULL), 0);
	mem.region[1].gpa = 0x8000;
	ck_assert_int_eq(kvm_vm_add_memory(&vm, &mem, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.msg, "0x8000"));
	kvm_vm_destroy(&vm);
	kvm_vm_destroy(&vm); /* twice is fine */
	gmem_destroy(&mem);
	kvm_host_close(&h);
}
END_TEST

START_TEST(bad_descriptors_come_back_as_errno)
{
	struct kvm_host h;
	struct kvm_vm vm;
	struct err err;

	ck_assert_int_eq(kvm_host_open(&h, NULL), 0);
	ck_assert_int_eq(kvm_vm_create(&vm, &h, NULL), 0);
	ck_assert_int_lt(kvm_vm_irqfd(&vm, -1, 5, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "GSI 5"));
	ck_assert_int_lt(kvm_vm_ioeventfd(&vm, -1, 0xd0000050, 2, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "0xd0000050"));
	ck_assert_int_eq(kvm_ioctl(-1, KVM_GET_API_VERSION, NULL), -EBADF);
	ck_assert_int_lt(kvm_vm_irq_pulse(&vm, 5), 0); /* no interrupt controller */
	ck_assert_int_eq(kvm_vcpu_interrupt(-1, true), -EBADF);
	kvm_vm_destroy(&vm);
	kvm_host_close(&h);
}
END_TEST

/* No machine has the interrupt controllers of all of them. */
START_TEST(an_interrupt_controller_that_is_not_there_changes_nothing)
{
	struct kvm_host h;
	struct kvm_vm vm;
	struct err err = {0};

	ck_assert_int_eq(kvm_host_open(&h, NULL), 0);
	ck_assert_int_eq(kvm_vm_create(&vm, &h, NULL), 0);
	ck_assert_int_eq(kvm_vm_irqchip(&vm, KVM_DEV_TYPE_XICS, &err), -ENODEV);
	ck_assert_uint_eq(vm.irqchip, 0);
	ck_assert_str_eq(err.msg, "");
	kvm_vm_destroy(&vm);
	ck_assert_int_eq(vm.fd, -1);
	kvm_host_close(&h);
}
END_TEST

/* Any device will do to see that it is the VM's, and ends with it. */
START_TEST(an_interrupt_controller_is_the_vms)
{
	struct kvm_host h;
	struct kvm_vm vm;
	struct err err = {0};
	uint64_t value = 0;
	int rc, fd;

	ck_assert_int_eq(kvm_host_open(&h, NULL), 0);
	ck_assert_int_eq(kvm_vm_create(&vm, &h, NULL), 0);
	rc = kvm_vm_irqchip(&vm, KVM_DEV_TYPE_VFIO, &err);
	if (rc == -ENODEV) {
		printf("skip - this KVM has no device that can be made here\n");
	} else {
		ck_assert_msg(!rc, "%s", err.msg);
		fd = vm.irqchip_fd;
		ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		ck_assert_int_lt(kvm_vm_irqchip_set(&vm, 77, 5, &value, &err), 0);
		ck_assert_ptr_nonnull(strstr(err.msg, "77.5"));
		kvm_vm_destroy(&vm);
		ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	}
	kvm_vm_destroy(&vm);
	kvm_host_close(&h);
}
END_TEST

/* The guest's write to a doorbell address signals the eventfd and never reaches the bus. */
START_TEST(ioeventfd_takes_the_write)
{
	/* store 2 to gpa 20050h, where there is no memory, then wait */
	static const uint8_t code[] = {0x66, 0xb8, 0x02, 0x00, 0x00, 0x00, /* mov eax, 2 */
				       0x67, 0x66, 0xa3, 0x50, 0x00, 0x02, 0x00, /* [20050h] */
				       0xeb, 0xfe};
	struct kvm_guest g = {0};
	int bell = fd_eventfd();
	bool rung = false;

	kvm_guest_create(&g, 1, code, sizeof(code));
	ck_assert_int_eq(kvm_vm_ioeventfd(&g.vm, bell, 0x20050, 2, NULL), 0);
	/* ds gets a 4 GiB limit, so that real-mode code reaches past 64 KiB */
	{
		struct kvm_sregs sregs;

		ck_assert_int_eq(kvm_ioctl(g.vcpus.vcpu[0].fd, KVM_GET_SREGS, &sregs), 0);
		sregs.ds.limit = 0xffffffff;
		sregs.ds.g = 1;
		ck_assert_int_eq(kvm_ioctl(g.vcpus.vcpu[0].fd, KVM_SET_SREGS, &sregs), 0);
	}
	vcpus_resume(&g.vcpus);
	for (int ms = 0; ms < 10000 && !rung; ms++) {
		rung = fd_drain(bell);
		usleep(1000);
	}
	ck_assert(rung);
	kvm_guest_destroy(&g);
	fd_close(&bell);
}
END_TEST

UNIT_MAIN_KVM("kvm", host_says_what_it_can, overlapping_slots_are_an_error_that_names_the_gpa,
	      bad_descriptors_come_back_as_errno,
	      an_interrupt_controller_that_is_not_there_changes_nothing,
	      an_interrupt_controller_is_the_vms, ioeventfd_takes_the_write)
