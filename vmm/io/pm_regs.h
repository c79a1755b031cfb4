/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power registers: what the device answers and what the ACPI tables promise. ACPI 6.5:
 * sleep control and status 4.8.3.7, reset register 4.8.3.6, generic event device 5.6.9.
 */
#ifndef AEROSTAT_IO_PM_REGS_H
#define AEROSTAT_IO_PM_REGS_H

/* Offsets in the window; every register is one byte. */
#define PM_REG_SLEEP_CONTROL 0 /* FADT SLEEP_CONTROL_REG */
#define PM_REG_SLEEP_STATUS  1 /* FADT SLEEP_STATUS_REG */
#define PM_REG_RESET	     2 /* FADT RESET_REG */
#define PM_REG_EVENT	     4 /* read by the generic event device's method; reading clears */
#define PM_REGS_LEN	     8

#define PM_SLP_TYP_SHIFT 2
#define PM_SLP_TYP_MASK	 0x7
#define PM_SLP_EN	 0x20
#define PM_SLP_TYP_S5	 5 /* what \_S5 must say */
#define PM_WAK_STS	 0x80

#define PM_RESET_VALUE 1 /* FADT RESET_VALUE */

#define PM_EVENT_POWER_BUTTON 0x01

#endif
