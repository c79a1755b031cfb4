/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh memory statistics from a guest. */
#ifndef AEROSTAT_CLI_STATISTICS_H
#define AEROSTAT_CLI_STATISTICS_H

#include <stdbool.h>

#include "vmm/cli/vms.h"

/*
 * Have the guest tell its statistics anew and wait for them, at most timeout_ms; they are then
 * part of the VM's x-aerostat-stat. True when they came. False without vm->failed: the guest
 * did not answer in time; with it: it can't be asked, and that was said.
 */
bool statistics_refresh(struct cli_vms *v, struct cli_vm *vm, unsigned timeout_ms);

#endif
