/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a machine and its balloon as JSON; commands.h shows the shapes. All return a
 * new reference, or NULL when out of memory. Main thread only.
 */
#ifndef AEROSTAT_CTL_STAT_H
#define AEROSTAT_CTL_STAT_H

#include <jansson.h>
#include <stdint.h>

#include "vmm/ctl/qmp.h"
#include "vmm/machine/trim.h"

/* An unsigned number. JSON integers have 63 bits here: larger ones show as INT64_MAX. */
json_t *stat_number(uint64_t v);

/* Everything about the VM. vm->machine must be set. */
json_t *stat_vm(const struct qmp_vm *vm);

/* The guest's statistics, JSON null when there are none yet. */
json_t *stat_statistics(const struct balloon_stats *s, uint64_t age_ms, uint64_t seq);

/* A trim, also one that never was. */
json_t *stat_trim(const struct trim_info *t);

#endif
