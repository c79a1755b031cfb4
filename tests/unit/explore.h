/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of states for a breadth-first search: each state is `size` bytes, known by its number
 * in the order of discovery, with where it was first come from and by which action.
 *
 *   explore_add(&e, &initial, 0, 0);
 *   for (i = 0; i < e.n; i++)
 *           for each action: next = act(explore_state(&e, i)); explore_add(&e, &next, i,
 * action);
 *
 * States are compared as bytes: padding must be zero. Asserts when out of memory.
 */
#ifndef AEROSTAT_TESTS_EXPLORE_H
#define AEROSTAT_TESTS_EXPLORE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct explore {
	size_t size;
	uint32_t n, cap;
	uint8_t *states;
	uint32_t *from;
	uint16_t *by;
	uint32_t *slot;	 /* hash table: number + 1, or 0 */
	uint32_t nslots; /* a power of two, at least 2 * cap */
};

static inline void *explore_state(const struct explore *e, uint32_t i)
{
	return e->states + i * e->size;
}

static inline uint64_t explore_hash(const uint8_t *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h ^ h >> 29;
}

/* The slot of this state, or the empty one where it belongs. */
static inline uint32_t *explore_find(const struct explore *e, const void *state)
{
	uint32_t at = (uint32_t)explore_hash(state, e->size) & (e->nslots - 1);

	while (e->slot[at] && memcmp(explore_state(e, e->slot[at] - 1), state, e->size) != 0)
		at = (at + 1) & (e->nslots - 1);
	return &e->slot[at];
}

static inline void explore_grow(struct explore *e)
{
	e->cap = e->cap ? 2 * e->cap : 1024;
	e->states = realloc(e->states, e->cap * e->size);
	e->from = realloc(e->from, e->cap * sizeof(*e->from));
	e->by = realloc(e->by, e->cap * sizeof(*e->by));
	free(e->slot);
	e->nslots = 2 * e->cap;
	e->slot = calloc(e->nslots, sizeof(*e->slot));
	assert(e->states && e->from && e->by && e->slot);
	for (uint32_t i = 0; i < e->n; i++)
		*explore_find(e, explore_state(e, i)) = i + 1;
}

/* True: it's a new one. */
static inline bool explore_add(struct explore *e, const void *state, uint32_t from, uint16_t by)
{
	uint32_t *slot;

	if (e->n == e->cap)
		explore_grow(e);
	slot = explore_find(e, state);
	if (*slot)
		return false;
	memcpy(explore_state(e, e->n), state, e->size);
	e->from[e->n] = from;
	e->by[e->n] = by;
	*slot = ++e->n;
	return true;
}

static inline void explore_fini(struct explore *e)
{
	free(e->states);
	free(e->from);
	free(e->by);
	free(e->slot);
}

#endif
