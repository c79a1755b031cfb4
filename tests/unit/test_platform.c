// SPDX-License-Identifier: Apache-2.0
#include <stdbool.h>

#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"

START_TEST(devices)
{
	const struct arch_dev *d;
	bool seen[3] = {false};
	unsigned n;

	d = arch_devices(&n);
	ck_assert_uint_eq(n, 3);
	for (unsigned i = 0; i < n; i++) {
		ck_assert(!seen[d[i].kind]);
		seen[d[i].kind] = true;
		ck_assert(d[i].pio);
		ck_assert_uint_gt(d[i].len, 0);
		ck_assert_uint_le(d[i].base + d[i].len, 0x10000);
		ck_assert(d[i].has_irq == (d[i].kind != ARCH_DEV_I8042));
		for (unsigned j = 0; j < i; j++) {
			ck_assert(d[i].base >= d[j].base + d[j].len ||
				  d[j].base >= d[i].base + d[i].len);
			ck_assert(!d[i].has_irq || !d[j].has_irq || d[i].gsi != d[j].gsi);
		}
	}
}
END_TEST

START_TEST(virtio_slots)
{
	for (unsigned i = 0; i < ARCH_VIRTIO_SLOTS; i++) {
		struct arch_slot s = arch_virtio_slot(i);

		ck_assert_uint_eq(s.gpa, X86_VIRTIO_GPA + i * 0x1000);
		ck_assert_uint_ge(s.gpa, X86_HOLE_START);
		ck_assert_uint_le(s.gpa + 0x1000, X86_IOAPIC_GPA);
		ck_assert_uint_eq(s.gsi, 16 + i);
		ck_assert_uint_lt(s.gsi, 24); /* pins of the I/O APIC */
	}
}
END_TEST

UNIT_MAIN("platform", devices, virtio_slots)
