/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes that trees of all architectures have, by the kernel's bindings
 * (Documentation/devicetree/bindings, and dt-schema's chosen.yaml and memory.yaml). What is
 * added goes below the node that is open, here the root.
 */
#ifndef AEROSTAT_ARCH_FDT_NODES_H
#define AEROSTAT_ARCH_FDT_NODES_H

#include "vmm/arch/fdt/dt.h"
#include "vmm/base/err.h"
#include "vmm/mem/gmem.h"

/* Enough for a tree with 255 CPUs, and a command line of VM_CMDLINE_MAX. */
#define DT_TREE_MAX (128u * 1024)

/* An interrupt as its controller's binding writes it. */
struct dt_irq {
	uint32_t cell[3];
	unsigned n; /* cells */
};

/* A device behind a window of MMIO. */
struct dt_dev {
	uint64_t base, len;
	struct dt_irq irq;
	uint32_t parent; /* phandle of its interrupt controller; 0: as the root node says */
};

/* One memory node for each region of RAM. */
void dt_memory(struct dt *t, const struct gmem *mem);

struct dt_chosen {
	const char *bootargs;
	uint64_t initrd, initrd_len; /* gpa, bytes; length 0: none */
	uint64_t serial;	     /* base of the serial port that is stdout */
};

/*
 * What the kernel is told by who loads it, with fresh seeds for its random numbers and its
 * place in memory. 0, or a negative errno with *err: the host gives no random numbers.
 */
int dt_chosen(struct dt *t, const struct dt_chosen *c, struct err *err);

/* A 16550A (serial/8250.yaml) with registers of a byte. */
void dt_serial(struct dt *t, const struct dt_dev *dev);
/* A virtio-mmio transport (virtio/mmio.yaml) whose device reads memory as the CPUs see it. */
void dt_virtio(struct dt *t, const struct dt_dev *dev);

#endif
