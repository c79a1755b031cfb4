// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/aml.h"

#include <assert.h>
#include <string.h>

/* ACPI 6.3, 20.2: the opcodes that we use. */
enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_QWORD = 0x0e,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_METHOD = 0x14,
	AML_DUAL_NAME = 0x2e,
	AML_MULTI_NAME = 0x2f,
	AML_EXT = 0x5b, /* prefix of the next three */
	AML_EXT_REGION = 0x80,
	AML_EXT_FIELD = 0x81,
	AML_EXT_DEVICE = 0x82,
	AML_LOCAL = 0x60,
	AML_STORE = 0x70,
	AML_AND = 0x7b,
	AML_NOTIFY = 0x86,
	AML_IF = 0xa0,
};

#define REGION_SYSTEM_IO  0x01
#define FIELD_BYTE_ACCESS 0x01
#define METHOD_SERIALIZED 0x08

void aml_init(struct aml *a, void *buf, size_t cap)
{
	*a = (struct aml){.buf = buf, .cap = cap};
}

void aml_raw(struct aml *a, const void *data, size_t len)
{
	if (a->full || len > a->cap - a->len) {
		a->full = true;
		return;
	}
	memcpy(a->buf + a->len, data, len);
	a->len += len;
}

static void put_byte(struct aml *a, uint8_t b)
{
	aml_raw(a, &b, 1);
}

static void put_le(struct aml *a, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		put_byte(a, (uint8_t)(v >> (8 * i)));
}

void aml_int(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		put_byte(a, v ? AML_ONE : AML_ZERO);
	} else if (v <= UINT8_MAX) {
		put_byte(a, AML_BYTE);
		put_le(a, v, 1);
	} else if (v <= UINT16_MAX) {
		put_byte(a, AML_WORD);
		put_le(a, v, 2);
	} else if (v <= UINT32_MAX) {
		put_byte(a, AML_DWORD);
		put_le(a, v, 4);
	} else {
		put_byte(a, AML_QWORD);
		put_le(a, v, 8);
	}
}

void aml_string(struct aml *a, const char *s)
{
	put_byte(a, AML_STRING);
	aml_raw(a, s, strlen(s) + 1);
}

static unsigned hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *p = c ? strchr(digits, c) : NULL;

	assert(p);
	return (unsigned)(p - digits);
}

/* 6.1.5: three letters of five bits each, then four hexadecimal digits, big endian. */
void aml_eisa_id(struct aml *a, const char *id)
{
	uint32_t v = 0;

	assert(strlen(id) == 7);
	for (int i = 0; i < 3; i++) {
		assert(id[i] >= 'A' && id[i] <= 'Z');
		v = v << 5 | (uint32_t)(id[i] - 'A' + 1);
	}
	for (int i = 3; i < 7; i++)
		v = v << 4 | hex_digit(id[i]);
	put_byte(a, AML_DWORD);
	put_le(a, __builtin_bswap32(v), 4);
}

void aml_name_string(struct aml *a, const char *name)
{
	size_t len, segments;

	if (*name == '\\') {
		put_byte(a, '\\');
		name++;
	}
	len = strlen(name);
	assert((len + 1) % 5 == 0);
	segments = (len + 1) / 5;
	assert(segments >= 1 && segments <= UINT8_MAX);
	if (segments == 2) {
		put_byte(a, AML_DUAL_NAME);
	} else if (segments > 2) {
		put_byte(a, AML_MULTI_NAME);
		put_byte(a, (uint8_t)segments);
	}
	for (size_t i = 0; i < segments; i++, name += 5) {
		assert(!memchr(name, '.', 4) && (name[4] == '.' || !name[4]));
		aml_raw(a, name, 4);
	}
}

void aml_name(struct aml *a, const char *name)
{
	put_byte(a, AML_NAME);
	aml_name_string(a, name);
}

/*
 * 20.2.4: a length counts its own bytes. Up to 63 it is one byte; else the two high bits of the
 * first say how many follow, its low four are the lowest, and each that follows is worth 8
 * more.
 */
static unsigned encode_pkg_length(size_t content, uint8_t out[4])
{
	unsigned n = 1;

	if (content + 1 > 0x3f) {
		for (n = 2; content + n >= (size_t)1 << (4 + 8 * (n - 1)); n++)
			assert(n < 4);
	}
	content += n;
	if (n == 1) {
		out[0] = (uint8_t)content;
		return n;
	}
	out[0] = (uint8_t)((n - 1) << 6 | (content & 0x0f));
	for (unsigned i = 1; i < n; i++)
		out[i] = (uint8_t)(content >> (4 + 8 * (i - 1)));
	return n;
}

/* The length is inserted when the content is complete, so it takes no more bytes than needed.
 */
void aml_end(struct aml *a, size_t mark)
{
	uint8_t enc[4];
	size_t content;
	unsigned n;

	if (a->full)
		return;
	assert(mark <= a->len);
	content = a->len - mark;
	n = encode_pkg_length(content, enc);
	if (n > a->cap - a->len) {
		a->full = true;
		return;
	}
	memmove(a->buf + mark + n, a->buf + mark, content);
	memcpy(a->buf + mark, enc, n);
	a->len += n;
}

