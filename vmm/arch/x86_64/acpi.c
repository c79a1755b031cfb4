// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/acpi.h"

#include <errno.h>
#include <string.h>

#include "vmm/arch/x86_64/cpu.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/io/pm_regs.h"

#define OEM_ID	     "AEROST"
#define OEM_TABLE_ID "AEROSTAT"
#define CREATOR_ID   "AERO"

/* The tables' layouts: ACPI 6.3, chapter 5.2. Little endian, as the only host that builds this.
 */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_header) == 36, "header");

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes, which are all of revision 0 */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");

struct acpi_gas {
	uint8_t space; /* 1: system I/O */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size; /* 1: byte */
	uint64_t address;
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header h;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved0;
	uint8_t pm_profile;
	uint8_t fixed_hardware[62]; /* SCI, PM1, PM2, timer, GPE: all zero here */
	uint8_t century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs;
	uint64_t x_dsdt;
	struct acpi_gas x_fixed_hardware[8];
	struct acpi_gas sleep_control;
	struct acpi_gas sleep_status;
	uint64_t hypervisor_vendor;
} __attribute__((packed));
_Static_assert(offsetof(struct acpi_fadt, century) == 108, "FADT");
_Static_assert(offsetof(struct acpi_fadt, reset_reg) == 116, "FADT");
_Static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "FADT");
_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT revision 6");

struct acpi_madt {
	struct acpi_header h;
	uint32_t lapic_address;
	uint32_t flags; /* bit 0, a PIC is there too: not set */
} __attribute__((packed));

struct acpi_madt_lapic {
	uint8_t type, length;
	uint8_t processor_uid;
	uint8_t apic_id;
	uint32_t flags; /* bit 0: usable */
} __attribute__((packed));

struct acpi_madt_ioapic {
	uint8_t type, length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));

struct acpi_madt_lapic_nmi {
	uint8_t type, length;
	uint8_t processor_uid; /* 255: all */
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt_lapic_nmi) == 6, "MADT");

/* 5.2.9.3. No 8042 for a driver to find: ours only resets. */
#define BOOT_NO_VGA	 (1u << 2)
#define BOOT_NO_ASPM	 (1u << 4)
#define BOOT_NO_CMOS_RTC (1u << 5)

/* 5.2.9, table 5-34. A set button or RTC bit means: not a fixed hardware feature. */
#define FADT_WBINVD	(1u << 0)
#define FADT_PROC_C1	(1u << 2)
#define FADT_PWR_BUTTON (1u << 4)
#define FADT_SLP_BUTTON (1u << 5)
#define FADT_FIX_RTC	(1u << 6)
#define FADT_RESET_REG	(1u << 10)
#define FADT_HEADLESS	(1u << 12)
#define FADT_HW_REDUCED (1u << 20)

static void acpi_header(struct acpi_header *h, const char *signature, uint8_t revision)
{
	*h = (struct acpi_header){
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};
	memcpy(h->signature, signature, sizeof(h->signature));
	memcpy(h->oem_id, OEM_ID, sizeof(h->oem_id));
	memcpy(h->oem_table_id, OEM_TABLE_ID, sizeof(h->oem_table_id));
	memcpy(h->creator_id, CREATOR_ID, sizeof(h->creator_id));
}

/* What makes the bytes add up to zero. */
static uint8_t acpi_checksum(const void *table, size_t len)
{
	const uint8_t *p = table;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += p[i];
	return (uint8_t)-sum;
}

/* Tables go one after the other into the area, each at a multiple of 16 bytes. */
static uint64_t table_begin(struct aml *area)
{
	static const uint8_t zeros[16];

	aml_raw(area, zeros, -area->len % 16);
	return X86_ACPI_GPA + area->len;
}

static void table_end(struct aml *area, uint64_t gpa)
{
	uint8_t *table = area->buf + (gpa - X86_ACPI_GPA);
	struct acpi_header h;
	size_t len;

	if (area->full)
		return;
	len = area->len - (gpa - X86_ACPI_GPA);
	memcpy(&h, table, sizeof(h));
	h.length = (uint32_t)len;
	h.checksum = 0;
	memcpy(table, &h, sizeof(h));
	h.checksum = acpi_checksum(table, len);
	memcpy(table, &h, sizeof(h));
}

static uint64_t add_dsdt(struct aml *area, uint32_t virtio_slots)
{
	uint64_t gpa = table_begin(area);
	struct acpi_header h;

	acpi_header(&h, "DSDT", 2); /* 2: integers have 64 bits */
	aml_raw(area, &h, sizeof(h));
	dsdt_write(area, virtio_slots);
	table_end(area, gpa);
	return gpa;
}

static struct acpi_gas pm_register(unsigned reg)
{
	return (struct acpi_gas){
		.space = 1,
		.bit_width = 8,
		.access_size = 1,
		.address = X86_PM_PORT + reg,
	};
}

