// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <errno.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/riscv64/layout.h"
#include "vmm/base/size.h"

/* Power and reset are calls to the firmware, SBI, which KVM plays. */
const struct arch_dev *arch_devices(unsigned *n)
{
	static const struct arch_dev devs[] = {
		{.kind = ARCH_DEV_PLIC, .base = RISCV64_PLIC_GPA, .len = RISCV64_PLIC_LEN},
		{.kind = ARCH_DEV_SERIAL,
		 .base = RISCV64_SERIAL_GPA,
		 .len = 8,
		 .has_irq = true,
		 .gsi = RISCV64_SERIAL_GSI},
	};

	*n = sizeof(devs) / sizeof(devs[0]);
	return devs;
}

struct arch_slot arch_virtio_slot(unsigned slot)
{
	assert(slot < ARCH_VIRTIO_SLOTS);
	return (struct arch_slot){.gpa = RISCV64_VIRTIO_GPA + slot * 0x1000ull,
				  .gsi = RISCV64_VIRTIO_GSI + slot};
}

/* What a host can address is arch_host_init()'s. */
int arch_ram_layout(uint64_t bytes, struct gmem_span spans[GMEM_MAX_REGIONS], unsigned *n,
		    struct err *err)
{
	char text[SIZE_TEXT];

	assert(bytes && !(bytes % GMEM_PAGE_SIZE));
	if (bytes > (1ull << 56) - RISCV64_RAM_GPA)
		return err_set(err, -EINVAL, "-m %s: no riscv64 machine addresses so much",
			       size_format(bytes, text));
	spans[0] = (struct gmem_span){.gpa = RISCV64_RAM_GPA, .len = bytes};
	*n = 1;
	return 0;
}
