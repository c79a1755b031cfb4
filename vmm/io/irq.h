/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An interrupt line: an eventfd that somebody below (KVM's irqfd) turns into an edge on gsi, or
 * a function that takes the edge at once. Devices raise it and know no more.
 */
#ifndef AEROSTAT_IO_IRQ_H
#define AEROSTAT_IO_IRQ_H

#include <stdint.h>

/* Who takes edges where no eventfd does. Called on the thread that raises the line: any. */
struct irq_sink {
	void (*edge)(void *opaque, uint32_t gsi);
	void *opaque;
};

struct irq_line {
	int fd; /* eventfd, -1 with a sink */
	uint32_t gsi;
	const struct irq_sink *sink;
};

/* A line that is an eventfd. 0 or a negative errno (then fd is -1). */
int irq_line_init(struct irq_line *l, uint32_t gsi);
/* A line whose edges go to sink, which must outlive it. */
void irq_line_init_sink(struct irq_line *l, uint32_t gsi, const struct irq_sink *sink);
/* Closes the eventfd; a line with fd -1 is fine. */
void irq_line_fini(struct irq_line *l);
/* One edge: one write(2), or a call of the sink. Any thread. */
void irq_line_raise(const struct irq_line *l);
/* Forget edges that nobody has taken from the eventfd yet. */
void irq_line_drain(const struct irq_line *l);

#endif