size_t aml_begin_scope(struct aml *a, const char *name)
{
	size_t mark;

	put_byte(a, AML_SCOPE);
	mark = a->len;
	aml_name_string(a, name);
	return mark;
}

size_t aml_begin_device(struct aml *a, const char *name)
{
	size_t mark;

	put_byte(a, AML_EXT);
	put_byte(a, AML_EXT_DEVICE);
	mark = a->len;
	aml_name_string(a, name);
	return mark;
}

size_t aml_begin_method(struct aml *a, const char *name, unsigned nargs, bool serialized)
{
	size_t mark;

	assert(nargs <= 7);
	put_byte(a, AML_METHOD);
	mark = a->len;
	aml_name_string(a, name);
	put_byte(a, (uint8_t)(nargs | (serialized ? METHOD_SERIALIZED : 0)));
	return mark;
}

size_t aml_begin_package(struct aml *a, uint8_t count)
{
	size_t mark;

	put_byte(a, AML_PACKAGE);
	mark = a->len;
	put_byte(a, count);
	return mark;
}

static void put_local(struct aml *a, unsigned local)
{
	assert(local <= 7);
	put_byte(a, (uint8_t)(AML_LOCAL + local));
}

size_t aml_begin_if_bits(struct aml *a, unsigned local, uint64_t mask)
{
	size_t mark;

	put_byte(a, AML_IF);
	mark = a->len;
	put_byte(a, AML_AND);
	put_local(a, local);
	aml_int(a, mask);
	put_byte(a, AML_ZERO); /* the result goes nowhere else */
	return mark;
}

void aml_io_byte(struct aml *a, const char *region, uint16_t port, const char *field)
{
	size_t mark;

	put_byte(a, AML_EXT);
	put_byte(a, AML_EXT_REGION);
	aml_name_string(a, region);
	put_byte(a, REGION_SYSTEM_IO);
	aml_int(a, port);
	aml_int(a, 1);

	put_byte(a, AML_EXT);
	put_byte(a, AML_EXT_FIELD);
	mark = a->len;
	aml_name_string(a, region);
	put_byte(a, FIELD_BYTE_ACCESS);
	aml_name_string(a, field);
	put_byte(a, 8); /* bits, encoded as a package length */
	aml_end(a, mark);
}

void aml_store_local(struct aml *a, const char *name, unsigned local)
{
	put_byte(a, AML_STORE);
	aml_name_string(a, name);
	put_local(a, local);
}

void aml_notify(struct aml *a, const char *name, uint8_t value)
{
	put_byte(a, AML_NOTIFY);
	aml_name_string(a, name);
	aml_int(a, value);
}

/* ---- resource descriptors ---- */

static void res_put(struct aml_res *r, const void *data, size_t len)
{
	assert(len <= sizeof(r->buf) - r->len);
	memcpy(r->buf + r->len, data, len);
	r->len += len;
}

static void res_put_le(struct aml_res *r, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++) {
		uint8_t b = (uint8_t)(v >> (8 * i));

		res_put(r, &b, 1);
	}
}

/* 6.4.3.4 */
void aml_res_mem32(struct aml_res *r, uint32_t base, uint32_t len)
{
	res_put_le(r, 0x86, 1);
	res_put_le(r, 9, 2);
	res_put_le(r, 1, 1); /* read and write */
	res_put_le(r, base, 4);
	res_put_le(r, len, 4);
}

/* 6.4.2.5 */
void aml_res_io(struct aml_res *r, uint16_t base, uint8_t len)
{
	res_put_le(r, 0x47, 1);
	res_put_le(r, 1, 1); /* 16 address lines */
	res_put_le(r, base, 2);
	res_put_le(r, base, 2);
	res_put_le(r, 1, 1); /* alignment */
	res_put_le(r, len, 1);
}

/* 6.4.3.6; bit 0 consumer, bit 1 edge, bit 2 active low, bit 3 shared */
void aml_res_edge_irq(struct aml_res *r, uint32_t gsi)
{
	res_put_le(r, 0x89, 1);
	res_put_le(r, 6, 2);
	res_put_le(r, 0x03, 1);
	res_put_le(r, 1, 1); /* one interrupt */
	res_put_le(r, gsi, 4);
}

void aml_crs(struct aml *a, const struct aml_res *r)
{
	static const uint8_t end_tag[2] = {0x79, 0}; /* 6.4.2.9; checksum 0: not used */
	size_t mark;

	aml_name(a, "_CRS");
	put_byte(a, AML_BUFFER);
	mark = a->len;
	aml_int(a, r->len + sizeof(end_tag));
	aml_raw(a, r->buf, r->len);
	aml_raw(a, end_tag, sizeof(end_tag));
	aml_end(a, mark);
}
