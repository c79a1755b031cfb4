// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/acpi.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/io/pm_regs.h"

/* A reader of its own, by the offsets of ACPI 6.3 and not by the writer's structures. */
struct tables {
	struct gmem mem;
	uint8_t *rsdp, *xsdt, *fadt, *madt, *dsdt;
};

static uint32_t rd(const uint8_t *p, unsigned off, unsigned bytes)
{
	uint32_t v = 0;

	memcpy(&v, p + off, bytes);
	return v;
}

static uint64_t rd64(const uint8_t *p, unsigned off)
{
	return rd(p, off, 4) | (uint64_t)rd(p, off + 4, 4) << 32;
}

static unsigned sum(const uint8_t *p, unsigned len)
{
	unsigned s = 0;

	while (len--)
		s += *p++;
	return s & 0xff;
}

/* The table at gpa, checked to lie inside the area and to add up. */
static uint8_t *table(const struct gmem *mem, uint64_t gpa, const char *signature)
{
	uint8_t *p = gmem_ptr(mem, gpa, 36);
	uint32_t len;

	ck_assert_ptr_nonnull(p);
	len = rd(p, 4, 4);
	ck_assert(gpa >= X86_ACPI_GPA && gpa + len <= X86_ACPI_END);
	ck_assert_mem_eq(p, signature, 4);
	ck_assert_mem_eq(p + 10, "AEROST", 6);
	ck_assert_mem_eq(p + 16, "AEROSTAT", 8);
	ck_assert_uint_eq(sum(p, len), 0);
	return p;
}

static void setup(struct tables *t, unsigned cpus, uint32_t slots)
{
	const struct gmem_span span = {.gpa = 0, .len = 1 << 20};
	uint64_t rsdp = 0;
	struct err err;

	ck_assert_int_eq(gmem_create(&t->mem, &span, 1, &err), 0);
	ck_assert_int_eq(acpi_build(&t->mem, cpus, slots, &rsdp, &err), 0);
	ck_assert_uint_eq(rsdp, X86_ACPI_GPA);
	t->rsdp = gmem_ptr(&t->mem, rsdp, 36);
	t->xsdt = table(&t->mem, rd64(t->rsdp, 24), "XSDT");
	t->fadt = table(&t->mem, rd64(t->xsdt, 36), "FACP");
	t->madt = table(&t->mem, rd64(t->xsdt, 44), "APIC");
	t->dsdt = table(&t->mem, rd64(t->fadt, 140), "DSDT");
}

START_TEST(rsdp_and_xsdt)
{
	struct tables t;

	setup(&t, 2, 1);
	ck_assert_mem_eq(t.rsdp, "RSD PTR ", 8);
	ck_assert_uint_eq(t.rsdp[15], 2);
	ck_assert_uint_eq(rd(t.rsdp, 20, 4), 36);
	ck_assert_uint_eq(sum(t.rsdp, 20), 0);
	ck_assert_uint_eq(sum(t.rsdp, 36), 0);
	ck_assert_uint_eq(rd(t.xsdt, 4, 4), 36 + 2 * 8);
	gmem_destroy(&t.mem);
}
END_TEST

static void check_pm_register(const uint8_t *fadt, unsigned off, unsigned reg)
{
	static const uint8_t byte_port[4] = {1, 8, 0, 1};

	ck_assert_mem_eq(fadt + off, byte_port, sizeof(byte_port));
	ck_assert_uint_eq(rd64(fadt, off + 4), X86_PM_PORT + reg);
}

