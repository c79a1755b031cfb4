// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/arm64/tree.h"

#include <assert.h>
#include <errno.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/arm64/layout.h"

#define PHANDLE_GIC 1

/* interrupt-controller/arm,gic.yaml and arm,gic-v3.yaml: kind, number, flags. */
#define GIC_SPI		0
#define GIC_PPI		1
#define GIC_EDGE_RISING 1u
#define GIC_LEVEL_HIGH	4u

/* PPIs of the timers, from 16 on as Arm's Base System Architecture has them. */
#define PPI_TIMER_SECURE   13
#define PPI_TIMER_PHYSICAL 14
#define PPI_TIMER_VIRTUAL  11
#define PPI_TIMER_HYP	   10

static struct dt_dev device(uint64_t base, uint64_t len, uint32_t gsi)
{
	return (struct dt_dev){
		.base = base, .len = len, .irq = {{GIC_SPI, gsi, GIC_EDGE_RISING}, 3}};
}

/* cpus.yaml; "arm,armv8" is for software models, and a guest has the host's CPU at most. */
static void put_cpus(struct dt *t, unsigned n)
{
	dt_begin(t, "cpus");
	dt_u32(t, "#address-cells", 1);
	dt_u32(t, "#size-cells", 0);
	for (unsigned i = 0; i < n; i++) {
		dt_begin_at(t, "cpu", arm64_affinity(i));
		dt_string(t, "device_type", "cpu");
		dt_string(t, "compatible", "arm,armv8");
		dt_string(t, "enable-method", "psci");
		dt_u32(t, "reg", (uint32_t)arm64_affinity(i));
		dt_end(t);
	}
	dt_end(t);
}

static void put_psci(struct dt *t)
{
	dt_begin(t, "psci");
	dt_strings(t, "compatible", "arm,psci-1.0", "arm,psci-0.2");
	dt_string(t, "method", "hvc");
	dt_end(t);
}

static void put_gic(struct dt *t, unsigned version, unsigned cpus)
{
	dt_begin_at(t, "interrupt-controller", ARM64_GIC_DIST_GPA);
	if (version == 3) {
		dt_string(t, "compatible", "arm,gic-v3");
		dt_reg2(t, ARM64_GIC_DIST_GPA, ARM64_GIC3_DIST_LEN, ARM64_GIC_REDIST_GPA,
			cpus * ARM64_GIC3_REDIST_LEN);
	} else {
		dt_string(t, "compatible", "arm,cortex-a15-gic");
		dt_reg2(t, ARM64_GIC_DIST_GPA, ARM64_GIC2_DIST_LEN, ARM64_GIC_CPU_GPA,
			ARM64_GIC2_CPU_LEN);
	}
	dt_flag(t, "interrupt-controller");
	dt_u32(t, "#interrupt-cells", 3);
	dt_u32(t, "#address-cells", 0);
	dt_u32(t, "phandle", PHANDLE_GIC);
	dt_end(t);
}

/* timer/arm,arch_timer.yaml. A GICv2's PPIs say to which CPUs they go: all. */
static void put_timer(struct dt *t, unsigned gic, unsigned cpus)
{
	uint32_t flags = GIC_LEVEL_HIGH | (gic == 2 ? ((1u << cpus) - 1) << 8 : 0);

	dt_begin(t, "timer");
	dt_string(t, "compatible", "arm,armv8-timer");
	dt_cells(t, "interrupts", GIC_PPI, PPI_TIMER_SECURE, flags, GIC_PPI, PPI_TIMER_PHYSICAL,
		 flags, GIC_PPI, PPI_TIMER_VIRTUAL, flags, GIC_PPI, PPI_TIMER_HYP, flags);
	dt_flag(t, "always-on");
	dt_end(t);
}

static void put_devices(struct dt *t, uint32_t virtio_slots)
{
	struct dt_dev dev = device(ARM64_SERIAL_GPA, 8, ARM64_SERIAL_GSI);

	dt_serial(t, &dev);
	for (unsigned i = 0; i < ARCH_VIRTIO_SLOTS; i++) {
		if (!(virtio_slots & 1u << i))
			continue;
		dev = device(ARM64_VIRTIO_GPA + i * 0x1000ull, 0x200, ARM64_VIRTIO_GSI + i);
		dt_virtio(t, &dev);
	}
}

int arm64_tree_write(const struct arm64_tree *m, void *buf, size_t len, size_t *used,
		     struct err *err)
{
	struct dt t;
	int rc;

	assert(m->gic == 3 || (m->gic == 2 && m->cpus <= ARM64_GIC2_CPUS));
	dt_begin_tree(&t, buf, len);
	dt_string(&t, "compatible", "linux,dummy-virt");
	dt_string(&t, "model", "aerostat");
	dt_u32(&t, "interrupt-parent", PHANDLE_GIC);
	rc = dt_chosen(&t, &m->chosen, err);
	if (rc)
		return rc;
	dt_memory(&t, m->mem);
	put_cpus(&t, m->cpus);
	put_psci(&t);
	put_gic(&t, m->gic, m->cpus);
	put_timer(&t, m->gic, m->cpus);
	put_devices(&t, m->virtio_slots);
	rc = dt_end_tree(&t, used);
	return rc ? err_sys(err, rc, "cannot write the device tree") : 0;
}
