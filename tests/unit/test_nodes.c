// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/fdt/nodes.h"

#include <errno.h>

#include "tests/unit/dtb.h"
#include "tests/unit/unit.h"
#include "vmm/base/size.h"

static uint8_t buf[8192] __attribute__((aligned(8)));
static struct dt t;
static struct err err;

static void finish(void)
{
	size_t len;

	ck_assert_int_eq(dt_end_tree(&t, &len), 0);
	ck_assert_int_eq(fdt_check_full(buf, len), 0);
}

START_TEST(memory_of_every_region)
{
	const struct gmem mem = {
		.region = {{.gpa = 0, .len = 3 * GIB}, {.gpa = 8 * GIB, .len = 5 * GIB}},
		.nregions = 2,
	};

	dt_begin_tree(&t, buf, sizeof(buf));
	dt_memory(&t, &mem);
	finish();
	ck_assert_str_eq(dtb_text(buf, "/memory@0", "device_type"), "memory");
	DTB_CELLS(buf, "/memory@0", "reg", 0, 0, 0, 0xc0000000);
	DTB_CELLS(buf, "/memory@200000000", "reg", 2, 0, 1, 0x40000000);
	dtb_lint(buf);
}
END_TEST

static void chosen(const struct dt_chosen *c)
{
	dt_begin_tree(&t, buf, sizeof(buf));
	ck_assert_int_eq(dt_chosen(&t, c, &err), 0);
	finish();
}

START_TEST(chosen_has_what_the_kernel_needs)
{
	const struct dt_chosen c = {.bootargs = "quiet console=ttyS0",
				    .initrd = 0x140000000,
				    .initrd_len = 0x1234,
				    .serial = 0x10000000};

	chosen(&c);
	ck_assert_str_eq(dtb_text(buf, "/chosen", "bootargs"), c.bootargs);
	ck_assert_str_eq(dtb_text(buf, "/chosen", "stdout-path"), "/serial@10000000");
	ck_assert_uint_eq(dtb_u64(buf, "/chosen", "linux,initrd-start"), 0x140000000);
	ck_assert_uint_eq(dtb_u64(buf, "/chosen", "linux,initrd-end"), 0x140001234);
}
END_TEST

START_TEST(seeds_are_fresh_and_no_initrd_is_none)
{
	const struct dt_chosen c = {.bootargs = ""};
	uint8_t first[64];
	uint64_t kaslr;
	int len;

	chosen(&c);
	ck_assert(!dtb_has(buf, "/chosen", "linux,initrd-start"));
	ck_assert(!dtb_has(buf, "/chosen", "linux,initrd-end"));
	memcpy(first, fdt_getprop(buf, dtb_node(buf, "/chosen"), "rng-seed", &len), 64);
	ck_assert_int_eq(len, 64);
	kaslr = dtb_u64(buf, "/chosen", "kaslr-seed");
	chosen(&c);
	ck_assert_mem_ne(fdt_getprop(buf, dtb_node(buf, "/chosen"), "rng-seed", &len), first,
			 64);
	ck_assert_uint_ne(dtb_u64(buf, "/chosen", "kaslr-seed"), kaslr);
}
END_TEST

START_TEST(devices)
{
	const struct dt_dev serial = {.base = 0x10000000, .len = 8, .irq = {{0, 3, 1}, 3}};
	const struct dt_dev virtio = {
		.base = 0x11000000, .len = 0x200, .irq = {{17}, 1}, .parent = 5};

	dt_begin_tree(&t, buf, sizeof(buf));
	dt_serial(&t, &serial);
	dt_virtio(&t, &virtio);
	finish();
	ck_assert_str_eq(dtb_text(buf, "/serial@10000000", "compatible"), "ns16550a");
	DTB_CELLS(buf, "/serial@10000000", "reg", 0, 0x10000000, 0, 8);
	DTB_CELLS(buf, "/serial@10000000", "interrupts", 0, 3, 1);
	DTB_CELLS(buf, "/serial@10000000", "clock-frequency", 1843200);
	ck_assert_str_eq(dtb_text(buf, "/virtio@11000000", "compatible"), "virtio,mmio");
	DTB_CELLS(buf, "/virtio@11000000", "reg", 0, 0x11000000, 0, 0x200);
	DTB_CELLS(buf, "/virtio@11000000", "interrupts", 17);
	DTB_CELLS(buf, "/virtio@11000000", "interrupt-parent", 5);
	ck_assert(!dtb_has(buf, "/serial@10000000", "interrupt-parent"));
	ck_assert(dtb_has(buf, "/virtio@11000000", "dma-coherent"));
}
END_TEST

UNIT_MAIN("nodes", memory_of_every_region, chosen_has_what_the_kernel_needs,
	  seeds_are_fresh_and_no_initrd_is_none, devices)
