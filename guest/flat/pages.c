// SPDX-License-Identifier: Apache-2.0
/* A page holds a pattern of its number and its generation, all 4096 bytes of it. */
#include "guest/flat/flat.h"

#define WORDS (PAGE_SIZE / 8)

/* The first word of a page's pattern; word w has w added. Never 0 in its upper half. */
static uint64_t pattern(const struct flat_check *c, uint32_t i)
{
	uint64_t generation = c->pool->mark[i] & ~PAGE_FREE;

	return ((uint64_t)c->pool->pfn[i] << 32 | generation) * 0x9e3779b97f4a7c15ull |
	       1ull << 63;
}

void page_write(struct flat_check *c, uint32_t i)
{
	uint64_t *page = page_at(c->pool->pfn[i]);
	uint64_t v;

	c->pool->mark[i] = (c->pool->mark[i] + 1) & ~PAGE_FREE;
	v = pattern(c, i);
	for (uint64_t w = 0; w < WORDS; w++)
		page[w] = v + w;
}

uint64_t pages_begin(struct flat_check *c, struct flat_pool *pool, uint64_t seed)
{
	c->pool = pool;
	for (uint32_t i = 0; i < pool->n; i++) {
		pool->mark[i] = 0;
		page_write(c, i);
	}
	print("flat: start");
	print_value("seed", seed);
	print("\n");
	return seed * 0x9e3779b97f4a7c15ull | 1;
}

static void complain(struct flat_check *c, const char *what, uint32_t i, uint64_t w,
		     uint64_t expected)
{
	uint64_t *word = page_at(c->pool->pfn[i]) + w;

	c->bad = true;
	print("flat: ");
	print(what);
	print_hex("address", (uint64_t)word);
	print_hex("pfn", c->pool->pfn[i]);
	print_value("generation", c->pool->mark[i] & ~PAGE_FREE);
	print_hex("found", *word);
	print_hex("expected", expected);
	print("\n");
}

/* The first word of page i that isn't v's; WORDS if all are. A v of 0 is zeros. */
static uint64_t first_other(const struct flat_check *c, uint32_t i, uint64_t v)
{
	const volatile uint64_t *page = page_at(c->pool->pfn[i]);
	uint64_t w = 0;

	while (w < WORDS && page[w] == (v ? v + w : 0))
		w++;
	return w;
}

static void expect(struct flat_check *c, const char *what, uint32_t i, uint64_t v)
{
	uint64_t w = first_other(c, i, v);

	if (w < WORDS)
		complain(c, what, i, w, v ? v + w : 0);
}

void page_verify(struct flat_check *c, uint32_t i)
{
	c->verified++;
	expect(c, "lost", i, pattern(c, i));
}

/* All of a page is one or the other: the host discards whole pages. */
void page_check_free(struct flat_check *c, uint32_t i)
{
	const volatile uint64_t *page = page_at(c->pool->pfn[i]);
	uint64_t v = page[0] ? pattern(c, i) : 0;

	c->zero += !v;
	expect(c, "foreign", i, v);
}

/* Discarded halfway, it's all zeros when it is read again. */
void page_check_hinted(struct flat_check *c, uint32_t i)
{
	if (first_other(c, i, pattern(c, i)) < WORDS)
		page_check_free(c, i);
}

void pages_verify(struct flat_check *c)
{
	for (uint32_t i = 0; i < c->pool->n && !c->bad; i++)
		if (!(c->pool->mark[i] & PAGE_FREE))
			page_verify(c, i);
}
