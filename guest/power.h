/* SPDX-License-Identifier: Apache-2.0 */
/* The ACPI power button. */
#ifndef AEROSTAT_GUEST_POWER_H
#define AEROSTAT_GUEST_POWER_H

/* A child that powers off when an input device reports the power key. None without such
 * devices. */
void power_watch(void);

#endif
