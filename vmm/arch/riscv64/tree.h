/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree of the riscv64 machine. Needs no KVM, and compiles on any machine. */
#ifndef AEROSTAT_ARCH_RISCV64_TREE_H
#define AEROSTAT_ARCH_RISCV64_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/arch/fdt/nodes.h"
#include "vmm/arch/riscv64/layout.h"

/* Enough for 255 harts, each of which names its extensions twice. */
#define RISCV64_TREE_MAX (512u * 1024)

/* What KVM says of its vCPUs. All are alike. */
struct riscv64_hart {
	uint64_t isa;	    /* isa.h */
	uint32_t timebase;  /* Hz */
	uint32_t satp_mode; /* as the satp register has it: 8 is Sv39, 9 Sv48, 10 Sv57 */
	uint32_t cbom_block, cboz_block; /* bytes, with zicbom and zicboz */
};

struct riscv64_tree {
	const struct gmem *mem;
	struct riscv64_hart hart;
	unsigned cpus;
	bool aia;	       /* interrupts by APLIC and IMSICs, else by a PLIC */
	uint32_t virtio_slots; /* bit n: slot n has a device */
	struct dt_chosen chosen;
};

/* Write the tree to buf, *used bytes of len. 0, -EFBIG or another negative errno with *err. */
int riscv64_tree_write(const struct riscv64_tree *m, void *buf, size_t len, size_t *used,
		       struct err *err);

#endif
