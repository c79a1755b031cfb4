/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address bus: port I/O or MMIO windows and who answers in them.
 *
 * Windows are added before the first vCPU runs and stay; bus_read() and bus_write() then run
 * on any vCPU thread without a lock. A device does its own locking.
 */
#ifndef AEROSTAT_IO_BUS_H
#define AEROSTAT_IO_BUS_H

#include <stdint.h>

#define BUS_MAX_WINDOWS 32

/* off is relative to the window, len is 1, 2, 4 or 8, and off + len is inside the window. */
struct bus_ops {
	uint64_t (*read)(void *opaque, uint64_t off, unsigned len);
	void (*write)(void *opaque, uint64_t off, unsigned len, uint64_t value);
};

struct bus_window {
	uint64_t base, len;
	const struct bus_ops *ops;
	void *opaque;
};

struct bus {
	struct bus_window window[BUS_MAX_WINDOWS];
	unsigned nwindows;
};

/* 0, -EEXIST when it overlaps another window, -ENOSPC. ops and opaque must outlive the bus. */
int bus_add(struct bus *b, uint64_t base, uint64_t len, const struct bus_ops *ops,
	    void *opaque);

/*
 * Carry an access of the guest. data holds len bytes, little endian. Where nobody answers, or
 * the access crosses a window's end, reads give all ones and writes are dropped.
 */
void bus_read(const struct bus *b, uint64_t addr, unsigned len, void *data);
void bus_write(const struct bus *b, uint64_t addr, unsigned len, const void *data);

#endif
