// SPDX-License-Identifier: Apache-2.0
/*
 * What vm.c, cpu.c, platform.c, regs.c and probe.c of arm64 do, on the KVM that is here: any of
 * its hosts, with VHE or without, with a GICv3 or a GICv2.
 */
#include <errno.h>
#include <unistd.h>

#include "tests/unit/arm64_box.h"
#include "tests/unit/unit.h"
#include "vmm/arch/arm64/layout.h"
#include "vmm/io/irq.h"

static struct err err;

static uint64_t reg(const struct box *b, unsigned cpu, uint64_t id)
{
	uint64_t v = 0;

	ck_assert_int_eq(arm64_get_reg(b->set.vcpu[cpu].fd, id, &v), 0);
	return v;
}

/* ---- the host and the VM ---- */

START_TEST(addresses_are_as_wide_as_ram_needs)
{
	struct kvm_host host;
	unsigned most;

	ck_assert_int_eq(kvm_host_open(&host, &err), 0);
	most = arm64_ipa_bits(&host);
	ck_assert_uint_ge(most, 32);
	ck_assert_uint_le(most, 52);
	ck_assert_int_eq(arch_host_init(&host, 3 * GIB, &err), 0);
	ck_assert_uint_eq(host.vm_type, 32);
	ck_assert_int_eq(arch_host_init(&host, 3 * GIB + 65536, &err), 0);
	ck_assert_uint_eq(host.vm_type, 33);
	ck_assert_int_eq(arch_host_init(&host, (1ull << most) - ARM64_RAM_GPA, &err), 0);
	ck_assert_uint_eq(host.vm_type, most);
	ck_assert_int_eq(arch_host_init(&host, (1ull << most) - ARM64_RAM_GPA + 65536, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "physical address bits"));
	kvm_host_close(&host);
}
END_TEST

