/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What arch_probe_speed() does on every architecture: a VM of its own with one vCPU and a
 * piece of code, which counts SPEED_TURNS down in a loop of two instructions, exits, and begins
 * again. Main thread.
 */
#ifndef AEROSTAT_ARCH_SPEED_H
#define AEROSTAT_ARCH_SPEED_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/kvm/kvm.h"
#include "vmm/mem/gmem.h"

#define SPEED_TURNS    10000u
#define SPEED_CODE_GPA 0x1000ull
#define SPEED_RAM_LEN  0x20000ull /* from gpa 0; a multiple of every host page */

struct speed {
	struct gmem mem;
	struct kvm_vm vm;
	int fd; /* the vCPU */
	struct kvm_run *run;
	size_t run_len;
};

/* Make the VM; the vCPU's registers are the caller's. 0 or a negative errno with *err. */
int speed_open(struct speed *s, const struct kvm_host *host, const void *code, size_t len,
	       struct err *err);
/* Also when that failed. */
void speed_close(struct speed *s);

/*
 * Run it and give the time of a million instructions in nanoseconds. exit_reason: what the code
 * exits with. 0, -EIO: it exits with another one, or another negative errno.
 */
int speed_measure(struct speed *s, uint32_t exit_reason, uint64_t *ns, struct err *err);

#endif
