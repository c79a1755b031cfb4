/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a flattened device tree (Devicetree Specification 0.4, chapter 5) from its root to
 * its last leaf: libfdt's sequential writer in a buffer of fixed size. The first error stays
 * and makes the rest do nothing, so that only dt_end_tree() has to be looked at.
 *
 * A node's properties come before its children. Addresses and sizes in "reg" take two cells
 * each, which dt_begin_tree() says of the root. One thread.
 */
#ifndef AEROSTAT_ARCH_FDT_DT_H
#define AEROSTAT_ARCH_FDT_DT_H

#include <stddef.h>
#include <stdint.h>

struct dt {
	void *buf;
	int error; /* libfdt's, negative; 0: none so far */
};

/* Start a tree in buf of len bytes, and its root node. */
void dt_begin_tree(struct dt *t, void *buf, size_t len);
/*
 * End the root node, finish. 0 and the tree's size in *len; -EFBIG: it doesn't fit; -EINVAL:
 * libfdt doesn't take what it was given, which is a mistake of the caller's.
 */
int dt_end_tree(struct dt *t, size_t *len);

void dt_begin(struct dt *t, const char *name);
/* "name@unit", unit in hexadecimal. */
void dt_begin_at(struct dt *t, const char *name, uint64_t unit);
void dt_end(struct dt *t);

void dt_flag(struct dt *t, const char *name); /* without a value */
void dt_u32(struct dt *t, const char *name, uint32_t value);
void dt_u64(struct dt *t, const char *name, uint64_t value);
void dt_bytes(struct dt *t, const char *name, const void *value, size_t len);
void dt_string(struct dt *t, const char *name, const char *value);

/* A list of strings: dt_strings(t, "compatible", "arm,psci-1.0", "arm,psci-0.2"). */
#define dt_strings(t, name, ...)                                                               \
	dt_string_list(t, name, (const char *const[]){__VA_ARGS__},                            \
		       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
void dt_string_list(struct dt *t, const char *name, const char *const *list, size_t n);

/* Cells of 32 bits: dt_cells(t, "interrupts", 0, 5, 1). */
#define dt_cells(t, name, ...)                                                                 \
	dt_cell_list(t, name, (const uint32_t[]){__VA_ARGS__},                                 \
		     sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define DT_CELLS_MAX 32
void dt_cell_list(struct dt *t, const char *name, const uint32_t *cells, size_t n);

/* "reg" with one window, or two. */
void dt_reg(struct dt *t, uint64_t base, uint64_t len);
void dt_reg2(struct dt *t, uint64_t base, uint64_t len, uint64_t base2, uint64_t len2);

#endif
