/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of device trees (Devicetree Specification 0.4, chapter 5), of what this guest needs:
 * properties of the root's children. Nothing outside the tree's own size is read.
 */
#ifndef AEROSTAT_GUEST_FLAT_KIMAGE_TREE_H
#define AEROSTAT_GUEST_FLAT_KIMAGE_TREE_H

#include <stdint.h>

/* 0: no tree. */
uint32_t tree_size(const void *tree);

/*
 * The value of a property of node number nth (from 0) of those that are called `node`, with an
 * address or without; *len has its bytes. NULL: there is none.
 */
const void *tree_property(const void *tree, const char *node, unsigned nth,
			  const char *property, uint32_t *len);

/* Big-endian numbers in a property. */
uint32_t tree_u32(const void *p);
uint64_t tree_u64(const void *p);

#endif
