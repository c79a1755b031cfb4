/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of the PC's keyboard controller as a reset needs: a guest that waits for its input
 * buffer finds it empty, and the command "pulse the reset line" (0xfe) resets the machine. No
 * keyboard, no mouse.
 */
#ifndef AEROSTAT_LEGACY_I8042_H
#define AEROSTAT_LEGACY_I8042_H

#include "vmm/io/bus.h"

#define I8042_BASE 0x60
#define I8042_LEN  5 /* 0x60 data, 0x61 system control, 0x64 status and command */

struct i8042 {
	/* Runs on the vCPU thread that wrote the command and must not block. */
	void (*reset)(void *opaque);
	void *opaque;
};

/*
 * For bus_add() with I8042_LEN ports at I8042_BASE and a struct i8042 filled by the caller.
 * A wider access than a byte reads all ones and writes nothing. Any thread.
 */
extern const struct bus_ops i8042_bus_ops;

#endif
