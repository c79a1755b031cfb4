// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/acpi.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/io/pm_regs.h"

static uint8_t buf[8192];

static struct aml dsdt(uint32_t slots)
{
	struct aml a;

	memset(buf, 0, sizeof(buf));
	aml_init(&a, buf, sizeof(buf));
	dsdt_write(&a, slots);
	ck_assert(!a.full);
	return a;
}

static unsigned count(const struct aml *a, const void *what, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i + len <= a->len; i++)
		n += !memcmp(a->buf + i, what, len);
	return n;
}

static bool has_slot(const struct aml *a, unsigned slot)
{
	uint32_t base = (uint32_t)(X86_VIRTIO_GPA + slot * 4096ull), len = 4096;
	uint32_t gsi = X86_VIRTIO_GSI + slot;
	struct aml_res r = {0};

	aml_res_mem32(&r, base, len);
	aml_res_edge_irq(&r, gsi);
	return count(a, r.buf, r.len) == 1;
}

START_TEST(a_device_per_present_slot)
{
	static const uint32_t masks[] = {0, 1, 0x80, 0x25, 0xff};

	for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
		struct aml a = dsdt(masks[m]);
		char name[] = "VRT0";

		ck_assert_uint_eq(count(&a, "LNRO0005", 9),
				  (unsigned)__builtin_popcount(masks[m]));
		for (unsigned slot = 0; slot < ARCH_VIRTIO_SLOTS; slot++) {
			bool present = masks[m] >> slot & 1;

			name[3] = (char)('0' + slot);
			ck_assert_uint_eq(count(&a, name, 4), present);
			ck_assert(has_slot(&a, slot) == present);
		}
	}
}
END_TEST

START_TEST(serial_port_and_its_interrupt)
{
	struct aml a = dsdt(0);
	struct aml_res r = {0};

	aml_res_io(&r, X86_SERIAL_PORT, 8);
	aml_res_edge_irq(&r, X86_SERIAL_GSI);
	ck_assert_uint_eq(count(&a, r.buf, r.len), 1);
}
END_TEST

START_TEST(power_button_event)
{
	static const uint8_t notify[] = {0x86, 'P', 'W', 'R', 'B', 0x0a, 0x80};
	const uint16_t port = X86_PM_PORT + PM_REG_EVENT;
	const uint8_t region[] = {0x5b, 0x80, 'E',	   'V',	      'T', 'R',
				  1,	0x0b, port & 0xff, port >> 8, 1};
	struct aml a = dsdt(0);
	struct aml_res r = {0};

	aml_res_edge_irq(&r, X86_PM_GSI);
	ck_assert_uint_eq(count(&a, "ACPI0013", 9), 1);
	ck_assert_uint_eq(count(&a, r.buf, r.len), 1);
	ck_assert_uint_eq(count(&a, region, sizeof(region)), 1);
	ck_assert_uint_eq(count(&a, notify, sizeof(notify)), 1);
}
END_TEST

START_TEST(s5_package)
{
	static const uint8_t s5[] = {0x08, '_',	 'S', '5',  '_', 0x12, 8,
				     4,	   0x0a, 5,   0x0a, 5,	 0,    0};
	struct aml a = dsdt(0xff);

	ck_assert_uint_eq(count(&a, s5, sizeof(s5)), 1);
}
END_TEST

UNIT_MAIN("dsdt", a_device_per_present_slot, serial_port_and_its_interrupt, power_button_event,
	  s5_package)
