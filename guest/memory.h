/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory filled with patterns, and the check that it still holds them. A word's pattern depends
 * on its page's address and on the block's seed, so that a page that was lost (zeroes), swapped
 * with another or brought back from an earlier use is told from the right one.
 */
#ifndef AEROSTAT_GUEST_MEMORY_H
#define AEROSTAT_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct block {
	void *addr;
	size_t len; /* bytes, a multiple of the page size */
	uint64_t seed;
};

struct wrong_word {
	uint64_t addr; /* virtual */
	uint64_t expected;
	uint64_t found;
};

/*
 * Map a block of fresh, untouched memory with a seed of its own. Children made by fork don't
 * inherit it, so unmapping it frees it. 0 or a negative errno; `len` is bytes.
 */
int block_map(struct block *b, size_t len);

/* Unmap it; a block that is not mapped is left alone. */
void block_unmap(struct block *b);

/* Fill the bytes from `from` (a multiple of the page size) to `to`, at most the block's end. */
void block_fill(const struct block *b, size_t from, size_t to);

/* 0, or -EIO with the first wrong word in `wrong`. */
int block_verify(const struct block *b, struct wrong_word *wrong);

/* The blocks that commands hold. `bytes` returns how much was filled, verified or released. */
int held_touch(size_t len);				    /* 0 or a negative errno */
int held_verify(uint64_t *bytes, struct wrong_word *wrong); /* 0 or -EIO */
void held_release(uint64_t *bytes);

/*
 * How many bytes can be filled so that `margin` bytes of what the kernel calls available are
 * left, page tables accounted for; 0 when there is less.
 */
size_t memory_fillable(size_t margin);

#endif
