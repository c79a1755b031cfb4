// SPDX-License-Identifier: Apache-2.0
/*
 * Answer to sessions of free page hints, as Linux does, and use the hinted pages again at any
 * moment: before the stop, after it, while the host discards. What is checked:
 *   - a page that is taken into use again keeps what is written to it, session or not;
 *   - so does one that was in use all the time;
 *   - one that is free holds what it held when it was hinted, or zeros.
 */
#include "guest/flat/flat.h"

#define BLOCK_PAGES 1024u /* 4 MiB, as Linux hints */
#define DONE	    1u
#define FIRST_ID    2u
#define LOOKS	    256u /* pages that are worked on between two looks at the id */

struct hinting {
	struct flat_check check;
	struct flat_pool *pool;
	const struct flat_params *p;
	uint64_t rng;
	uint64_t sessions, hinted, taken, rewritten;
};

static struct hinting state;

static uint32_t any_page(struct hinting *h)
{
	return random_below(&h->rng, h->pool->n);
}

/* What a guest does all the time: use free pages, free others, rewrite, read. */
static void work(struct hinting *h)
{
	uint32_t i = any_page(h);

	if (h->pool->mark[i] & PAGE_FREE) {
		if (random_below(&h->rng, 2))
			page_check_hinted(&h->check, i);
		page_write(&h->check, i);
		h->taken++;
	} else {
		page_verify(&h->check, i);
		if (random_below(&h->rng, 4))
			return;
		page_write(&h->check, i);
		h->rewritten++;
	}
}

static void zero_page(struct hinting *h, uint32_t i)
{
	uint64_t *page = page_at(h->pool->pfn[i]);

	for (uint64_t w = 0; w < PAGE_SIZE / 8; w++)
		page[w] = 0;
}

/* n pages from index i on, which are next to each other, are free from now on. */
static void hint_run(struct hinting *h, uint32_t i, uint32_t n)
{
	for (uint32_t k = i; k < i + n; k++) {
		if (!(h->pool->mark[k] & PAGE_FREE))
			page_verify(&h->check, k);
		if (h->p->zero)
			zero_page(h, k);
		h->pool->mark[k] |= PAGE_FREE;
	}
	balloon_hint((uint64_t)h->pool->pfn[i] << PAGE_SHIFT, n << PAGE_SHIFT);
	h->hinted += n;
}

/* Blocks of any size, from one end of memory to the other. */
static void hint_all(struct hinting *h)
{
	uint32_t i = 0;

	while (i < h->pool->n && !h->check.bad) {
		uint32_t n =
			1 + random_below(&h->rng, random_below(&h->rng, 2) ? 64 : BLOCK_PAGES);
		uint32_t k = 1;

		if (h->p->free > 90)
			n = BLOCK_PAGES;
		while (k < n && i + k < h->pool->n &&
		       h->pool->pfn[i + k] == h->pool->pfn[i] + k)
			k++;
		if (random_below(&h->rng, 100) < h->p->free)
			hint_run(h, i, k);
		if (!random_below(&h->rng, 8))
			work(h);
		i += k;
	}
}

/* False: the host wants to end. */
static bool await_session(struct hinting *h, uint32_t *id)
{
	uint32_t last = *id;

	do {
		for (unsigned k = 0; k < LOOKS && !h->check.bad; k++)
			work(h);
		*id = balloon_hint_id();
		if (!h->p->loops && came('n'))
			return false;
	} while ((*id < FIRST_ID || *id == last) && !h->check.bad);
	return true;
}

static void await_done(struct hinting *h)
{
	do {
		for (unsigned k = 0; k < LOOKS && !h->check.bad; k++)
			work(h);
	} while (balloon_hint_id() != DONE && !h->check.bad);
}

/* Free pages are free after DONE, too, but the next session begins with all in use. */
static void use_all(struct hinting *h)
{
	for (uint32_t i = 0; i < h->pool->n && !h->check.bad; i++) {
		if (h->pool->mark[i] & PAGE_FREE) {
			page_check_free(&h->check, i);
			page_write(&h->check, i);
		}
	}
}

static void say(const struct hinting *h, const char *what)
{
	print(what);
	print_value("sessions", h->sessions);
	print_value("hinted", h->hinted);
	print_value("taken", h->taken);
	print_value("rewritten", h->rewritten);
	print_value("zero", h->check.zero);
	print_value("verified", h->check.verified);
	print("\n");
}

unsigned hint(const struct flat_params *p, struct flat_pool *pool)
{
	struct hinting *h = &state;
	uint32_t id = 0;

	h->pool = pool;
	h->p = p;
	h->rng = pages_begin(&h->check, pool, p->seed);
	while (!h->check.bad && (!p->loops || h->sessions < p->loops) &&
	       await_session(h, &id)) {
		balloon_hint_command(id);
		hint_all(h);
		balloon_hint_command(0);
		await_done(h);
		h->sessions++;
		say(h, "flat: session");
		use_all(h);
	}
	pages_verify(&h->check);
	say(h, h->check.bad ? "flat: failed" : "flat: passed");
	return h->check.bad ? 1 : 0;
}
