/* SPDX-License-Identifier: Apache-2.0 */
/* The options that describe a VM, as a table for options_parse() into a struct vm_config. */
#ifndef AEROSTAT_CONFIG_VM_OPTIONS_H
#define AEROSTAT_CONFIG_VM_OPTIONS_H

#include "vmm/config/options.h"
#include "vmm/config/vm_config.h"

/* Whether there is a balloon is told by options_given(..., "balloon"): its keys are optional.
 */
extern const struct opt_table vm_options;

/*
 * The guest kernel's command line: params (NULL: none), with "console=ttyS0 " before it when
 * the console is connected and params name none. Into out. 0, or -EINVAL with *err naming
 * -p/--params when it doesn't fit.
 */
int vm_cmdline(const char *params, enum console_kind console, char out[VM_CMDLINE_MAX + 1],
	       struct err *err);

#endif
