// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/fdt/dt.h"

#include <errno.h>

#include "tests/unit/dtb.h"
#include "tests/unit/unit.h"

static uint8_t buf[4096] __attribute__((aligned(8)));
static struct dt t;
static size_t len;

static void write_some(void *to, size_t size)
{
	dt_begin_tree(&t, to, size);
	dt_string(&t, "model", "a model");
	dt_begin(&t, "node");
	dt_strings(&t, "compatible", "one", "two,three");
	dt_flag(&t, "flag");
	dt_u32(&t, "word", 0x12345678);
	dt_u64(&t, "long", 0x123456789abcdef0ull);
	dt_cells(&t, "cells", 1, 0xffffffff);
	dt_bytes(&t, "bytes", "abc", 3);
	dt_end(&t);
	dt_begin_at(&t, "dev", 0xabcd00001000ull);
	dt_reg2(&t, 0xabcd00001000ull, 0x200, 1, 0x300000000ull);
	dt_end(&t);
	dt_begin_at(&t, "dev", 0xf0000000);
	dt_reg(&t, 0xf0000000, 0x1000);
	dt_end(&t);
}

START_TEST(what_is_written_is_read)
{
	int n;

	write_some(buf, sizeof(buf));
	ck_assert_int_eq(dt_end_tree(&t, &len), 0);
	ck_assert_int_eq(fdt_check_full(buf, len), 0);
	DTB_CELLS(buf, "/", "#address-cells", 2);
	DTB_CELLS(buf, "/", "#size-cells", 2);
	ck_assert_str_eq(dtb_text(buf, "/", "model"), "a model");
	ck_assert_int_eq(fdt_stringlist_count(buf, dtb_node(buf, "/node"), "compatible"), 2);
	ck_assert_int_eq(
		fdt_stringlist_search(buf, dtb_node(buf, "/node"), "compatible", "two,three"),
		1);
	ck_assert_ptr_nonnull(fdt_getprop(buf, dtb_node(buf, "/node"), "flag", &n));
	ck_assert_int_eq(n, 0);
	DTB_CELLS(buf, "/node", "word", 0x12345678);
	ck_assert_uint_eq(dtb_u64(buf, "/node", "long"), 0x123456789abcdef0ull);
	DTB_CELLS(buf, "/node", "cells", 1, 0xffffffff);
	ck_assert_mem_eq(fdt_getprop(buf, dtb_node(buf, "/node"), "bytes", &n), "abc", 3);
	ck_assert_int_eq(n, 3);
	DTB_CELLS(buf, "/dev@abcd00001000", "reg", 0xabcd, 0x1000, 0, 0x200, 0, 1, 3, 0);
	DTB_CELLS(buf, "/dev@f0000000", "reg", 0, 0xf0000000, 0, 0x1000);
	dtb_lint(buf);
}
END_TEST

/* Whatever the buffer's size, nothing is written behind it (AddressSanitizer looks). */
START_TEST(a_small_buffer_is_an_error)
{
	size_t full;

	write_some(buf, sizeof(buf));
	ck_assert_int_eq(dt_end_tree(&t, &full), 0);
	for (size_t size = 0; size < full; size++) {
		uint8_t *small = malloc(size ? size : 1);

		ck_assert_ptr_nonnull(small);
		write_some(small, size);
		ck_assert_int_eq(dt_end_tree(&t, &len), -EFBIG);
		free(small);
	}
	write_some(buf, full);
	ck_assert_int_eq(dt_end_tree(&t, &len), 0);
	ck_assert_uint_eq(len, full);
}
END_TEST

UNIT_MAIN("dt", what_is_written_is_read, a_small_buffer_is_an_error)
