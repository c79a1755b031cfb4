// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/irq.h"

#include "vmm/base/fd.h"

int irq_line_init(struct irq_line *l, uint32_t gsi)
{
	int fd = fd_eventfd();

	*l = (struct irq_line){.fd = fd < 0 ? -1 : fd, .gsi = gsi};
	return fd < 0 ? fd : 0;
}

void irq_line_init_sink(struct irq_line *l, uint32_t gsi, const struct irq_sink *sink)
{
	*l = (struct irq_line){.fd = -1, .gsi = gsi, .sink = sink};
}

void irq_line_fini(struct irq_line *l)
{
	fd_close(&l->fd);
}

void irq_line_raise(const struct irq_line *l)
{
	if (l->sink)
		l->sink->edge(l->sink->opaque, l->gsi);
	else
		fd_signal(l->fd);
}

void irq_line_drain(const struct irq_line *l)
{
	if (!l->sink)
		fd_drain(l->fd);
}
