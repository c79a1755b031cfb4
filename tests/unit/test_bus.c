// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/bus.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

struct probe {
	uint64_t off, value, answer;
	unsigned len, reads, writes;
};

static uint64_t probe_read(void *opaque, uint64_t off, unsigned len)
{
	struct probe *p = opaque;

	p->off = off;
	p->len = len;
	p->reads++;
	return p->answer;
}

static void probe_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct probe *p = opaque;

	p->off = off;
	p->len = len;
	p->value = value;
	p->writes++;
}

static const struct bus_ops ops = {.read = probe_read, .write = probe_write};

START_TEST(test_read)
{
	struct bus b = {0};
	struct probe p = {.answer = 0x8877665544332211}, q = {0};
	uint8_t buf[9];

	ck_assert_int_eq(bus_add(&b, 0x1000, 0x100, &ops, &p), 0);
	ck_assert_int_eq(bus_add(&b, 0x1100, 0x100, &ops, &q), 0);
	for (unsigned len = 1; len <= 8; len *= 2) {
		memset(buf, 0xaa, sizeof(buf));
		bus_read(&b, 0x1010, len, buf);
		ck_assert_uint_eq(p.off, 0x10);
		ck_assert_uint_eq(p.len, len);
		ck_assert_int_eq(memcmp(buf, &p.answer, len), 0);
		ck_assert_uint_eq(buf[len], 0xaa);
	}
	ck_assert_uint_eq(p.reads, 4);
	bus_read(&b, 0x1100, 1, buf);
	ck_assert_uint_eq(q.reads, 1);
	ck_assert_uint_eq(q.off, 0);
}
END_TEST

START_TEST(test_write)
{
	struct bus b = {0};
	struct probe p = {0};
	uint64_t v = 0x8877665544332211;

	ck_assert_int_eq(bus_add(&b, 0x10, 8, &ops, &p), 0);
	bus_write(&b, 0x10, 8, &v);
	ck_assert_uint_eq(p.value, v);
	bus_write(&b, 0x16, 2, &v);
	ck_assert_uint_eq(p.value, 0x2211);
	ck_assert_uint_eq(p.off, 6);
	bus_write(&b, 0x17, 1, &v);
	ck_assert_uint_eq(p.value, 0x11);
	ck_assert_uint_eq(p.writes, 3);
}
END_TEST

START_TEST(test_nobody_answers)
{
	struct bus b = {0};
	struct probe p = {0}, q = {0};
	uint32_t v;
	static const uint64_t at[] = {0x0,    0xfff,  0xffd,	      0x1006,
				      0x1010, 0x1005, UINT64_MAX - 3, UINT64_MAX};

	/* Crossing from one window into its neighbour is nobody's either. */
	ck_assert_int_eq(bus_add(&b, 0x1000, 8, &ops, &p), 0);
	ck_assert_int_eq(bus_add(&b, 0x1008, 8, &ops, &q), 0);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		v = 0;
		bus_read(&b, at[i], 4, &v);
		ck_assert_uint_eq(v, 0xffffffff);
		bus_write(&b, at[i], 4, &v);
	}
	ck_assert_uint_eq(p.reads + p.writes + q.reads + q.writes, 0);
}
END_TEST

START_TEST(test_overlap)
{
	struct bus b = {0};
	struct probe p = {0};

	ck_assert_int_eq(bus_add(&b, 0x100, 0x10, &ops, &p), 0);
	ck_assert_int_eq(bus_add(&b, 0x100, 0x10, &ops, &p), -EEXIST);
	ck_assert_int_eq(bus_add(&b, 0x10f, 1, &ops, &p), -EEXIST);
	ck_assert_int_eq(bus_add(&b, 0xff, 2, &ops, &p), -EEXIST);
	ck_assert_int_eq(bus_add(&b, 0, UINT64_MAX, &ops, &p), -EEXIST);
	ck_assert_int_eq(bus_add(&b, 0xff, 1, &ops, &p), 0);
	ck_assert_int_eq(bus_add(&b, 0x110, 1, &ops, &p), 0);
	ck_assert_uint_eq(b.nwindows, 3);
}
END_TEST

START_TEST(test_end_of_address_space)
{
	struct bus b = {0};
	struct probe p = {.answer = 0x5a};
	uint8_t v = 0;

	ck_assert_int_eq(bus_add(&b, UINT64_MAX - 7, 8, &ops, &p), 0);
	bus_read(&b, UINT64_MAX, 1, &v);
	ck_assert_uint_eq(v, 0x5a);
	ck_assert_uint_eq(p.off, 7);
	ck_assert_int_eq(bus_add(&b, UINT64_MAX, 1, &ops, &p), -EEXIST);
}
END_TEST

START_TEST(test_full)
{
	struct bus b = {0};
	struct probe p = {0};

	for (unsigned i = 0; i < BUS_MAX_WINDOWS; i++)
		ck_assert_int_eq(bus_add(&b, 16 * i, 16, &ops, &p), 0);
	ck_assert_int_eq(bus_add(&b, 0x10000, 16, &ops, &p), -ENOSPC);
}
END_TEST

UNIT_MAIN("bus", test_read, test_write, test_nobody_answers, test_overlap,
	  test_end_of_address_space, test_full)
