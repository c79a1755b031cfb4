// SPDX-License-Identifier: Apache-2.0
#include <assert.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/acpi.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/io/pm_regs.h"

#define NOTIFY_BUTTON_PRESSED 0x80 /* ACPI 6.3, table 5-157 */

/* Linux drivers/virtio/virtio_mmio.c: the _HID by which it finds a virtio-mmio device. */
static void virtio_device(struct aml *a, unsigned slot)
{
	struct aml_res crs = {0};
	char name[] = "VRT0";
	size_t dev;

	name[3] = (char)('0' + slot);
	dev = aml_begin_device(a, name);
	aml_name(a, "_HID");
	aml_string(a, "LNRO0005");
	aml_name(a, "_UID");
	aml_int(a, slot);
	aml_res_mem32(&crs, (uint32_t)(X86_VIRTIO_GPA + slot * GMEM_PAGE_SIZE), GMEM_PAGE_SIZE);
	aml_res_edge_irq(&crs, X86_VIRTIO_GSI + slot);
	aml_crs(a, &crs);
	aml_end(a, dev);
}

/*
 * An extended interrupt descriptor, not the ISA kind: its trigger and polarity are taken as
 * they stand, and GSI 4 is mapped even though the guest sees no PIC.
 */
static void serial_device(struct aml *a)
{
	struct aml_res crs = {0};
	size_t dev = aml_begin_device(a, "COM1");

	aml_name(a, "_HID");
	aml_eisa_id(a, "PNP0501");
	aml_name(a, "_UID");
	aml_int(a, 0);
	aml_res_io(&crs, X86_SERIAL_PORT, 8);
	aml_res_edge_irq(&crs, X86_SERIAL_GSI);
	aml_crs(a, &crs);
	aml_end(a, dev);
}

static void power_button(struct aml *a)
{
	size_t dev = aml_begin_device(a, "PWRB");

	aml_name(a, "_HID");
	aml_eisa_id(a, "PNP0C0C");
	aml_end(a, dev);
}

/* ACPI 6.3, 5.6.9: the Generic Event Device stands in for the SCI. */
static void event_device(struct aml *a)
{
	struct aml_res crs = {0};
	size_t dev = aml_begin_device(a, "GED_");
	size_t method, branch;

	aml_name(a, "_HID");
	aml_string(a, "ACPI0013");
	aml_name(a, "_UID");
	aml_int(a, 0);
	aml_res_edge_irq(&crs, X86_PM_GSI);
	aml_crs(a, &crs);
	aml_io_byte(a, "EVTR", X86_PM_PORT + PM_REG_EVENT, "EVTS");

	/* One read: it clears the register. */
	method = aml_begin_method(a, "_EVT", 1, true);
	aml_store_local(a, "EVTS", AML_LOCAL0);
	branch = aml_begin_if_bits(a, AML_LOCAL0, PM_EVENT_POWER_BUTTON);
	aml_notify(a, "PWRB", NOTIFY_BUTTON_PRESSED);
	aml_end(a, branch);
	aml_end(a, method);
	aml_end(a, dev);
}

static void sleep_state_s5(struct aml *a)
{
	size_t package;

	aml_name(a, "_S5_");
	package = aml_begin_package(a, 4);
	aml_int(a, PM_SLP_TYP_S5);
	aml_int(a, PM_SLP_TYP_S5);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_end(a, package);
}

void dsdt_write(struct aml *a, uint32_t virtio_slots)
{
	size_t scope;

	assert(!(virtio_slots >> ARCH_VIRTIO_SLOTS));
	sleep_state_s5(a);
	scope = aml_begin_scope(a, "\\_SB_");
	serial_device(a);
	power_button(a);
	event_device(a);
	for (unsigned slot = 0; slot < ARCH_VIRTIO_SLOTS; slot++) {
		if (virtio_slots & 1u << slot)
			virtio_device(a, slot);
	}
	aml_end(a, scope);
}