START_TEST(fadt_is_hardware_reduced)
{
	struct tables t;
	uint32_t flags;

	setup(&t, 1, 0);
	ck_assert_uint_eq(rd(t.fadt, 4, 4), 276);
	ck_assert_uint_eq(t.fadt[8], 6);
	flags = rd(t.fadt, 112, 4);
	ck_assert(flags & 1u << 20 && flags & 1u << 10 && flags & 1u << 4);
	ck_assert_uint_eq(rd(t.fadt, 109, 2) & 0x3f,
			  0x34); /* no legacy, 8042, VGA, ASPM, RTC */
	check_pm_register(t.fadt, 116, PM_REG_RESET);
	ck_assert_uint_eq(t.fadt[128], PM_RESET_VALUE);
	check_pm_register(t.fadt, 244, PM_REG_SLEEP_CONTROL);
	check_pm_register(t.fadt, 256, PM_REG_SLEEP_STATUS);
	ck_assert_uint_eq(rd(t.fadt, 40, 4), rd64(t.fadt, 140));
	/* Nothing of the fixed hardware: it would be probed. */
	ck_assert_uint_eq(sum(t.fadt + 46, 62), 0);
	gmem_destroy(&t.mem);
}
END_TEST

static void check_madt(unsigned cpus)
{
	struct tables t;
	unsigned seen = 0, ioapics = 0;
	uint32_t len;

	setup(&t, cpus, 0xff);
	ck_assert_uint_eq(rd(t.madt, 36, 4), X86_LAPIC_GPA);
	ck_assert_uint_eq(rd(t.madt, 40, 4), 0);
	len = rd(t.madt, 4, 4);
	for (unsigned off = 44; off < len; off += t.madt[off + 1]) {
		const uint8_t *e = t.madt + off;

		ck_assert_uint_ge(e[1], 2);
		if (e[0] == 0) {
			ck_assert_uint_eq(e[2], seen);
			ck_assert_uint_eq(e[3], seen);
			ck_assert_uint_eq(rd(e, 4, 4), 1);
			seen++;
		} else if (e[0] == 1) {
			ck_assert_uint_eq(rd(e, 4, 4), X86_IOAPIC_GPA);
			ck_assert_uint_eq(rd(e, 8, 4), 0);
			ioapics++;
		}
	}
	ck_assert_uint_eq(seen, cpus);
	ck_assert_uint_eq(ioapics, 1);
	gmem_destroy(&t.mem);
}

START_TEST(madt_lists_every_cpu)
{
	check_madt(1);
	check_madt(2);
	check_madt(255);
}
END_TEST

START_TEST(tables_do_not_overlap)
{
	struct tables t;
	const uint8_t *order[4];
	const uint8_t *end;

	setup(&t, 255, 0xff);
	order[0] = t.dsdt;
	order[1] = t.fadt;
	order[2] = t.madt;
	order[3] = t.xsdt;
	end = t.rsdp + 36;
	for (unsigned i = 0; i < 4; i++) {
		ck_assert(order[i] >= end);
		ck_assert_uint_eq((uintptr_t)order[i] % 16, 0);
		end = order[i] + rd(order[i], 4, 4);
	}
	gmem_destroy(&t.mem);
}
END_TEST

START_TEST(what_cannot_be_built_is_refused)
{
	const struct gmem_span small = {.gpa = 0, .len = X86_ACPI_END - 4096};
	const struct gmem_span enough = {.gpa = 0, .len = X86_ACPI_END};
	struct gmem mem;
	uint64_t rsdp;
	struct err err = {{0}};

	ck_assert_int_eq(gmem_create(&mem, &small, 1, &err), 0);
	ck_assert_int_eq(acpi_build(&mem, 1, 1, &rsdp, &err), -EFAULT);
	ck_assert_uint_gt(strlen(err.msg), 0);
	gmem_destroy(&mem);
	ck_assert_int_eq(gmem_create(&mem, &enough, 1, &err), 0);
	ck_assert_int_eq(acpi_build(&mem, 0, 1, &rsdp, &err), -EINVAL);
	ck_assert_int_eq(acpi_build(&mem, 256, 1, &rsdp, &err), -EINVAL);
	gmem_destroy(&mem);
}
END_TEST

UNIT_MAIN("acpi", rsdp_and_xsdt, fadt_is_hardware_reduced, madt_lists_every_cpu,
	  tables_do_not_overlap, what_cannot_be_built_is_refused)
