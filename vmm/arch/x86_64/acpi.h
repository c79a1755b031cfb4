/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of the machine (ACPI 6.3, hardware-reduced): RSDP, XSDT, FADT, MADT and DSDT.
 *
 * What the guest learns from them: one local APIC per vCPU and one I/O APIC; a virtio-mmio
 * window and interrupt per device; the serial port; a power button; how to power off (S5) and
 * how to reset. Hardware-reduced means there is no PIC, PIT, RTC, PM timer or SCI to look for.
 */
#ifndef AEROSTAT_ARCH_X86_64_ACPI_H
#define AEROSTAT_ARCH_X86_64_ACPI_H

#include <stdint.h>

#include "vmm/arch/x86_64/aml.h"
#include "vmm/base/err.h"
#include "vmm/mem/gmem.h"

/* xAPIC ids are 8 bits wide and 255 addresses all. */
#define ACPI_MAX_CPUS 255u

/*
 * Write all tables into guest memory from X86_ACPI_GPA up to the reset vector; bit n of
 * virtio_slots: a device is in slot n. *rsdp_gpa gets the address of the RSDP. 0, or with *err
 * filled -EINVAL (too many vCPUs), -EFAULT (no RAM there), -ENOSPC. The guest must not run.
 */
int acpi_build(const struct gmem *mem, unsigned cpus, uint32_t virtio_slots, uint64_t *rsdp_gpa,
	       struct err *err);

/* The DSDT's body: everything behind its table header. */
void dsdt_write(struct aml *a, uint32_t virtio_slots);

#endif
