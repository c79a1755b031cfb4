// SPDX-License-Identifier: Apache-2.0
#include "devices/legacy/i8042.h"

#include "tests/unit/unit.h"

static int resets;

static void on_reset(void *opaque)
{
	ck_assert_ptr_eq(opaque, &resets);
	resets++;
}

static struct i8042 dev = {.reset = on_reset, .opaque = &resets};
static struct bus bus;

static void setup(void)
{
	ck_assert_int_eq(bus_add(&bus, I8042_BASE, I8042_LEN, &i8042_bus_ops, &dev), 0);
}

static uint8_t in(uint16_t port)
{
	uint8_t v;

	bus_read(&bus, port, 1, &v);
	return v;
}

static void out(uint16_t port, uint8_t v)
{
	bus_write(&bus, port, 1, &v);
}

START_TEST(test_reset_by_pulse)
{
	setup();
	/* As Linux with reboot=k: wait until the input buffer is empty, then pulse. */
	ck_assert_uint_eq(in(0x64) & 0x02, 0);
	out(0x64, 0xfe);
	ck_assert_int_eq(resets, 1);
}
END_TEST

START_TEST(test_only_that_command)
{
	setup();
	for (unsigned v = 0; v < 256; v++) {
		out(0x60, (uint8_t)v);
		if (v != 0xfe)
			out(0x64, (uint8_t)v);
	}
	ck_assert_int_eq(resets, 0);
}
END_TEST

START_TEST(test_nothing_there)
{
	uint16_t wide = 0xfefe;

	setup();
	ck_assert_uint_eq(in(0x60), 0);
	ck_assert_uint_eq(in(0x64), 0);
	/* Neither an NMI reason nor a timer somebody would wait for. */
	ck_assert_uint_eq(in(0x61) & 0xc0, 0);
	ck_assert_uint_eq(in(0x61) & 0x20, 0x20);
	ck_assert_uint_eq(in(0x62), 0xff);
	bus_write(&bus, 0x63, 2, &wide);
	ck_assert_int_eq(resets, 0);
	bus_read(&bus, 0x60, 2, &wide);
	ck_assert_uint_eq(wide, 0xffff);
}
END_TEST

UNIT_MAIN("i8042", test_reset_by_pulse, test_only_that_command, test_nothing_there)
