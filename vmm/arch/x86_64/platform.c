// SPDX-License-Identifier: Apache-2.0
#include <assert.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"

const struct arch_dev *arch_devices(unsigned *n)
{
	static const struct arch_dev devs[] = {
		{.kind = ARCH_DEV_SERIAL,
		 .pio = true,
		 .base = X86_SERIAL_PORT,
		 .len = 8,
		 .has_irq = true,
		 .gsi = X86_SERIAL_GSI},
		/* Only resets the machine; the keyboard's interrupt never comes. */
		{.kind = ARCH_DEV_I8042,
		 .pio = true,
		 .base = X86_I8042_PORT,
		 .len = X86_I8042_LEN},
		{.kind = ARCH_DEV_PM,
		 .pio = true,
		 .base = X86_PM_PORT,
		 .len = X86_PM_LEN,
		 .has_irq = true,
		 .gsi = X86_PM_GSI},
	};

	*n = sizeof(devs) / sizeof(devs[0]);
	return devs;
}

struct arch_slot arch_virtio_slot(unsigned slot)
{
	assert(slot < ARCH_VIRTIO_SLOTS);
	return (struct arch_slot){.gpa = X86_VIRTIO_GPA + slot * 0x1000ull,
				  .gsi = X86_VIRTIO_GSI + slot};
}
