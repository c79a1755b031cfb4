// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/aml.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* What an encoder wrote must be exactly these bytes. */
#define CHECK_BYTES(a, ...)                                                                    \
	do {                                                                                   \
		const uint8_t want[] = {__VA_ARGS__};                                          \
		ck_assert_uint_eq((a)->len, sizeof(want));                                     \
		ck_assert_mem_eq((a)->buf, want, sizeof(want));                                \
		ck_assert((a)->full == false);                                                 \
	} while (0)

static uint8_t buf[1 << 21];

static struct aml fresh(void)
{
	struct aml a;

	aml_init(&a, buf, sizeof(buf));
	return a;
}

START_TEST(integers_take_the_shortest_form)
{
	struct aml a = fresh();

	aml_int(&a, 0);
	aml_int(&a, 1);
	aml_int(&a, 2);
	aml_int(&a, 0xff);
	aml_int(&a, 0x100);
	aml_int(&a, 0xffff);
	aml_int(&a, 0x10000);
	aml_int(&a, 0x123456789abcdef0);
	CHECK_BYTES(&a, 0x00, 0x01, 0x0a, 2, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0b, 0xff, 0xff,
		    0x0c, 0, 0, 1, 0, 0x0e, 0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12);
}
END_TEST

START_TEST(strings_and_eisa_ids)
{
	struct aml a = fresh();

	aml_string(&a, "AB");
	aml_eisa_id(&a, "PNP0501");
	aml_eisa_id(&a, "PNP0C0C");
	CHECK_BYTES(&a, 0x0d, 'A', 'B', 0, 0x0c, 0x41, 0xd0, 0x05, 0x01, 0x0c, 0x41, 0xd0, 0x0c,
		    0x0c);
}
END_TEST

START_TEST(names_by_number_of_segments)
{
	struct aml a = fresh();

	aml_name_string(&a, "_HID");
	aml_name_string(&a, "\\_SB_");
	aml_name_string(&a, "\\_SB_.PWRB");
	aml_name_string(&a, "AAAA.BBBB.CCCC");
	CHECK_BYTES(&a, '_', 'H', 'I', 'D', '\\', '_', 'S', 'B', '_', '\\', 0x2e, '_', 'S', 'B',
		    '_', 'P', 'W', 'R', 'B', 0x2f, 3, 'A', 'A', 'A', 'A', 'B', 'B', 'B', 'B',
		    'C', 'C', 'C', 'C');
}
END_TEST

/* A package of n content bytes; its length field counts itself too. */
static size_t decoded_length(size_t content, unsigned *field)
{
	static uint8_t filler[1 << 20];
	struct aml a = fresh();
	size_t mark, v;

	mark = aml_begin_package(&a, 0);
	aml_raw(&a, filler, content - 1);
	aml_end(&a, mark);
	*field = 1 + (buf[1] >> 6);
	ck_assert_uint_eq(a.len, 1 + *field + content);
	if (*field == 1)
		return buf[1];
	v = buf[1] & 0x0f;
	ck_assert_uint_eq(buf[1] & 0x30, 0);
	for (unsigned i = 1; i < *field; i++)
		v |= (size_t)buf[1 + i] << (8 * i - 4);
	return v;
}

START_TEST(package_lengths_at_every_border)
{
	static const struct {
		size_t content;
		unsigned field;
	} want[] = {
		{1, 1},		{62, 1},	 {63, 2},	   {64, 2},
		{0xfff - 2, 2}, {0x1000 - 2, 3}, {0xfffff - 3, 3}, {0x100000 - 3, 4},
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		unsigned field;
		size_t len = decoded_length(want[i].content, &field);

		ck_assert_uint_eq(field, want[i].field);
		ck_assert_uint_eq(len, want[i].content + field);
	}
}
END_TEST

START_TEST(nested_objects)
{
	struct aml a = fresh();
	size_t scope, dev, method, branch;

	scope = aml_begin_scope(&a, "\\_SB_");
	dev = aml_begin_device(&a, "DEV0");
	method = aml_begin_method(&a, "_EVT", 1, true);
	aml_store_local(&a, "EVTS", AML_LOCAL0);
	branch = aml_begin_if_bits(&a, AML_LOCAL0, 1);
	aml_notify(&a, "PWRB", 0x80);
	aml_end(&a, branch);
	aml_end(&a, method);
	aml_end(&a, dev);
	aml_end(&a, scope);
	CHECK_BYTES(&a, 0x10, 39, '\\', '_', 'S', 'B', '_', 0x5b, 0x82, 31, 'D', 'E', 'V', '0',
		    0x14, 25, '_', 'E', 'V', 'T', 0x09, 0x70, 'E', 'V', 'T', 'S', 0x60, 0xa0,
		    12, 0x7b, 0x60, 0x01, 0x00, 0x86, 'P', 'W', 'R', 'B', 0x0a, 0x80);
}
END_TEST

START_TEST(io_byte_is_a_region_with_a_field)
{
	struct aml a = fresh();

	aml_io_byte(&a, "REGN", 0x604, "FLD0");
	CHECK_BYTES(&a, 0x5b, 0x80, 'R', 'E', 'G', 'N', 0x01, 0x0b, 0x04, 0x06, 0x01, 0x5b,
		    0x81, 11, 'R', 'E', 'G', 'N', 0x01, 'F', 'L', 'D', '0', 8);
}
END_TEST

START_TEST(resources)
{
	struct aml a = fresh();
	struct aml_res r = {0};

	aml_res_mem32(&r, 0xd0001000, 0x1000);
	aml_res_io(&r, 0x3f8, 8);
	aml_res_edge_irq(&r, 17);
	aml_crs(&a, &r);
	CHECK_BYTES(&a, 0x08, '_', 'C', 'R', 'S', 0x11, 34, 0x0a, 31,
		    /* memory */ 0x86, 9, 0, 1, 0x00, 0x10, 0x00, 0xd0, 0x00, 0x10, 0, 0,
		    /* ports */ 0x47, 1, 0xf8, 0x03, 0xf8, 0x03, 1, 8,
		    /* interrupt */ 0x89, 6, 0, 0x03, 1, 17, 0, 0, 0, /* end */ 0x79, 0);
}
END_TEST

static void write_some(struct aml *a)
{
	struct aml_res r = {0};
	size_t scope = aml_begin_scope(a, "\\_SB_");

	aml_name(a, "_UID");
	aml_int(a, 0x12345);
	aml_res_mem32(&r, 0xd0000000, 0x1000);
	aml_crs(a, &r);
	aml_io_byte(a, "REGN", 0x604, "FLD0");
	aml_end(a, scope);
}

/* With every capacity below what is needed: nothing past the end, and `full` says so. */
START_TEST(a_full_buffer_is_never_overrun)
{
	struct aml a = fresh();
	size_t need;

	write_some(&a);
	need = a.len;
	for (size_t cap = 1; cap <= need; cap++) {
		uint8_t *exact = malloc(cap);

		ck_assert_ptr_nonnull(exact);
		aml_init(&a, exact, cap);
		write_some(&a);
		ck_assert_uint_le(a.len, cap);
		ck_assert(a.full == (cap < need));
		if (!a.full)
			ck_assert_mem_eq(exact, buf, need);
		free(exact);
	}
}
END_TEST

UNIT_MAIN("aml", integers_take_the_shortest_form, strings_and_eisa_ids,
	  names_by_number_of_segments, package_lengths_at_every_border, nested_objects,
	  io_byte_is_a_region_with_a_field, resources, a_full_buffer_is_never_overrun)
