// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/riscv64/tree.h"

#include <errno.h>

#include "tests/unit/dtb.h"
#include "tests/unit/unit.h"
#include "vmm/arch/riscv64/isa.h"
#include "vmm/base/size.h"
#include "vmm/config/vm_config.h"

static const struct gmem mem = {
	.region = {{.gpa = RISCV64_RAM_GPA, .len = 6 * GIB}},
	.nregions = 1,
};
static uint8_t buf[RISCV64_TREE_MAX] __attribute__((aligned(8)));
static struct riscv64_tree desc;
static struct err err;
static size_t used;

/* a, c, i, m, sstc */
#define ISA (1ull << 0 | 1ull << 1 | 1ull << 5 | 1ull << 6 | 1ull << 8)

static void write_tree(unsigned cpus, bool aia, uint64_t isa)
{
	desc = (struct riscv64_tree){
		.mem = &mem,
		.hart = {.isa = isa,
			 .timebase = 10000000,
			 .satp_mode = 9,
			 .cbom_block = 64,
			 .cboz_block = 128},
		.cpus = cpus,
		.aia = aia,
		.virtio_slots = 0x81,
		.chosen = {.bootargs = "x", .serial = RISCV64_SERIAL_GPA},
	};
	ck_assert_msg(!riscv64_tree_write(&desc, buf, sizeof(buf), &used, &err), "%s", err.msg);
	ck_assert_int_eq(fdt_check_full(buf, used), 0);
	dtb_lint(buf);
}

#define CPU1 "/cpus/cpu@1"

START_TEST(harts)
{
	write_tree(2, false, ISA);
	DTB_CELLS(buf, "/memory@80000000", "reg", 0, 0x80000000, 1, 0x80000000);
	DTB_CELLS(buf, "/cpus", "timebase-frequency", 10000000);
	DTB_CELLS(buf, "/cpus", "#address-cells", 1);
	DTB_CELLS(buf, CPU1, "reg", 1);
	ck_assert_str_eq(dtb_text(buf, CPU1, "device_type"), "cpu");
	ck_assert_str_eq(dtb_text(buf, CPU1, "compatible"), "riscv");
	ck_assert_str_eq(dtb_text(buf, CPU1, "riscv,isa"), "rv64imac_sstc");
	ck_assert_str_eq(dtb_text(buf, CPU1, "riscv,isa-base"), "rv64i");
	ck_assert_int_eq(fdt_stringlist_count(buf, dtb_node(buf, CPU1), "riscv,isa-extensions"),
			 5);
	ck_assert_int_eq(
		fdt_stringlist_search(buf, dtb_node(buf, CPU1), "riscv,isa-extensions", "sstc"),
		4);
	ck_assert_str_eq(dtb_text(buf, CPU1, "mmu-type"), "riscv,sv48");
	ck_assert(!dtb_has(buf, CPU1, "riscv,cbom-block-size"));
	ck_assert(!dtb_has(buf, CPU1, "riscv,cboz-block-size"));
	ck_assert_str_eq(dtb_text(buf, CPU1 "/interrupt-controller", "compatible"),
			 "riscv,cpu-intc");
	DTB_CELLS(buf, CPU1 "/interrupt-controller", "phandle", 4);
	DTB_CELLS(buf, CPU1 "/interrupt-controller", "#interrupt-cells", 1);
	ck_assert_int_lt(fdt_path_offset(buf, "/cpus/cpu@2"), 0);
}
END_TEST

START_TEST(blocks_of_the_cache_belong_to_their_extensions)
{
	write_tree(1, false, ISA | 1ull << ISA_ZICBOM | 1ull << ISA_ZICBOZ);
	DTB_CELLS(buf, "/cpus/cpu@0", "riscv,cbom-block-size", 64);
	DTB_CELLS(buf, "/cpus/cpu@0", "riscv,cboz-block-size", 128);
}
END_TEST

START_TEST(the_mmu_has_its_name)
{
	write_tree(1, false, ISA);
	desc.hart.satp_mode = 10;
	ck_assert_int_eq(riscv64_tree_write(&desc, buf, sizeof(buf), &used, &err), 0);
	ck_assert_str_eq(dtb_text(buf, "/cpus/cpu@0", "mmu-type"), "riscv,sv57");
	desc.hart.satp_mode = 0;
	ck_assert_int_eq(riscv64_tree_write(&desc, buf, sizeof(buf), &used, &err), 0);
	ck_assert_str_eq(dtb_text(buf, "/cpus/cpu@0", "mmu-type"), "riscv,sv39");
}
END_TEST

