// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/tree.h"

#include <assert.h>
#include <errno.h>
#include <libfdt.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/riscv64/isa.h"
#include "vmm/config/vm_config.h"

#define PHANDLE_IRQS	1 /* what devices are connected to: PLIC or APLIC */
#define PHANDLE_IMSIC	2
#define PHANDLE_HART(n) (3 + (n)) /* a hart's own controller */

#define HART_EXTERNAL 9 /* riscv,cpu-intc.yaml: the supervisor's external interrupt */
#define EDGE_RISING   1 /* riscv,aplic.yaml: number, flags */

/* A list of strings that may be longer than dt_strings() takes. */
static void put_extensions(struct dt *t, uint64_t isa)
{
	const char *list[ISA_KNOWN];
	size_t n = isa_list(isa, list), len = 0;
	char all[ISA_TEXT];

	for (size_t i = 0; i < n; i++) {
		size_t more = strlen(list[i]) + 1;

		assert(more <= sizeof(all) - len);
		memcpy(all + len, list[i], more);
		len += more;
	}
	dt_bytes(t, "riscv,isa-extensions", all, len);
}

static const char *mmu_type(uint32_t satp_mode)
{
	return satp_mode == 10 ? "riscv,sv57" : satp_mode == 9 ? "riscv,sv48" : "riscv,sv39";
}

/* cpus.yaml. Linux before 6.6 knows riscv,isa only. */
static void put_cpu(struct dt *t, const struct riscv64_hart *hart, unsigned i)
{
	char isa[ISA_TEXT];

	isa_string(hart->isa, isa);
	dt_begin_at(t, "cpu", i);
	dt_string(t, "device_type", "cpu");
	dt_string(t, "compatible", "riscv");
	dt_u32(t, "reg", i);
	dt_string(t, "riscv,isa", isa);
	dt_string(t, "riscv,isa-base", "rv64i");
	put_extensions(t, hart->isa);
	dt_string(t, "mmu-type", mmu_type(hart->satp_mode));
	if (ISA_HAS(hart->isa, ISA_ZICBOM))
		dt_u32(t, "riscv,cbom-block-size", hart->cbom_block);
	if (ISA_HAS(hart->isa, ISA_ZICBOZ))
		dt_u32(t, "riscv,cboz-block-size", hart->cboz_block);
	dt_begin(t, "interrupt-controller");
	dt_string(t, "compatible", "riscv,cpu-intc");
	dt_flag(t, "interrupt-controller");
	dt_u32(t, "#interrupt-cells", 1);
	dt_u32(t, "#address-cells", 0); /* dtc's wish; not the binding's */
	dt_u32(t, "phandle", PHANDLE_HART(i));
	dt_end(t);
	dt_end(t);
}

static void put_cpus(struct dt *t, const struct riscv64_tree *m)
{
	dt_begin(t, "cpus");
	dt_u32(t, "#address-cells", 1);
	dt_u32(t, "#size-cells", 0);
	dt_u32(t, "timebase-frequency", m->hart.timebase);
	for (unsigned i = 0; i < m->cpus; i++)
		put_cpu(t, &m->hart, i);
	dt_end(t);
}

/* The external interrupts of all harts, in order. */
static void put_parents(struct dt *t, unsigned cpus)
{
	fdt32_t cells[2 * VM_CPUS_MAX];

	assert(cpus <= VM_CPUS_MAX);
	for (unsigned i = 0; i < cpus; i++) {
		cells[2 * i] = cpu_to_fdt32(PHANDLE_HART(i));
		cells[2 * i + 1] = cpu_to_fdt32(HART_EXTERNAL);
	}
	dt_bytes(t, "interrupts-extended", cells, cpus * 2 * sizeof(cells[0]));
}

static void begin_controller(struct dt *t, uint64_t base, uint64_t len, uint32_t cells,
			     uint32_t phandle)
{
	dt_begin_at(t, "interrupt-controller", base);
	dt_reg(t, base, len);
	dt_flag(t, "interrupt-controller");
	dt_u32(t, "#interrupt-cells", cells);
	dt_u32(t, "#address-cells", 0);
	dt_u32(t, "phandle", phandle);
}

/* sifive,plic-1.0.0.yaml */
static void put_plic(struct dt *t, unsigned cpus)
{
	begin_controller(t, RISCV64_PLIC_GPA, RISCV64_PLIC_LEN, 1, PHANDLE_IRQS);
	dt_strings(t, "compatible", "sifive,plic-1.0.0", "riscv,plic0");
	put_parents(t, cpus);
	dt_u32(t, "riscv,ndev", RISCV64_SOURCES);
	dt_end(t);
}

/* riscv,imsics.yaml, riscv,aplic.yaml */
static void put_aia(struct dt *t, unsigned cpus)
{
	begin_controller(t, RISCV64_IMSIC_GPA, cpus * RISCV64_IMSIC_LEN, 0, PHANDLE_IMSIC);
	dt_strings(t, "compatible", "qemu,imsics", "riscv,imsics");
	dt_flag(t, "msi-controller");
	dt_u32(t, "#msi-cells", 0);
	put_parents(t, cpus);
	dt_u32(t, "riscv,num-ids", RISCV64_IMSIC_IDS);
	dt_u32(t, "riscv,hart-index-bits", riscv64_hart_bits(cpus));
	dt_end(t);
	begin_controller(t, RISCV64_APLIC_GPA, RISCV64_APLIC_LEN, 2, PHANDLE_IRQS);
	dt_strings(t, "compatible", "qemu,aplic", "riscv,aplic");
	dt_u32(t, "msi-parent", PHANDLE_IMSIC);
	dt_u32(t, "riscv,num-sources", RISCV64_SOURCES);
	dt_end(t);
}

static struct dt_dev device(const struct riscv64_tree *m, uint64_t base, uint64_t len,
			    uint32_t gsi)
{
	return (struct dt_dev){.base = base,
			       .len = len,
			       .irq = {{gsi, EDGE_RISING}, m->aia ? 2 : 1},
			       .parent = PHANDLE_IRQS};
}

static void put_devices(struct dt *t, const struct riscv64_tree *m)
{
	struct dt_dev dev = device(m, RISCV64_SERIAL_GPA, 8, RISCV64_SERIAL_GSI);

	dt_serial(t, &dev);
	for (unsigned i = 0; i < ARCH_VIRTIO_SLOTS; i++) {
		if (!(m->virtio_slots & 1u << i))
			continue;
		dev = device(m, RISCV64_VIRTIO_GPA + i * 0x1000ull, 0x200,
			     RISCV64_VIRTIO_GSI + i);
		dt_virtio(t, &dev);
	}
}

int riscv64_tree_write(const struct riscv64_tree *m, void *buf, size_t len, size_t *used,
		       struct err *err)
{
	struct dt t;
	int rc;

	/* No interrupt-parent here: harts' controllers would inherit it, and they have none. */
	dt_begin_tree(&t, buf, len);
	dt_string(&t, "compatible", "linux,dummy-virt");
	dt_string(&t, "model", "aerostat");
	rc = dt_chosen(&t, &m->chosen, err);
	if (rc)
		return rc;
	dt_memory(&t, m->mem);
	put_cpus(&t, m);
	if (m->aia)
		put_aia(&t, m->cpus);
	else
		put_plic(&t, m->cpus);
	put_devices(&t, m);
	rc = dt_end_tree(&t, used);
	return rc ? err_sys(err, rc, "cannot write the device tree") : 0;
}
