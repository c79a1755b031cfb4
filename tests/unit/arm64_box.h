/* SPDX-License-Identifier: Apache-2.0 */
/* A VM as the machine makes it, on the KVM of an arm64 host, but for its threads. */
#ifndef AEROSTAT_TESTS_ARM64_BOX_H
#define AEROSTAT_TESTS_ARM64_BOX_H

#include <check.h>
#include <string.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/arm64/cpu.h"
#include "vmm/base/fd.h"
#include "vmm/base/size.h"

#define BOX_CPUS 2
#define BOX_RAM	 (16 * MIB)

struct box {
	struct kvm_host host;
	struct kvm_vm vm;
	struct gmem mem;
	struct bus pio, mmio;
	struct vcpu_set set;
	int stop_fd;
};

static inline void box_open(struct box *b, uint64_t ram)
{
	struct gmem_span span[GMEM_MAX_REGIONS];
	unsigned n;
	struct err err;

	memset(b, 0, sizeof(*b));
	b->stop_fd = fd_eventfd();
	ck_assert_int_ge(b->stop_fd, 0);
	ck_assert_msg(!kvm_host_open(&b->host, &err), "%s", err.msg);
	ck_assert_int_eq(arch_ram_layout(ram, span, &n, &err), 0);
	ck_assert_int_eq(arch_host_init(&b->host, ram, &err), 0);
	ck_assert_int_eq(gmem_create(&b->mem, span, n, &err), 0);
	ck_assert_msg(!kvm_vm_create(&b->vm, &b->host, &err), "%s", err.msg);
	ck_assert_msg(!arch_vm_init(&b->vm, &err), "%s", err.msg);
	ck_assert_int_eq(kvm_vm_add_memory(&b->vm, &b->mem, &err), 0);
	ck_assert_msg(
		!vcpus_create(&b->set, &b->vm, BOX_CPUS, &b->pio, &b->mmio, b->stop_fd, &err),
		"%s", err.msg);
	ck_assert_msg(!arch_vm_ready(&b->vm, BOX_CPUS, &err), "%s", err.msg);
}

static inline void box_close(struct box *b)
{
	vcpus_destroy(&b->set);
	kvm_vm_destroy(&b->vm);
	gmem_destroy(&b->mem);
	kvm_host_close(&b->host);
	fd_close(&b->stop_fd);
}

/* Registers of all vCPUs for a boot. */
static inline void box_init(struct box *b, const struct arch_entry *entry)
{
	struct err err;

	for (unsigned i = 0; i < BOX_CPUS; i++)
		ck_assert_msg(!arch_vcpu_init(&b->set.vcpu[i], &b->mem, BOX_CPUS, entry, &err),
			      "%s", err.msg);
}

#endif
