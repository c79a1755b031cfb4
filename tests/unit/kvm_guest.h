/* SPDX-License-Identifier: Apache-2.0 */
/* A few bytes of real-mode code in a VM: for tests that need a KVM, however slow. */
#ifndef AEROSTAT_TESTS_KVM_GUEST_H
#define AEROSTAT_TESTS_KVM_GUEST_H

#include <stddef.h>

#include "vmm/io/bus.h"
#include "vmm/kvm/vcpu.h"

struct kvm_guest {
	struct kvm_host host;
	struct kvm_vm vm;
	struct gmem mem; /* 64 KiB at gpa 0 */
	struct bus pio, mmio;
	struct vcpu_set vcpus;
	int stop_fd;
};

/* Can /dev/kvm be opened? Prints a SKIP line if not. */
bool kvm_guest_possible(void);

/* n vCPUs, all about to run `code`, loaded at 0:1000h, with bx = vCPU number. Asserts on
 * failure. */
void kvm_guest_create(struct kvm_guest *g, unsigned n, const void *code, size_t len);
void kvm_guest_destroy(struct kvm_guest *g);

/* main() of a test file whose tests need a KVM: as UNIT_MAIN, but exits 77 without. */
#define UNIT_MAIN_KVM(name, ...)                                                               \
	static int run_all(void);                                                              \
	int main(void)                                                                         \
	{                                                                                      \
		return kvm_guest_possible() ? run_all() : 77;                                  \
	}                                                                                      \
	UNIT_RUN(static int run_all(void), name, __VA_ARGS__)

#endif