#define PLIC "/interrupt-controller@c000000"

START_TEST(a_machine_with_a_plic)
{
	write_tree(2, false, ISA);
	ck_assert(!dtb_has(buf, "/", "interrupt-parent"));
	DTB_CELLS(buf, "/serial@10000000", "interrupt-parent", 1);
	DTB_CELLS(buf, "/virtio@11000000", "interrupt-parent", 1);
	ck_assert_str_eq(dtb_text(buf, PLIC, "compatible"), "sifive,plic-1.0.0");
	DTB_CELLS(buf, PLIC, "reg", 0, 0x0c000000, 0, 0x400000);
	DTB_CELLS(buf, PLIC, "phandle", 1);
	DTB_CELLS(buf, PLIC, "#interrupt-cells", 1);
	DTB_CELLS(buf, PLIC, "interrupts-extended", 3, 9, 4, 9);
	DTB_CELLS(buf, PLIC, "riscv,ndev", 31);
	ck_assert(dtb_has(buf, PLIC, "interrupt-controller"));
	DTB_CELLS(buf, "/serial@10000000", "interrupts", 1);
	DTB_CELLS(buf, "/virtio@11000000", "interrupts", 16);
	DTB_CELLS(buf, "/virtio@11007000", "interrupts", 23);
	ck_assert_int_lt(fdt_path_offset(buf, "/virtio@11001000"), 0);
}
END_TEST

#define IMSIC "/interrupt-controller@e000000"
#define APLIC "/interrupt-controller@d000000"

START_TEST(a_machine_with_an_aia)
{
	write_tree(3, true, ISA);
	ck_assert_int_lt(fdt_path_offset(buf, PLIC), 0);
	DTB_CELLS(buf, IMSIC, "reg", 0, 0x0e000000, 0, 0x3000);
	DTB_CELLS(buf, IMSIC, "phandle", 2);
	DTB_CELLS(buf, IMSIC, "#interrupt-cells", 0);
	DTB_CELLS(buf, IMSIC, "#msi-cells", 0);
	DTB_CELLS(buf, IMSIC, "interrupts-extended", 3, 9, 4, 9, 5, 9);
	DTB_CELLS(buf, IMSIC, "riscv,num-ids", 63);
	DTB_CELLS(buf, IMSIC, "riscv,hart-index-bits", 2);
	ck_assert(dtb_has(buf, IMSIC, "msi-controller"));
	ck_assert_int_eq(
		fdt_stringlist_search(buf, dtb_node(buf, IMSIC), "compatible", "riscv,imsics"),
		1);
	DTB_CELLS(buf, APLIC, "reg", 0, 0x0d000000, 0, 0x4000);
	DTB_CELLS(buf, APLIC, "phandle", 1);
	DTB_CELLS(buf, APLIC, "#interrupt-cells", 2);
	DTB_CELLS(buf, APLIC, "msi-parent", 2);
	DTB_CELLS(buf, APLIC, "riscv,num-sources", 31);
	DTB_CELLS(buf, "/serial@10000000", "interrupts", 1, 1);
	DTB_CELLS(buf, "/virtio@11007000", "interrupts", 23, 1);
}
END_TEST

START_TEST(numbers_of_harts_have_their_bits)
{
	static const unsigned want[][2] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {255, 8}};

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_uint_eq(riscv64_hart_bits(want[i][0]), want[i][1]);
}
END_TEST

START_TEST(the_largest_machine_fits_and_a_small_buffer_is_an_error)
{
	static char cmdline[VM_CMDLINE_MAX + 1];

	write_tree(VM_CPUS_MAX, true, ~0ull);
	DTB_CELLS(buf, "/cpus/cpu@fe", "reg", 254);
	memset(cmdline, 'x', VM_CMDLINE_MAX);
	desc.chosen.bootargs = cmdline;
	ck_assert_int_eq(riscv64_tree_write(&desc, buf, sizeof(buf), &used, &err), 0);
	ck_assert_int_eq(riscv64_tree_write(&desc, buf, used - 1, &used, &err), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "device tree"));
}
END_TEST

UNIT_MAIN("riscv64_tree", harts, blocks_of_the_cache_belong_to_their_extensions,
	  the_mmu_has_its_name, a_machine_with_a_plic, a_machine_with_an_aia,
	  numbers_of_harts_have_their_bits,
	  the_largest_machine_fits_and_a_small_buffer_is_an_error)
