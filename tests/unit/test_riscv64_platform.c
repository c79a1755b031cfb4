// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"
#include "vmm/arch/riscv64/cpu.h"
#include "vmm/arch/riscv64/layout.h"
#include "vmm/config/vm_config.h"

static struct window {
	uint64_t base, len;
} window[32];
static unsigned nwindows;
static uint32_t gsis;
static struct err err;

/* Nothing overlaps, and all of it is below RAM. */
static void add(uint64_t base, uint64_t len)
{
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_le(base + len, RISCV64_RAM_GPA);
	for (unsigned i = 0; i < nwindows; i++)
		ck_assert(base >= window[i].base + window[i].len ||
			  window[i].base >= base + len);
	window[nwindows++] = (struct window){base, len};
}

static void add_gsi(uint32_t gsi)
{
	ck_assert_uint_ge(gsi, 1);
	ck_assert_uint_le(gsi, RISCV64_SOURCES);
	ck_assert_uint_eq(gsis & 1u << gsi, 0);
	gsis |= 1u << gsi;
}

START_TEST(everything_has_its_place)
{
	const struct arch_dev *d;
	unsigned n;

	d = arch_devices(&n);
	ck_assert_uint_eq(n, 2);
	for (unsigned i = 0; i < n; i++) {
		ck_assert(!d[i].pio);
		add(d[i].base, d[i].len);
		if (d[i].has_irq)
			add_gsi(d[i].gsi);
	}
	for (unsigned i = 0; i < ARCH_VIRTIO_SLOTS; i++) {
		struct arch_slot s = arch_virtio_slot(i);

		ck_assert_uint_eq(s.gpa % 0x1000, 0);
		add(s.gpa, 0x1000);
		add_gsi(s.gsi);
	}
	add(RISCV64_APLIC_GPA, RISCV64_APLIC_LEN);
	add(RISCV64_IMSIC_GPA, RISCV64_IMSIC_LEN << riscv64_hart_bits(VM_CPUS_MAX));
}
END_TEST

START_TEST(ram_is_one_region)
{
	struct gmem_span span[GMEM_MAX_REGIONS];
	unsigned n;

	ck_assert_int_eq(arch_ram_layout(1ull << 40, span, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(span[0].gpa, RISCV64_RAM_GPA);
	ck_assert_uint_eq(span[0].len, 1ull << 40);
	ck_assert_int_eq(arch_ram_layout(1ull << 56, span, &n, &err), -EINVAL);
}
END_TEST

UNIT_MAIN("riscv64_platform", everything_has_its_place, ram_is_one_region)
