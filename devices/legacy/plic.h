/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform-level interrupt controller of RISC-V (RISC-V PLIC Specification 1.0.0), with the
 * registers where the binding sifive,plic-1.0.0 has them. One context per hart, the
 * supervisor's.
 *
 * Sources are edges. An edge of a source that a context has claimed is kept, and pends again
 * when the claim is completed: so a driver that takes all interrupts for levels, as Linux does,
 * loses none. Several edges in that time are one.
 */
#ifndef AEROSTAT_LEGACY_PLIC_H
#define AEROSTAT_LEGACY_PLIC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/io/bus.h"

#define PLIC_SOURCES  31u /* numbered from 1 */
#define PLIC_PRIO_MAX 7u  /* 0: never interrupts */

/* Bytes of its window. */
#define PLIC_LEN(contexts) (0x200000ull + (contexts)*0x1000ull)
#define PLIC_CONTEXTS_MAX  15872u

/*
 * The external interrupt of context's hart is now `level`. Called when that changes, on the
 * thread that changed it, with the PLIC's lock held: changes come in order, and it must not
 * call the PLIC.
 */
typedef void (*plic_output_fn)(void *opaque, unsigned context, bool level);

struct plic;

/* 1 to PLIC_CONTEXTS_MAX contexts, all outputs low. NULL with errno set on failure. */
struct plic *plic_create(unsigned contexts, plic_output_fn output, void *opaque);
/* NULL is fine. */
void plic_destroy(struct plic *p);
/* Guest reboot: registers as after power-on; outputs that were high fall. Any thread. */
void plic_reset(struct plic *p);

/* An edge of source 1 to PLIC_SOURCES. Any thread. */
void plic_edge(struct plic *p, uint32_t source);

/*
 * For bus_add() with PLIC_LEN() and the struct plic. Registers take aligned accesses of four
 * bytes; others, and registers that aren't there, read 0 and write nothing. Any thread.
 */
extern const struct bus_ops plic_bus_ops;

#endif
