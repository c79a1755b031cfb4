/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine with a kernel of a few bytes: an ELF file with a PVH entry, made in memory. For
 * tests of the machine that need no Linux, only a KVM.
 */
#ifndef AEROSTAT_TESTS_TINY_KERNEL_H
#define AEROSTAT_TESTS_TINY_KERNEL_H

#include <stddef.h>

#include "vmm/machine/machine.h"

struct tiny_machine {
	int kernel_fd;
	char kernel_path[32];
	struct vm_config cfg;
	struct loop *loop;
	struct machine *m;
	unsigned events[MACHINE_EV_BALLOON + 1]; /* how often each came */
};

/* A file in memory: the kernel whose code is `code` (32-bit, at 1 MiB). Asserts on failure. */
int tiny_kernel(const void *code, size_t len);

/* A machine of 32 MiB and n vCPUs, no console, whose kernel is `code` (32-bit, at 1 MiB), built
 * but not started. balloon: with one. Asserts on failure. */
void tiny_create(struct tiny_machine *t, unsigned n, bool balloon, const void *code,
		 size_t len);
void tiny_destroy(struct tiny_machine *t);

/* Run the loop until the machine ends, or for ms milliseconds; true: it ended. */
bool tiny_run(struct tiny_machine *t, unsigned ms);

#endif
