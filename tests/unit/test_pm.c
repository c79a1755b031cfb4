// SPDX-License-Identifier: Apache-2.0
#include "devices/legacy/pm.h"

#include "tests/unit/unit.h"
#include "vmm/base/fd.h"

struct calls {
	int poweroff, reset;
};

static void on_poweroff(void *opaque)
{
	((struct calls *)opaque)->poweroff++;
}

static void on_reset(void *opaque)
{
	((struct calls *)opaque)->reset++;
}

static const struct pm_ops ops = {.poweroff = on_poweroff, .reset = on_reset};

static struct calls calls;
static struct irq_line irq;
static struct pm pm;
static struct bus bus;

static void setup(void)
{
	calls = (struct calls){0};
	bus = (struct bus){0};
	ck_assert_int_eq(irq_line_init(&irq, 9), 0);
	pm_init(&pm, &ops, &calls, &irq);
	ck_assert_int_eq(bus_add(&bus, 0x600, PM_REGS_LEN, &pm_bus_ops, &pm), 0);
}

static uint8_t in(unsigned off)
{
	uint8_t v;

	bus_read(&bus, 0x600 + off, 1, &v);
	return v;
}

static void out(unsigned off, uint8_t v)
{
	bus_write(&bus, 0x600 + off, 1, &v);
}

START_TEST(test_poweroff)
{
	setup();
	/* As ACPICA enters S5: clear WAK_STS, then type and enable in one write. */
	out(PM_REG_SLEEP_STATUS, PM_WAK_STS);
	out(PM_REG_SLEEP_CONTROL, PM_SLP_TYP_S5 << PM_SLP_TYP_SHIFT);
	ck_assert_int_eq(calls.poweroff, 0);
	out(PM_REG_SLEEP_CONTROL, PM_SLP_TYP_S5 << PM_SLP_TYP_SHIFT | PM_SLP_EN);
	ck_assert_int_eq(calls.poweroff, 1);
	ck_assert_int_eq(calls.reset, 0);
	ck_assert_uint_eq(in(PM_REG_SLEEP_CONTROL), 0);
	ck_assert_uint_eq(in(PM_REG_SLEEP_STATUS), 0);
	irq_line_fini(&irq);
}
END_TEST

START_TEST(test_other_sleep_types)
{
	setup();
	for (unsigned typ = 0; typ < 8; typ++) {
		if (typ != PM_SLP_TYP_S5)
			out(PM_REG_SLEEP_CONTROL,
			    (uint8_t)(typ << PM_SLP_TYP_SHIFT | PM_SLP_EN));
	}
	ck_assert_int_eq(calls.poweroff, 0);
	/* The reserved bits around don't matter. */
	out(PM_REG_SLEEP_CONTROL, 0xc3 | PM_SLP_TYP_S5 << PM_SLP_TYP_SHIFT | PM_SLP_EN);
	ck_assert_int_eq(calls.poweroff, 1);
	irq_line_fini(&irq);
}
END_TEST

START_TEST(test_reset_register)
{
	setup();
	for (unsigned v = 0; v < 256; v++)
		out(PM_REG_RESET, (uint8_t)v);
	ck_assert_int_eq(calls.reset, 1);
	ck_assert_int_eq(calls.poweroff, 0);
	irq_line_fini(&irq);
}
END_TEST

START_TEST(test_power_button)
{
	setup();
	ck_assert_uint_eq(in(PM_REG_EVENT), 0);
	pm_power_button(&pm);
	ck_assert(fd_drain(irq.fd));
	/* A press nobody read stays one event, but makes a new edge. */
	pm_power_button(&pm);
	ck_assert(fd_drain(irq.fd));
	ck_assert_uint_eq(in(PM_REG_EVENT), PM_EVENT_POWER_BUTTON);
	ck_assert_uint_eq(in(PM_REG_EVENT), 0);
	ck_assert(!fd_drain(irq.fd));
	pm_power_button(&pm);
	pm_reset(&pm);
	ck_assert_uint_eq(in(PM_REG_EVENT), 0);
	irq_line_fini(&irq);
}
END_TEST

START_TEST(test_wide_access)
{
	uint32_t v = 0x00010034 | PM_SLP_EN;

	setup();
	pm_power_button(&pm);
	bus_write(&bus, 0x600, 4, &v);
	v = 0x0101;
	bus_write(&bus, 0x602, 2, &v);
	ck_assert_int_eq(calls.poweroff, 0);
	ck_assert_int_eq(calls.reset, 0);
	bus_read(&bus, 0x604, 4, &v);
	ck_assert_uint_eq(v, 0xffffffff);
	ck_assert_uint_eq(in(PM_REG_EVENT), PM_EVENT_POWER_BUTTON);
	irq_line_fini(&irq);
}
END_TEST

UNIT_MAIN("pm", test_poweroff, test_other_sleep_types, test_reset_register, test_power_button,
	  test_wide_access)
