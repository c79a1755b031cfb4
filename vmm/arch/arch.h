/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an architecture gives to the machine. One folder per architecture implements all of
 * this; nothing above knows which one was built in. All functions are for the main thread.
 */
#ifndef AEROSTAT_ARCH_ARCH_H
#define AEROSTAT_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/mem/gmem.h"

/* ---- the map of the machine ---- */

#define ARCH_VIRTIO_SLOTS 8

enum arch_dev_kind {
	ARCH_DEV_SERIAL,
	ARCH_DEV_I8042,
	ARCH_DEV_PM,
	ARCH_DEV_PLIC /* there only with KVM_IRQS_VCPU, with a context per vCPU */
};

/* A device that the platform has besides virtio: where it answers and what it raises. */
struct arch_dev {
	enum arch_dev_kind kind;
	bool pio; /* port I/O, else MMIO */
	uint64_t base, len;
	bool has_irq;
	uint32_t gsi;
};

/* The platform's devices; a static table. */
const struct arch_dev *arch_devices(unsigned *n);

/* Window and interrupt of virtio-mmio slot 0 .. ARCH_VIRTIO_SLOTS - 1. */
struct arch_slot {
	uint64_t gpa;
	uint32_t gsi;
};
struct arch_slot arch_virtio_slot(unsigned slot);

/*
 * RAM of `bytes` (a multiple of 4 KiB) around the platform's holes. -EINVAL with *err when it
 * doesn't fit into the guest physical addresses this host can give.
 */
int arch_ram_layout(uint64_t bytes, struct gmem_span spans[GMEM_MAX_REGIONS], unsigned *n,
		    struct err *err);

/* ---- boot ---- */

struct arch_boot {
	const struct gmem *mem;
	int kernel_fd;		 /* open regular files; the caller owns them */
	int initrd_fd;		 /* -1: none */
	const char *kernel_name; /* for messages */
	const char *initrd_name;
	const char *cmdline;
	struct kvm_vcpu *vcpu; /* the first: to ask KVM what it offers to the guest */
	unsigned cpus;
	uint32_t virtio_slots; /* bit n: slot n has a device */
};

/* How the first vCPU starts. Filled by arch_load(), used by arch_vcpu_init(). */
struct arch_entry {
	bool pvh;     /* x86-64: 32-bit PVH entry, else the kernel's 64-bit entry */
	uint64_t pc;  /* gpa */
	uint64_t arg; /* gpa of what the entry's protocol wants in its register */
};

/*
 * Put kernel, initrd, command line and the platform's tables into guest memory. Called for
 * every boot, also for a guest reboot. 0, or -ENOEXEC (not a kernel we can boot), -EFBIG
 * (doesn't fit), another negative errno; *err has one line naming the file.
 */
int arch_load(const struct arch_boot *b, struct arch_entry *entry, struct err *err);

/* Does the guest get a device tree? */
bool arch_has_dtb(void);
/* The one that arch_load() wrote, *len bytes; NULL when arch_has_dtb() is false. */
const void *arch_dtb(const struct gmem *mem, const struct arch_entry *entry, size_t *len);

/* ---- KVM ---- */

/*
 * Settle what VMs with the layout of `bytes` of RAM need to be created on this host
 * (host->vm_type), and how interrupts get into them (host->irqs). 0, or -EINVAL with *err: it
 * can't address so much.
 */
int arch_host_init(struct kvm_host *host, uint64_t bytes, struct err *err);

/* After kvm_vm_create(), before memory and vCPUs: interrupt controllers, timers. */
int arch_vm_init(struct kvm_vm *vm, struct err *err);

/* After all vCPUs were created, before interrupt lines are connected: what depends on both. */
int arch_vm_ready(struct kvm_vm *vm, unsigned ncpus, struct err *err);

/* All registers of one vCPU for a boot: identity (CPUID), and for vCPU 0 the entry's state. */
int arch_vcpu_init(struct kvm_vcpu *vcpu, const struct gmem *mem, unsigned ncpus,
		   const struct arch_entry *entry, struct err *err);

/*
 * A report for people about a vCPU that stopped: registers, the bytes of the instruction, what
 * it probably means. Lines with '\n' into out, always NUL-terminated. All vCPUs are parked.
 */
void arch_vcpu_report(struct kvm_vcpu *vcpu, const struct gmem *mem,
		      const struct vcpu_stop *stop, char *out, size_t len);

/*
 * Can this host's KVM run a kernel at a useful speed? Runs a one-million-instruction loop in
 * guest kernel mode and gives its time in nanoseconds. A KVM on real virtualization hardware
 * needs about a millisecond; one that emulates guest kernel mode needs hundreds.
 */
int arch_probe_speed(const struct kvm_host *host, uint64_t *ns, struct err *err);
#define ARCH_PROBE_SLOW_NS 100000000ull

/* Facts about the host CPU's virtualization for `doctor`, one line ("AMD SVM", ...). */
void arch_host_virt(char *out, size_t len);

#endif
