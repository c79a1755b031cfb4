// SPDX-License-Identifier: Apache-2.0
#include "devices/legacy/pm.h"

void pm_init(struct pm *pm, const struct pm_ops *ops, void *opaque, const struct irq_line *irq)
{
	*pm = (struct pm){.ops = ops, .opaque = opaque, .irq = irq};
}

void pm_reset(struct pm *pm)
{
	atomic_store(&pm->events, 0);
}

void pm_power_button(struct pm *pm)
{
	atomic_fetch_or(&pm->events, PM_EVENT_POWER_BUTTON);
	/* Even when the bit was set before: that edge may have met a guest without a driver. */
	irq_line_raise(pm->irq);
}

static uint64_t pm_read(void *opaque, uint64_t off, unsigned len)
{
	struct pm *pm = opaque;

	if (len != 1)
		return ~0ull;
	/* Sleep control and status read 0: SLP_EN always does, and nobody ever wakes. */
	return off == PM_REG_EVENT ? atomic_exchange(&pm->events, 0) : 0;
}

static void pm_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct pm *pm = opaque;

	if (len != 1)
		return;
	if (off == PM_REG_SLEEP_CONTROL && value & PM_SLP_EN &&
	    (value >> PM_SLP_TYP_SHIFT & PM_SLP_TYP_MASK) == PM_SLP_TYP_S5)
		pm->ops->poweroff(pm->opaque);
	else if (off == PM_REG_RESET && value == PM_RESET_VALUE)
		pm->ops->reset(pm->opaque);
}

const struct bus_ops pm_bus_ops = {.read = pm_read, .write = pm_write};
