/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 16550A UART in eight ports (National Semiconductor PC16550D data sheet), as much as a
 * driver's probe and a console need: FIFOs of 16, loopback, divisor latch, interrupts. It
 * takes no time: a byte is sent the moment it is written, unless the console says "not now";
 * then it waits in the transmit FIFO and THRE stays off. Modem inputs are always on.
 *
 * Received bytes come only while the guest holds RTS, as from a terminal that honours the
 * wire. So nothing is lost to a driver that clears the FIFO when it opens the port.
 *
 * Interrupts are edges, for the guest takes COM1 as an edge-triggered ISA interrupt: one when
 * "some enabled source is pending" turns true. A handler that reads IIR until it says "none",
 * as Linux does, loses nothing. Less than the trigger level in the FIFO counts as the
 * character time-out at once, because no more may ever come.
 */
#ifndef AEROSTAT_LEGACY_SERIAL_H
#define AEROSTAT_LEGACY_SERIAL_H

#include "vmm/io/bus.h"
#include "vmm/io/console.h"
#include "vmm/io/irq.h"

#define SERIAL_PORTS 8
#define SERIAL_COM1  0x3f8 /* where PCs have the first one */

struct serial;

/*
 * Attaches itself to con, which with irq must outlive the device. NULL with errno set on
 * failure. Loop's thread.
 */
struct serial *serial_create(struct console *con, const struct irq_line *irq);
/* Disconnects from the console. No vCPU may run. Loop's thread. NULL is fine. */
void serial_destroy(struct serial *s);
/* Guest reboot: registers and FIFOs as after power-on. Any thread. */
void serial_reset(struct serial *s);

/*
 * For bus_add() with SERIAL_PORTS ports and the struct serial. A wider access is as many
 * single ones, as on the ISA bus. Any thread.
 */
extern const struct bus_ops serial_bus_ops;

#endif
