// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/base/fd.h"
#include "vmm/machine/private.h"

/* Stands in for ioctl(2), by the linker, see the Makefile: notes what KVM is told. */
int __wrap_ioctl(int fd, unsigned long req, void *arg);

static struct {
	int fd;
	unsigned long req;
	uint32_t irq, level;
} told[8];
static unsigned ntold;
static int failure;

int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	ck_assert_uint_lt(ntold, 8);
	told[ntold].fd = fd;
	told[ntold].req = req;
	if (req == KVM_IRQ_LINE) {
		told[ntold].irq = ((struct kvm_irq_level *)arg)->irq;
		told[ntold].level = ((struct kvm_irq_level *)arg)->level;
	} else if (req == KVM_INTERRUPT) {
		told[ntold].irq = ((struct kvm_interrupt *)arg)->irq;
	} else if (req == KVM_IRQFD) {
		told[ntold].irq = ((struct kvm_irqfd *)arg)->gsi;
	}
	ntold++;
	errno = failure;
	return failure ? -1 : 0;
}

#define VM_FD 100

static struct kvm_vcpu vcpus[2] = {{.id = 0, .fd = 200}, {.id = 1, .fd = 201}};
static struct machine m;
static struct irq_line *line[2];
static struct err err;

static void create(enum kvm_irqs irqs)
{
	m.vm.fd = VM_FD;
	m.host.irqs = irqs;
	m.vcpus.vcpu = vcpus;
	m.vcpus.n = 2;
	machine_irqs_init(&m);
	ck_assert_int_eq(machine_irqs_add(&m, 16, &line[0], &err), 0);
	ck_assert_int_eq(machine_irqs_add(&m, 5, &line[1], &err), 0);
}

START_TEST(kvm_takes_eventfds)
{
	create(KVM_IRQS_EVENTFD);
	ck_assert_int_eq(machine_irqs_connect(&m, &err), 0);
	ck_assert_uint_eq(ntold, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(told[i].fd, VM_FD);
		ck_assert_uint_eq(told[i].req, KVM_IRQFD);
		ck_assert_uint_eq(told[i].irq, line[i]->gsi);
	}
	irq_line_raise(line[0]);
	ck_assert_uint_eq(ntold, 2);
	machine_irqs_reset(&m);
	ck_assert(!fd_drain(line[0]->fd));
	failure = EEXIST;
	ck_assert_int_eq(machine_irqs_connect(&m, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.msg, "GSI 16"));
	machine_irqs_fini(&m);
}
END_TEST

START_TEST(a_pulse_goes_to_a_vm_that_is_there)
{
	create(KVM_IRQS_PULSE);
	irq_line_raise(line[1]);
	ck_assert_uint_eq(ntold, 0);
	ck_assert_int_eq(machine_irqs_connect(&m, &err), 0);
	irq_line_raise(line[1]);
	ck_assert_uint_eq(ntold, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(told[i].fd, VM_FD);
		ck_assert_uint_eq(told[i].req, KVM_IRQ_LINE);
		ck_assert_uint_eq(told[i].irq, 5);
		ck_assert_uint_eq(told[i].level, !i);
	}
	machine_irqs_disconnect(&m);
	irq_line_raise(line[1]);
	ck_assert_uint_eq(ntold, 2);
	machine_irqs_fini(&m);
}
END_TEST

#define ENABLE_1 0x2080
#define CLAIM_1	 0x201004

START_TEST(the_plic_tells_the_vcpu_of_its_context)
{
	create(KVM_IRQS_VCPU);
	m.plic = plic_create(2, machine_plic_output, &m);
	ck_assert_ptr_nonnull(m.plic);
	ck_assert_int_eq(machine_irqs_connect(&m, &err), 0);
	plic_bus_ops.write(m.plic, 4 * 16, 4, 1);
	plic_bus_ops.write(m.plic, ENABLE_1, 4, 1u << 16);
	irq_line_raise(line[0]);
	irq_line_raise(line[0]);
	ck_assert_uint_eq(ntold, 1);
	ck_assert_int_eq(told[0].fd, vcpus[1].fd);
	ck_assert_uint_eq(told[0].req, KVM_INTERRUPT);
	ck_assert_uint_eq(told[0].irq, 0xffffffff);
	ck_assert_uint_eq(plic_bus_ops.read(m.plic, CLAIM_1, 4), 16);
	ck_assert_uint_eq(ntold, 2);
	ck_assert_int_eq(told[1].fd, vcpus[1].fd);
	ck_assert_uint_eq(told[1].irq, 0xfffffffe);
	/* A VM that goes: its vCPUs hear nothing more, and the next begins from nothing. */
	machine_irqs_disconnect(&m);
	irq_line_raise(line[0]);
	plic_bus_ops.write(m.plic, CLAIM_1, 4, 16);
	machine_irqs_reset(&m);
	ck_assert_uint_eq(ntold, 2);
	ck_assert_uint_eq(plic_bus_ops.read(m.plic, ENABLE_1, 4), 0);
	machine_irqs_fini(&m);
	plic_destroy(m.plic);
}
END_TEST

UNIT_MAIN("irqs", kvm_takes_eventfds, a_pulse_goes_to_a_vm_that_is_there,
	  the_plic_tells_the_vcpu_of_its_context)
