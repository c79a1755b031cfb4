/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree of the arm64 machine. Needs no KVM, and compiles on any machine. */
#ifndef AEROSTAT_ARCH_ARM64_TREE_H
#define AEROSTAT_ARCH_ARM64_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/arch/fdt/nodes.h"

struct arm64_tree {
	const struct gmem *mem;
	unsigned cpus;
	unsigned gic;	       /* version: 2 (then cpus is at most ARM64_GIC2_CPUS) or 3 */
	uint32_t virtio_slots; /* bit n: slot n has a device */
	struct dt_chosen chosen;
};

/* Write the tree to buf, *used bytes of len. 0, -EFBIG or another negative errno with *err. */
int arm64_tree_write(const struct arm64_tree *m, void *buf, size_t len, size_t *used,
		     struct err *err);

#endif
