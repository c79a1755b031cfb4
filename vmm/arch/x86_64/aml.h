/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small writer of AML, the byte code of ACPI tables (ACPI 6.3, chapter 20), and of resource
 * descriptors (chapter 6.4).
 *
 * It appends to a caller's buffer and never past its end: the first write that doesn't fit sets
 * `full`, everything after it is dropped, and the caller looks once when done.
 *
 * Objects with a length are written between aml_begin_*() and aml_end(), which puts the length
 * in. Names are four characters, or a path of such segments joined by '.', absolute with a
 * leading '\'. A name of another shape is a programmer error (asserted).
 */
#ifndef AEROSTAT_ARCH_X86_64_AML_H
#define AEROSTAT_ARCH_X86_64_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t len, cap;
	bool full;
};

/* Local variables of a method, for the `local` arguments below. */
#define AML_LOCAL0 0

void aml_init(struct aml *a, void *buf, size_t cap);
void aml_raw(struct aml *a, const void *data, size_t len);
/* All integers in the shortest encoding. */
void aml_int(struct aml *a, uint64_t v);
void aml_string(struct aml *a, const char *s);
/* The 32-bit compressed EISA id of "PNP0501" and its like, as an integer. */
void aml_eisa_id(struct aml *a, const char *id);
void aml_name_string(struct aml *a, const char *name);

/* Name (name, <the one object written next>) */
void aml_name(struct aml *a, const char *name);

/* Each gives the mark that aml_end() takes. They nest. */
size_t aml_begin_scope(struct aml *a, const char *name);
size_t aml_begin_device(struct aml *a, const char *name);
size_t aml_begin_method(struct aml *a, const char *name, unsigned nargs, bool serialized);
/* `count` elements follow. */
size_t aml_begin_package(struct aml *a, uint8_t count);
/* If (local & mask) */
size_t aml_begin_if_bits(struct aml *a, unsigned local, uint64_t mask);
void aml_end(struct aml *a, size_t mark);

/* OperationRegion (region, SystemIO, port, 1) with a Field of one 8-bit unit named `field`. */
void aml_io_byte(struct aml *a, const char *region, uint16_t port, const char *field);
/* Local = name */
void aml_store_local(struct aml *a, const char *name, unsigned local);
/* Notify (name, value) */
void aml_notify(struct aml *a, const char *name, uint8_t value);

/* A resource template on its way into a _CRS. Zero-initialize. */
struct aml_res {
	uint8_t buf[64];
	size_t len;
};

/* Memory32Fixed (ReadWrite, base, len) */
void aml_res_mem32(struct aml_res *r, uint32_t base, uint32_t len);
/* IO (Decode16, base, base, 1, len) */
void aml_res_io(struct aml_res *r, uint16_t base, uint8_t len);
/* Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { gsi } */
void aml_res_edge_irq(struct aml_res *r, uint32_t gsi);
/* Name (_CRS, ResourceTemplate () { r }) */
void aml_crs(struct aml *a, const struct aml_res *r);

#endif
