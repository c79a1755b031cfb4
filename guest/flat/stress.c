// SPDX-License-Identifier: Apache-2.0
/*
 * Inflate, deflate and rewrite the same pages as fast as possible, and look at every byte.
 *
 * A page is free (see pages.c) while it is in the balloon. What is checked:
 *   - what was written after a deflate (or a device reset) was acknowledged is never lost: each
 *     page is verified before it is given again, at random in between, and all of them now and
 *     then and at the end;
 *   - a page that comes back is as it was or zeros, never anything else.
 * Bursts are taken back at once, last page first, first page first or at random, so that
 * discards are still on their way.
 */
#include "guest/flat/flat.h"

#define BURST_MAX   8192u /* pages */
#define FULL_ROUNDS 512u
#define LEAST	    64u /* rounds: a machine without time for them has tested nothing */

struct stress {
	struct flat_check check;
	struct flat_pool *pool;
	uint64_t rng;
	uint32_t ballooned;
	uint32_t burst[BURST_MAX]; /* indices of the pool */
	uint32_t nburst;
	uint64_t inflated, deflated, resets;
};

static struct stress state;

/* ---- choosing pages ---- */

static void shuffle(struct stress *s)
{
	for (uint32_t i = s->nburst; i > 1; i--) {
		uint32_t j = random_below(&s->rng, i), t = s->burst[i - 1];

		s->burst[i - 1] = s->burst[j];
		s->burst[j] = t;
	}
}

static void reverse(struct stress *s)
{
	for (uint32_t i = 0, j = s->nburst; i + 1 < j; i++) {
		uint32_t t = s->burst[i];

		s->burst[i] = s->burst[--j];
		s->burst[j] = t;
	}
}

static void reorder(struct stress *s)
{
	switch (random_below(&s->rng, 4)) {
	case 0:
		shuffle(s);
		break;
	case 1:
		reverse(s);
		break;
	}
}

/* Up to BURST_MAX pages in this state: a run from a random place on, or scattered ones. */
static void choose(struct stress *s, uint32_t in_balloon)
{
	uint32_t want = 1 + random_below(&s->rng, 1u << random_below(&s->rng, 14));
	uint32_t at = random_below(&s->rng, s->pool->n);
	uint32_t step = random_below(&s->rng, 4) ? 1 : 1 + random_below(&s->rng, 600);

	s->nburst = 0;
	for (uint32_t i = at; i < s->pool->n && s->nburst < want; i += step)
		if ((s->pool->mark[i] & PAGE_FREE) == in_balloon)
			s->burst[s->nburst++] = i;
	reorder(s);
}

/* ---- the operations ---- */

static void send(struct stress *s, unsigned queue, uint32_t from, uint32_t n)
{
	uint32_t pfn[MESSAGE_PFNS];

	for (uint32_t i = 0; i < n; i++)
		pfn[i] = s->pool->pfn[s->burst[from + i]];
	balloon_send(queue, pfn, n);
}

static uint32_t message_at(const struct stress *s, uint32_t from)
{
	return s->nburst - from < MESSAGE_PFNS ? s->nburst - from : MESSAGE_PFNS;
}

static void inflate(struct stress *s)
{
	for (uint32_t i = 0; i < s->nburst && !s->check.bad; i++)
		page_verify(&s->check, s->burst[i]);
	for (uint32_t i = 0; i < s->nburst && !s->check.bad; i += MESSAGE_PFNS)
		send(s, QUEUE_INFLATE, i, message_at(s, i));
	for (uint32_t i = 0; i < s->nburst; i++)
		s->pool->mark[s->burst[i]] |= PAGE_FREE;
	s->ballooned += s->nburst;
	s->inflated += s->nburst;
}

/* Written as soon as the message is back: that is when a late discard would do its harm. */
static void deflate(struct stress *s)
{
	for (uint32_t i = 0; i < s->nburst && !s->check.bad; i += MESSAGE_PFNS) {
		uint32_t n = message_at(s, i);
		bool look = random_below(&s->rng, 2);

		send(s, QUEUE_DEFLATE, i, n);
		for (uint32_t j = i; j < i + n && !s->check.bad; j++) {
			if (look)
				page_check_free(&s->check, s->burst[j]);
			page_write(&s->check, s->burst[j]);
		}
	}
	s->ballooned -= s->nburst;
	s->deflated += s->nburst;
}

/*
 * After a device reset every page is the guest's. Those given last are written first: discards
 * on their way are theirs.
 */
static void reset(struct stress *s)
{
	balloon_reset();
	for (uint32_t i = s->nburst; i-- > 0;)
		if (s->pool->mark[s->burst[i]] & PAGE_FREE)
			page_write(&s->check, s->burst[i]);
	for (uint32_t i = 0; i < s->pool->n; i++)
		if (s->pool->mark[i] & PAGE_FREE)
			page_write(&s->check, i);
	s->ballooned = 0;
	s->resets++;
	if (!balloon_start(0)) {
		print("flat: the balloon doesn't start again\n");
		s->check.bad = true;
	}
}

/* What was given is mostly taken back at once, all or a part, in the same order or another. */
static void take_back(struct stress *s)
{
	if (!s->nburst)
		return;
	if (random_below(&s->rng, 2))
		reorder(s);
	s->nburst = 1 + random_below(&s->rng, s->nburst);
	deflate(s);
}

static void round_of(struct stress *s, uint64_t n)
{
	if (random_below(&s->rng, s->pool->n) < s->ballooned) {
		choose(s, PAGE_FREE);
		deflate(s);
	} else {
		choose(s, 0);
		inflate(s);
		if (!random_below(&s->rng, 64))
			reset(s);
		else if (random_below(&s->rng, 4))
			take_back(s);
	}
	if (n % FULL_ROUNDS == FULL_ROUNDS - 1)
		pages_verify(&s->check);
}

static void say(const struct stress *s, const char *what, uint64_t rounds)
{
	print(what);
	print_value("rounds", rounds);
	print_value("inflated", s->inflated);
	print_value("deflated", s->deflated);
	print_value("zero", s->check.zero);
	print_value("verified", s->check.verified);
	print_value("resets", s->resets);
	print("\n");
}

/* A guest doesn't know the rate of its only clock, so whoever runs it says when to end. */
unsigned stress(const struct flat_params *p, struct flat_pool *pool)
{
	struct stress *s = &state;
	uint64_t rounds = 0;

	s->pool = pool;
	s->rng = pages_begin(&s->check, pool, p->seed);
	while (!s->check.bad && (p->loops ? rounds < p->loops : rounds < LEAST || !came('n'))) {
		round_of(s, rounds++);
		if (rounds % 4096 == 0)
			say(s, "flat: going", rounds);
	}
	pages_verify(&s->check);
	say(s, s->check.bad ? "flat: failed" : "flat: passed", rounds);
	return s->check.bad ? 1 : 0;
}
