// SPDX-License-Identifier: Apache-2.0
/* The flat guest's reader of device trees, on what the monitor writes. */
#include "guest/flat/kimage/tree.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/arch/arm64/layout.h"
#include "vmm/arch/arm64/tree.h"
#include "vmm/base/size.h"

static const struct gmem mem = {
	.region = {{.gpa = ARM64_RAM_GPA, .len = 6 * GIB}},
	.nregions = 1,
};
static uint8_t buf[DT_TREE_MAX] __attribute__((aligned(8)));
static size_t used;

static void write_tree(void)
{
	const struct arm64_tree desc = {
		.mem = &mem,
		.cpus = 2,
		.gic = 3,
		.virtio_slots = 0x81,
		.chosen = {.bootargs = "mode=stress", .serial = ARM64_SERIAL_GPA}};
	struct err err;

	ck_assert_msg(!arm64_tree_write(&desc, buf, sizeof(buf), &used, &err), "%s", err.msg);
}

START_TEST(what_the_guest_needs_is_found)
{
	const uint8_t *reg;
	uint32_t len;

	write_tree();
	ck_assert_uint_eq(tree_size(buf), used);
	ck_assert_str_eq(tree_property(buf, "chosen", 0, "bootargs", &len), "mode=stress");
	ck_assert_uint_eq(len, sizeof("mode=stress"));
	reg = tree_property(buf, "memory", 0, "reg", &len);
	ck_assert(reg && len == 16);
	ck_assert_uint_eq(tree_u64(reg), ARM64_RAM_GPA);
	ck_assert_uint_eq(tree_u64(reg + 8), 6 * GIB);
	reg = tree_property(buf, "serial", 0, "reg", &len);
	ck_assert_uint_eq(tree_u64(reg), ARM64_SERIAL_GPA);
	reg = tree_property(buf, "virtio", 1, "reg", &len);
	ck_assert_uint_eq(tree_u64(reg), ARM64_VIRTIO_GPA + 7 * 0x1000);
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
	uint32_t len;

	write_tree();
	ck_assert_ptr_null(tree_property(buf, "virtio", 2, "reg", &len));
	ck_assert_ptr_null(tree_property(buf, "chose", 0, "bootargs", &len));
	ck_assert_ptr_null(tree_property(buf, "chosen", 0, "bootarg", &len));
	ck_assert_ptr_null(tree_property(buf, "chosen", 0, "bootargsx", &len));
	/* Of the root, and of a child's child. */
	ck_assert_ptr_null(tree_property(buf, "", 0, "compatible", &len));
	ck_assert_ptr_null(tree_property(buf, "cpu", 0, "reg", &len));
	buf[0] ^= 1;
	ck_assert_uint_eq(tree_size(buf), 0);
	ck_assert_ptr_null(tree_property(buf, "chosen", 0, "bootargs", &len));
}
END_TEST

/* Cut off or with any byte changed, in memory of exactly the tree's size: nothing behind is
 * read. */
static void look_around(const uint8_t *tree, size_t n)
{
	static const char *const node[] = {"chosen", "virtio", "no-such"};
	uint32_t len;

	if (tree_size(tree) > n)
		return; /* the size is the reader's to trust */
	for (unsigned i = 0; i < sizeof(node) / sizeof(node[0]); i++) {
		const uint8_t *v = tree_property(tree, node[i], 0, "reg", &len);

		ck_assert(!v || (v >= tree && v + len <= tree + n));
	}
}

START_TEST(a_broken_tree_is_not_left)
{
	uint8_t *tree;

	write_tree();
	tree = malloc(used);
	ck_assert_ptr_nonnull(tree);
	memcpy(tree, buf, used);
	for (size_t i = 0; i < used; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			tree[i] ^= (uint8_t)(1u << bit);
			look_around(tree, used);
			tree[i] ^= (uint8_t)(1u << bit);
		}
		tree[i] = 0xff;
		look_around(tree, used);
		tree[i] = buf[i];
	}
	/* Of any shorter size, as its header says too. */
	for (size_t n = 40; n < used; n++) {
		uint8_t *part = malloc(n);

		ck_assert_ptr_nonnull(part);
		memcpy(part, buf, n);
		part[4] = part[5] = 0;
		part[6] = (uint8_t)(n >> 8);
		part[7] = (uint8_t)n;
		look_around(part, n);
		free(part);
	}
	free(tree);
}
END_TEST

UNIT_MAIN("flat_tree", what_the_guest_needs_is_found, what_is_not_there_is_not_found,
	  a_broken_tree_is_not_left)
