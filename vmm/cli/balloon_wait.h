/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting until a guest has done what its balloon was asked to do. */
#ifndef AEROSTAT_CLI_BALLOON_WAIT_H
#define AEROSTAT_CLI_BALLOON_WAIT_H

#include <stdint.h>

#include "vmm/cli/vms.h"

struct balloon_wait {
	uint64_t target;   /* bytes, as the VM accepted it */
	uint64_t before;   /* bytes the balloon held when it was asked */
	uint64_t start_ns; /* when that was */
	uint64_t deadline_ns;
};

/*
 * Ask until the balloon has reached the target, with a progress line; then print one line that
 * sums up. Ends with an error (marked in v and vm, and said, with how far it came) when the
 * balloon stalls, the deadline passes, the VM or its driver goes away, or someone else sets
 * another target.
 */
void balloon_wait(struct cli_vms *v, struct cli_vm *vm, const struct balloon_wait *w);

#endif
