// SPDX-License-Identifier: Apache-2.0
#include "devices/legacy/i8042.h"

enum { REG_DATA = 0, REG_SYSTEM = 1, REG_STATUS = 4 };

#define CMD_PULSE_RESET 0xfe
/* Timer 2's output is high: code that waits for the timer through this port goes on at once. */
#define SYSTEM_TIMER2_OUT 0x20

static uint64_t i8042_read(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	if (len != 1)
		return ~0ull;
	switch (off) {
	case REG_DATA:
	case REG_STATUS:
		return 0;
	case REG_SYSTEM:
		return SYSTEM_TIMER2_OUT;
	default:
		return ~0ull;
	}
}

static void i8042_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct i8042 *d = opaque;

	if (len == 1 && off == REG_STATUS && value == CMD_PULSE_RESET)
		d->reset(d->opaque);
}

const struct bus_ops i8042_bus_ops = {.read = i8042_read, .write = i8042_write};
