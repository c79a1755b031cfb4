// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/arm64/tree.h"

#include <errno.h>

#include "tests/unit/dtb.h"
#include "tests/unit/unit.h"
#include "vmm/arch/arm64/layout.h"
#include "vmm/base/size.h"
#include "vmm/config/vm_config.h"

static const struct gmem mem = {
	.region = {{.gpa = ARM64_RAM_GPA, .len = 6 * GIB}},
	.nregions = 1,
};
static uint8_t buf[DT_TREE_MAX] __attribute__((aligned(8)));
static struct arm64_tree desc;
static struct err err;
static size_t used;

static void write_tree(unsigned cpus, unsigned gic, uint32_t slots)
{
	desc = (struct arm64_tree){.mem = &mem,
				   .cpus = cpus,
				   .gic = gic,
				   .virtio_slots = slots,
				   .chosen = {.bootargs = "x", .serial = ARM64_SERIAL_GPA}};
	ck_assert_msg(!arm64_tree_write(&desc, buf, sizeof(buf), &used, &err), "%s", err.msg);
	ck_assert_int_eq(fdt_check_full(buf, used), 0);
	dtb_lint(buf);
}

#define GIC   "/interrupt-controller@8000000"
#define LEVEL 4
#define ALL_2 (4 | 0x300)

START_TEST(a_machine_with_a_gicv3)
{
	write_tree(2, 3, 0x81);
	DTB_CELLS(buf, "/", "interrupt-parent", 1);
	DTB_CELLS(buf, "/memory@40000000", "reg", 0, 0x40000000, 1, 0x80000000);
	ck_assert_str_eq(dtb_text(buf, GIC, "compatible"), "arm,gic-v3");
	DTB_CELLS(buf, GIC, "reg", 0, 0x08000000, 0, 0x10000, 0, 0x09000000, 0, 0x40000);
	DTB_CELLS(buf, GIC, "phandle", 1);
	DTB_CELLS(buf, GIC, "#interrupt-cells", 3);
	ck_assert(dtb_has(buf, GIC, "interrupt-controller"));
	ck_assert_str_eq(dtb_text(buf, "/psci", "method"), "hvc");
	ck_assert_int_eq(fdt_stringlist_search(buf, dtb_node(buf, "/psci"), "compatible",
					       "arm,psci-0.2"),
			 1);
	DTB_CELLS(buf, "/timer", "interrupts", 1, 13, LEVEL, 1, 14, LEVEL, 1, 11, LEVEL, 1, 10,
		  LEVEL);
	DTB_CELLS(buf, "/serial@10000000", "interrupts", 0, ARM64_SERIAL_GSI, 1);
	DTB_CELLS(buf, "/virtio@11000000", "interrupts", 0, 16, 1);
	DTB_CELLS(buf, "/virtio@11007000", "interrupts", 0, 23, 1);
	ck_assert_int_lt(fdt_path_offset(buf, "/virtio@11001000"), 0);
}
END_TEST

START_TEST(a_machine_with_a_gicv2)
{
	write_tree(2, 2, 0);
	ck_assert_str_eq(dtb_text(buf, GIC, "compatible"), "arm,cortex-a15-gic");
	DTB_CELLS(buf, GIC, "reg", 0, 0x08000000, 0, 0x1000, 0, 0x08010000, 0, 0x2000);
	DTB_CELLS(buf, "/timer", "interrupts", 1, 13, ALL_2, 1, 14, ALL_2, 1, 11, ALL_2, 1, 10,
		  ALL_2);
	ck_assert_int_lt(fdt_path_offset(buf, "/virtio@11000000"), 0);
}
END_TEST

/* KVM gives 16 CPUs to a group; names and numbers follow. */
START_TEST(cpus_go_by_their_affinity)
{
	write_tree(18, 3, 0);
	DTB_CELLS(buf, "/cpus", "#address-cells", 1);
	DTB_CELLS(buf, "/cpus", "#size-cells", 0);
	DTB_CELLS(buf, "/cpus/cpu@0", "reg", 0);
	DTB_CELLS(buf, "/cpus/cpu@f", "reg", 0xf);
	DTB_CELLS(buf, "/cpus/cpu@100", "reg", 0x100);
	DTB_CELLS(buf, "/cpus/cpu@101", "reg", 0x101);
	ck_assert_str_eq(dtb_text(buf, "/cpus/cpu@101", "enable-method"), "psci");
	ck_assert_str_eq(dtb_text(buf, "/cpus/cpu@101", "device_type"), "cpu");
	ck_assert_str_eq(dtb_text(buf, "/cpus/cpu@101", "compatible"), "arm,armv8");
	ck_assert_uint_eq(arm64_affinity(254), 0xf0e);
	ck_assert_uint_eq(arm64_affinity(0x1234), 0x12304);
}
END_TEST

START_TEST(the_largest_machine_fits_and_a_small_buffer_is_an_error)
{
	static char cmdline[VM_CMDLINE_MAX + 1];

	write_tree(VM_CPUS_MAX, 3, 0xff);
	memset(cmdline, 'x', VM_CMDLINE_MAX);
	desc.chosen.bootargs = cmdline;
	ck_assert_int_eq(arm64_tree_write(&desc, buf, sizeof(buf), &used, &err), 0);
	ck_assert_int_eq(arm64_tree_write(&desc, buf, used - 1, &used, &err), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "device tree"));
}
END_TEST

UNIT_MAIN("tree", a_machine_with_a_gicv3, a_machine_with_a_gicv2, cpus_go_by_their_affinity,
	  the_largest_machine_fits_and_a_small_buffer_is_an_error)
