/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An interrupt line: an eventfd that somebody below (KVM's irqfd) turns into an edge on gsi.
 * Devices raise it and know no more.
 */
#ifndef AEROSTAT_IO_IRQ_H
#define AEROSTAT_IO_IRQ_H

#include <stdint.h>

struct irq_line {
	int fd; /* eventfd */
	uint32_t gsi;
};

/* 0 or a negative errno (then fd is -1). */
int irq_line_init(struct irq_line *l, uint32_t gsi);
/* Closes the eventfd; a line with fd -1 is fine. */
void irq_line_fini(struct irq_line *l);
/* One edge: one write(2). Any thread. */
void irq_line_raise(const struct irq_line *l);

#endif