START_TEST(devices_and_ram_do_not_overlap)
{
	struct gmem_span span[GMEM_MAX_REGIONS];
	const struct arch_dev *dev;
	unsigned n;

	dev = arch_devices(&n);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(dev->kind, ARCH_DEV_SERIAL);
	ck_assert(!dev->pio && dev->has_irq);
	ck_assert_uint_ge(dev->base, ARM64_GIC_REDIST_GPA + 256 * ARM64_GIC3_REDIST_LEN);
	for (unsigned i = 0; i < ARCH_VIRTIO_SLOTS; i++) {
		struct arch_slot s = arch_virtio_slot(i);

		ck_assert_uint_ge(s.gpa, dev->base + dev->len);
		ck_assert_uint_le(s.gpa + 0x1000, ARM64_RAM_GPA);
		ck_assert_uint_eq(s.gsi, 16 + i);
		ck_assert_uint_lt(s.gsi, ARM64_GIC_IRQS - 32);
	}
	ck_assert_int_eq(arch_ram_layout(6 * GIB, span, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(span[0].gpa, ARM64_RAM_GPA);
	ck_assert_uint_eq(span[0].len, 6 * GIB);
	ck_assert_int_eq(arch_ram_layout(1ull << 52, span, &n, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "-m"));
}
END_TEST

static uint64_t irqchip_get(const struct box *b, uint32_t group, uint64_t attr)
{
	uint64_t value = 0;
	struct kvm_device_attr req = {.group = group, .attr = attr, .addr = (uintptr_t)&value};

	ck_assert_int_eq(kvm_ioctl(b->vm.irqchip_fd, KVM_GET_DEVICE_ATTR, &req), 0);
	return value;
}

START_TEST(the_gic_is_the_best_of_the_host_s)
{
	struct box b;

	box_open(&b, BOX_RAM);
	ck_assert_uint_eq(irqchip_get(&b, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0), ARM64_GIC_IRQS);
	if (b.vm.irqchip == KVM_DEV_TYPE_ARM_VGIC_V3) {
		ck_assert_uint_eq(
			irqchip_get(&b, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST),
			ARM64_GIC_DIST_GPA);
		ck_assert_uint_eq(irqchip_get(&b, KVM_DEV_ARM_VGIC_GRP_ADDR,
					      KVM_VGIC_V3_ADDR_TYPE_REDIST),
				  ARM64_GIC_REDIST_GPA);
	} else {
		ck_assert_uint_eq(b.vm.irqchip, KVM_DEV_TYPE_ARM_VGIC_V2);
		ck_assert_uint_eq(
			irqchip_get(&b, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_CPU),
			ARM64_GIC_CPU_GPA);
		/* So vcpus_create() refuses more, and names the option. */
		ck_assert_uint_eq(b.host.max_vcpus, ARM64_GIC2_CPUS);
	}
	box_close(&b);
}
END_TEST

/* GICD_ICFGR2 and GICD_ISPENDR1 have the first SPIs, in a GICv2 and a GICv3. */
#define GICD_ISPENDR1 0x204
#define GICD_ICFGR2   0xc08

static bool pending(const struct box *b, uint32_t gsi)
{
	return irqchip_get(b, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_ISPENDR1) >> gsi & 1;
}

START_TEST(a_line_s_edge_stays_pending_at_its_spi)
{
	const uint32_t edge = 0xaaaaaaaa;
	struct irq_line line;
	struct box b;

	box_open(&b, BOX_RAM);
	/* As a guest sets it up that has read the device tree. */
	ck_assert_int_eq(kvm_vm_irqchip_set(&b.vm, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_ICFGR2,
					    &edge, &err),
			 0);
	ck_assert_int_eq(irq_line_init(&line, 5), 0);
	ck_assert_int_eq(kvm_vm_irqfd(&b.vm, line.fd, line.gsi, &err), 0);
	ck_assert(!pending(&b, 5));
	irq_line_raise(&line);
	for (int ms = 0; ms < 20000 && !pending(&b, 5); ms++)
		usleep(1000);
	ck_assert(pending(&b, 5));
	ck_assert(!pending(&b, 4) && !pending(&b, 6));
	irq_line_fini(&line);
	box_close(&b);
}
END_TEST

/* ---- vCPUs ---- */

START_TEST(vcpus_start_as_the_protocol_says)
{
	const struct arch_entry entry = {.pc = ARM64_RAM_GPA + 0x80000, .arg = 0x12345678};
	struct box b;

	box_open(&b, BOX_RAM);
	box_init(&b, &entry);
	ck_assert_uint_eq(reg(&b, 0, ARM64_CORE_REG(regs.pc)), entry.pc);
	ck_assert_uint_eq(reg(&b, 0, ARM64_CORE_REG(regs.regs[0])), entry.arg);
	for (unsigned i = 0; i < BOX_CPUS; i++) {
		struct kvm_mp_state mp;

		/* EL1h, and D, A, I and F masked; MMU and caches off. */
		ck_assert_uint_eq(reg(&b, i, ARM64_CORE_REG(regs.pstate)), 0x3c5);
		ck_assert_uint_eq(reg(&b, i, ARM64_SCTLR_EL1) & 0x1005, 0);
		ck_assert_uint_eq(reg(&b, i, ARM64_MPIDR_EL1) & 0xffffff, arm64_affinity(i));
		ck_assert_uint_ge(reg(&b, i, KVM_REG_ARM_PSCI_VERSION), 0x10000);
		ck_assert_int_eq(kvm_ioctl(b.set.vcpu[i].fd, KVM_GET_MP_STATE, &mp), 0);
		ck_assert_uint_eq(mp.mp_state,
				  i ? KVM_MP_STATE_STOPPED : KVM_MP_STATE_RUNNABLE);
	}
	box_close(&b);
}
END_TEST

START_TEST(a_report_has_what_kvm_says)
{
	static const uint32_t code[] = {0xd4000002, 0x14000000};
	const struct arch_entry entry = {.pc = ARM64_RAM_GPA + 0x1000, .arg = 0xabcdef};
	const struct vcpu_stop stop = {.kind = VCPU_STOP_RUN_FAILED, .code = EFAULT};
	char text[4096];
	struct box b;

	box_open(&b, BOX_RAM);
	box_init(&b, &entry);
	memcpy(gmem_ptr(&b.mem, entry.pc, sizeof(code)), code, sizeof(code));
	arch_vcpu_report(&b.set.vcpu[0], &b.mem, &stop, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "KVM_RUN failed: Bad address"));
	ck_assert_ptr_nonnull(strstr(text, "EL1h, masked: D A I F, MMU off"));
	ck_assert_ptr_nonnull(strstr(text, "x0   0000000000abcdef"));
	ck_assert_ptr_nonnull(strstr(text, "pc   0000000040001000"));
	ck_assert_ptr_nonnull(strstr(text, "memory at pc: 02 00 00 d4 00 00 00 14"));
	box_close(&b);
}
END_TEST

/* ---- the host, for people ---- */

START_TEST(the_host_has_a_speed_and_a_line)
{
	struct kvm_host host;
	char line[80];
	uint64_t ns = 0;

	ck_assert_int_eq(kvm_host_open(&host, &err), 0);
	ck_assert_msg(!arch_probe_speed(&host, &ns, &err), "%s", err.msg);
	/* A million instructions: no CPU does them in 10 us, no useful KVM takes a minute. */
	ck_assert_uint_gt(ns, 10000);
	ck_assert_uint_lt(ns, 60000000000ull);
	kvm_host_close(&host);
	arch_host_virt(line, sizeof(line));
	ck_assert_msg(!strncmp(line, "Arm EL2, guests have GICv", 25), "%s", line);
	arch_host_virt(line, 3);
	ck_assert_uint_eq(strlen(line), 2);
}
END_TEST

UNIT_MAIN("arm64_vm", addresses_are_as_wide_as_ram_needs, devices_and_ram_do_not_overlap,
	  the_gic_is_the_best_of_the_host_s, a_line_s_edge_stays_pending_at_its_spi,
	  vcpus_start_as_the_protocol_says, a_report_has_what_kvm_says,
	  the_host_has_a_speed_and_a_line)
