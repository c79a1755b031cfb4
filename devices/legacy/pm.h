/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power: switching off, reset and the power button, as the registers of hardware-reduced ACPI
 * in one window of PM_REGS_LEN ports (vmm/io/pm_regs.h). No sleep state but S5 exists.
 */
#ifndef AEROSTAT_LEGACY_PM_H
#define AEROSTAT_LEGACY_PM_H

#include <stdatomic.h>
#include <stdint.h>

#include "vmm/io/bus.h"
#include "vmm/io/irq.h"
#include "vmm/io/pm_regs.h"

/* Both run on the vCPU thread that wrote the register and must not block. */
struct pm_ops {
	void (*poweroff)(void *opaque);
	void (*reset)(void *opaque);
};

struct pm {
	const struct pm_ops *ops;
	void *opaque;
	const struct irq_line *irq; /* of the generic event device (ACPI0013), edge triggered */
	_Atomic uint8_t events;
};

/* ops, opaque and irq must outlive *pm. Nothing to free. */
void pm_init(struct pm *pm, const struct pm_ops *ops, void *opaque, const struct irq_line *irq);
/* Guest reboot: forgets an event nobody has read. */
void pm_reset(struct pm *pm);

/* Press the power button: sets the event and raises the line. Any thread. */
void pm_power_button(struct pm *pm);

/*
 * For bus_add() with PM_REGS_LEN ports and the struct pm. Registers take single bytes; a wider
 * access reads all ones and writes nothing.
 */
extern const struct bus_ops pm_bus_ops;

#endif
