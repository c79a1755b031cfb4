/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting until a trim has given the host what a guest has free. */
#ifndef AEROSTAT_CLI_TRIM_WAIT_H
#define AEROSTAT_CLI_TRIM_WAIT_H

#include <stdint.h>

#include "vmm/cli/vms.h"

struct trim_wait {
	uint64_t seq;	   /* of the trim, as the VM said */
	uint64_t start_ns; /* when it was begun */
	uint64_t deadline_ns;
};

/*
 * Ask until the trim is done, with a progress line; then print one line that sums up. Ends with
 * an error (marked in v and vm, and said, with how far it came) when the trim fails, somebody
 * cancels it, another one has begun since, or the VM goes away. When the deadline passes the
 * trim is cancelled, which is an error too.
 */
void trim_wait(struct cli_vms *v, struct cli_vm *vm, const struct trim_wait *w);

#endif