static uint64_t add_fadt(struct aml *area, uint64_t dsdt)
{
	uint64_t gpa = table_begin(area);
	struct acpi_fadt t = {
		.dsdt = (uint32_t)dsdt,
		.boot_arch = BOOT_NO_VGA | BOOT_NO_ASPM | BOOT_NO_CMOS_RTC,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_PWR_BUTTON | FADT_SLP_BUTTON |
			 FADT_FIX_RTC | FADT_RESET_REG | FADT_HEADLESS | FADT_HW_REDUCED,
		.reset_reg = pm_register(PM_REG_RESET),
		.reset_value = PM_RESET_VALUE,
		.minor = 3,
		.x_dsdt = dsdt,
		.sleep_control = pm_register(PM_REG_SLEEP_CONTROL),
		.sleep_status = pm_register(PM_REG_SLEEP_STATUS),
	};

	acpi_header(&t.h, "FACP", 6);
	memcpy(&t.hypervisor_vendor, OEM_TABLE_ID, sizeof(t.hypervisor_vendor));
	aml_raw(area, &t, sizeof(t));
	table_end(area, gpa);
	return gpa;
}

static uint64_t add_madt(struct aml *area, unsigned cpus)
{
	uint64_t gpa = table_begin(area);
	struct acpi_madt t = {.lapic_address = (uint32_t)X86_LAPIC_GPA};
	struct acpi_madt_ioapic ioapic = {
		.type = 1, .length = sizeof(ioapic), .address = (uint32_t)X86_IOAPIC_GPA};
	struct acpi_madt_lapic_nmi nmi = {
		.type = 4, .length = sizeof(nmi), .processor_uid = UINT8_MAX, .lint = 1};

	acpi_header(&t.h, "APIC", 5);
	aml_raw(area, &t, sizeof(t));
	for (unsigned i = 0; i < cpus; i++) {
		struct acpi_madt_lapic lapic = {
			.length = sizeof(lapic),
			.processor_uid = (uint8_t)i,
			.apic_id = (uint8_t)i,
			.flags = 1,
		};

		aml_raw(area, &lapic, sizeof(lapic));
	}
	aml_raw(area, &ioapic, sizeof(ioapic));
	aml_raw(area, &nmi, sizeof(nmi));
	table_end(area, gpa);
	return gpa;
}

static uint64_t add_xsdt(struct aml *area, uint64_t fadt, uint64_t madt)
{
	uint64_t gpa = table_begin(area);
	uint64_t tables[2] = {fadt, madt};
	struct acpi_header h;

	acpi_header(&h, "XSDT", 1);
	aml_raw(area, &h, sizeof(h));
	aml_raw(area, tables, sizeof(tables));
	table_end(area, gpa);
	return gpa;
}

_Static_assert(X86_RESET_VECTOR_GPA + X86_RESET_VECTOR_LEN == X86_ACPI_END,
	       "the reset vector ends the tables' area");

static void set_rsdp(void *at, uint64_t xsdt)
{
	struct acpi_rsdp r = {.revision = 2, .length = sizeof(r), .xsdt = xsdt};

	memcpy(r.signature, "RSD PTR ", sizeof(r.signature));
	memcpy(r.oem_id, OEM_ID, sizeof(r.oem_id));
	r.checksum = acpi_checksum(&r, offsetof(struct acpi_rsdp, length));
	r.extended_checksum = acpi_checksum(&r, sizeof(r));
	memcpy(at, &r, sizeof(r));
}

int acpi_build(const struct gmem *mem, unsigned cpus, uint32_t virtio_slots, uint64_t *rsdp_gpa,
	       struct err *err)
{
	const struct acpi_rsdp room = {0};
	const size_t size = X86_RESET_VECTOR_GPA - X86_ACPI_GPA;
	void *hva = gmem_ptr(mem, X86_ACPI_GPA, size);
	uint64_t dsdt, fadt, madt, xsdt;
	struct aml area;

	if (!cpus || cpus > ACPI_MAX_CPUS)
		return err_set(err, -EINVAL, "%u vCPUs: accepted are 1 to %u", cpus,
			       ACPI_MAX_CPUS);
	if (!hva)
		return err_set(err, -EFAULT, "no guest memory at %#llx for the ACPI tables",
			       X86_ACPI_GPA);
	aml_init(&area, hva, size);
	aml_raw(&area, &room, sizeof(room)); /* the RSDP comes first and is known last */
	dsdt = add_dsdt(&area, virtio_slots);
	fadt = add_fadt(&area, dsdt);
	madt = add_madt(&area, cpus);
	xsdt = add_xsdt(&area, fadt, madt);
	if (area.full)
		return err_set(err, -ENOSPC, "the ACPI tables don't fit into %zu bytes", size);
	set_rsdp(hva, xsdt);
	*rsdp_gpa = X86_ACPI_GPA;
	return 0;
}
