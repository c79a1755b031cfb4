// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/kvm_guest.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/fd.h"

#define CODE_GPA 0x1000

bool kvm_guest_possible(void)
{
	struct kvm_host host;
	struct err err;

	if (kvm_host_open(&host, &err)) {
		printf("SKIP: %s\n", err.msg);
		return false;
	}
	kvm_host_close(&host);
	return true;
}

static void set_registers(struct kvm_vcpu *v)
{
	struct kvm_regs regs = {.rip = CODE_GPA, .rflags = 2, .rsp = 0x8000, .rbx = v->id};
	struct kvm_sregs sregs;

	assert(!kvm_ioctl(v->fd, KVM_GET_SREGS, &sregs));
	sregs.cs.base = sregs.ds.base = sregs.es.base = sregs.ss.base = 0;
	sregs.cs.selector = sregs.ds.selector = sregs.es.selector = sregs.ss.selector = 0;
	assert(!kvm_ioctl(v->fd, KVM_SET_SREGS, &sregs));
	assert(!kvm_ioctl(v->fd, KVM_SET_REGS, &regs));
}

void kvm_guest_create(struct kvm_guest *g, unsigned n, const void *code, size_t len)
{
	const struct gmem_span span = {0, 64 * 1024};

	assert(!kvm_host_open(&g->host, NULL));
	assert(!kvm_vm_create(&g->vm, &g->host, NULL));
	assert(!gmem_create(&g->mem, &span, 1, NULL));
	assert(!kvm_vm_add_memory(&g->vm, &g->mem, NULL));
	memcpy(gmem_ptr(&g->mem, CODE_GPA, len), code, len);
	g->stop_fd = fd_eventfd();
	assert(g->stop_fd >= 0);
	assert(!vcpus_create(&g->vcpus, &g->vm, n, &g->pio, &g->mmio, g->stop_fd, NULL));
	for (unsigned i = 0; i < n; i++)
		set_registers(&g->vcpus.vcpu[i]);
	assert(!vcpus_start(&g->vcpus, NULL));
}

void kvm_guest_destroy(struct kvm_guest *g)
{
	vcpus_destroy(&g->vcpus);
	kvm_vm_destroy(&g->vm);
	gmem_destroy(&g->mem);
	kvm_host_close(&g->host);
	fd_close(&g->stop_fd);
}
