// SPDX-License-Identifier: Apache-2.0
/*
 * Writes the machine's ACPI tables into files, one each, for tests/acpi-check:
 * acpi-dump DIRECTORY CPUS SLOTS (a bit mask). No output but DIRECTORY/{facp,apic,xsdt,dsdt}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arch/x86_64/acpi.h"

static int write_table(const struct gmem *mem, uint64_t gpa, const char *dir, const char *name)
{
	const uint8_t *header = gmem_ptr(mem, gpa, 36);
	char path[4096];
	const void *table;
	uint32_t len;
	FILE *f;

	if (!header)
		return -1;
	memcpy(&len, header + 4, sizeof(len));
	table = gmem_ptr(mem, gpa, len);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = table ? fopen(path, "wb") : NULL;
	if (!f)
		return -1;
	if (fwrite(table, 1, len, f) != len) {
		fclose(f);
		return -1;
	}
	return fclose(f);
}

static uint64_t pointer(const struct gmem *mem, uint64_t gpa)
{
	const void *p = gmem_ptr(mem, gpa, sizeof(uint64_t));
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

int main(int argc, char **argv)
{
	const struct gmem_span ram = {.gpa = 0, .len = 1 << 20};
	uint64_t rsdp, xsdt, fadt, madt;
	struct gmem mem;
	struct err err;
	int rc;

	if (argc != 4)
		return 2;
	if (gmem_create(&mem, &ram, 1, &err) ||
	    acpi_build(&mem, (unsigned)strtoul(argv[2], NULL, 0),
		       (uint32_t)strtoul(argv[3], NULL, 0), &rsdp, &err)) {
		fprintf(stderr, "acpi-dump: %s\n", err.msg);
		return 1;
	}
	xsdt = pointer(&mem, rsdp + 24);
	fadt = pointer(&mem, xsdt + 36);
	madt = pointer(&mem, xsdt + 44);
	rc = write_table(&mem, xsdt, argv[1], "xsdt") ||
	     write_table(&mem, fadt, argv[1], "facp") ||
	     write_table(&mem, madt, argv[1], "apic") ||
	     write_table(&mem, pointer(&mem, fadt + 140), argv[1], "dsdt");
	if (rc)
		fprintf(stderr, "acpi-dump: cannot write the tables to %s\n", argv[1]);
	gmem_destroy(&mem);
	return rc ? 1 : 0;
}
