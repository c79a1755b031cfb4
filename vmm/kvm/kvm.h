/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KVM ioctls (Documentation/virt/kvm/api.rst), as thin as they come: the host's /dev/kvm,
 * a VM, its memory slots and eventfd plumbing. vCPUs and their threads are in vcpu.h, the dirty
 * log is in dirty.h.
 *
 * All functions are for the main thread but where they say otherwise. They return 0 or a
 * negative errno with *err filled.
 */
#ifndef AEROSTAT_KVM_KVM_H
#define AEROSTAT_KVM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/mem/gmem.h"

/* How interrupts get into the VMs of a host. */
enum kvm_irqs {
	KVM_IRQS_EVENTFD, /* to a controller of KVM's by kvm_vm_irqfd() */
	KVM_IRQS_PULSE,	  /* to a controller of KVM's by kvm_vm_irq_pulse() */
	KVM_IRQS_VCPU,	  /* KVM has none: to the vCPUs themselves by kvm_vcpu_interrupt() */
};

struct kvm_host {
	int fd;		  /* /dev/kvm */
	uint32_t run_len; /* bytes to map per vCPU */
	uint32_t max_vcpus;
	unsigned long vm_type; /* what KVM_CREATE_VM is told; 0 unless the arch set it */
	enum kvm_irqs irqs;    /* KVM_IRQS_EVENTFD unless the arch set it */
};

/* Open /dev/kvm and check the API version and the capabilities we can't do without. */
int kvm_host_open(struct kvm_host *h, struct err *err);
void kvm_host_close(struct kvm_host *h);

/* KVM_CHECK_EXTENSION on the host; 0: absent. */
int kvm_host_cap(const struct kvm_host *h, int cap);

struct kvm_vm {
	const struct kvm_host *host;
	int fd;
	uint32_t irqchip; /* KVM_DEV_TYPE_* of the interrupt controller, 0: it's no device */
	int irqchip_fd;	  /* valid with one */
	/*
	 * Set by the arch before there are vCPUs: answers an exit that only it has, on the
	 * vCPU's thread. False: it doesn't know that one. NULL: it has none.
	 */
	bool (*arch_exit)(struct kvm_run *run);
};

int kvm_vm_create(struct kvm_vm *vm, const struct kvm_host *h, struct err *err);
/* Ends the VM. vCPU descriptors must be closed before. fd -1 is fine. */
void kvm_vm_destroy(struct kvm_vm *vm);

/*
 * Make an interrupt controller of this KVM_DEV_TYPE_* the VM's; it ends with it. -ENODEV: this
 * host has none of that type, nothing happened, and *err is left alone.
 */
int kvm_vm_irqchip(struct kvm_vm *vm, uint32_t type, struct err *err);
/* Set an attribute of it (KVM_SET_DEVICE_ATTR); value's type is the attribute's. */
int kvm_vm_irqchip_set(struct kvm_vm *vm, uint32_t group, uint64_t attr, const void *value,
		       struct err *err);

/* One memory slot per region of mem, slot number = region number. */
int kvm_vm_add_memory(struct kvm_vm *vm, const struct gmem *mem, struct err *err);

/* Add the slot of region i, or change its flags (KVM_MEM_LOG_DIRTY_PAGES), which a running
 * guest doesn't mind. */
int kvm_vm_set_slot(struct kvm_vm *vm, const struct gmem *mem, unsigned i, uint32_t flags,
		    struct err *err);

/* A write to efd is an edge on gsi (KVM_IRQFD). */
int kvm_vm_irqfd(struct kvm_vm *vm, int efd, uint32_t gsi, struct err *err);

/*
 * One edge on gsi, without an eventfd (KVM_IRQ_LINE, up and down). Any thread; 0 or a negative
 * errno.
 */
int kvm_vm_irq_pulse(const struct kvm_vm *vm, uint32_t gsi);

/*
 * Set the level of a vCPU's one interrupt line (KVM_INTERRUPT as riscv64 has it). Any thread,
 * also while the vCPU runs; 0 or a negative errno.
 */
int kvm_vcpu_interrupt(int vcpu_fd, bool level);

/* A 4-byte MMIO write of exactly `value` to gpa signals efd and doesn't exit (KVM_IOEVENTFD).
 */
int kvm_vm_ioeventfd(struct kvm_vm *vm, int efd, uint64_t gpa, uint32_t value, struct err *err);

/* ioctl(2) that retries EINTR; result >= 0 or a negative errno. */
int kvm_ioctl(int fd, unsigned long req, void *arg);

#endif
