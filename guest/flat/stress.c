// SPDX-License-Identifier: Apache-2.0
/*
 * Inflate, deflate and rewrite the same pages as fast as possible, and look at every byte.
 *
 * A page's mark is its generation, with the top bit while it is in the balloon. A page of the
 * guest holds the pattern of its number and generation, all 4096 bytes of it. What is checked:
 *   - what was written after a deflate (or a device reset) was acknowledged is never lost: each
 *     page is verified before it is given again, at random in between, and all of them now and
 *     then and at the end;
 *   - a page that comes back is as it was or zeros, never anything else.
 * Bursts are taken back at once, last page first, first page first or at random, so that
 * discards are still on their way.
 */
#include "guest/flat/flat.h"

#define IN_BALLOON  0x80000000u
#define BURST_MAX   8192u /* pages */
#define WORDS	    (PAGE_SIZE / 8)
#define FULL_ROUNDS 512u
#define LEAST	    64u /* rounds: a machine without time for them has tested nothing */

struct stress {
	struct flat_pool *pool;
	uint64_t rng;
	uint32_t ballooned;
	uint32_t burst[BURST_MAX]; /* indices of the pool */
	uint32_t nburst;
	uint64_t inflated, deflated, resets, verified, zero;
	bool bad;
};

static struct stress state;

/* The first word of a page's pattern; word w has w added. Never 0 in its upper half. */
static uint64_t pattern(uint32_t pfn, uint32_t generation)
{
	return ((uint64_t)pfn << 32 | generation) * 0x9e3779b97f4a7c15ull | 1ull << 63;
}

static void write_page(struct stress *s, uint32_t i)
{
	uint32_t pfn = s->pool->pfn[i];
	uint64_t *page = page_at(pfn);
	uint64_t v;

	s->pool->mark[i] = (s->pool->mark[i] + 1) & ~IN_BALLOON;
	v = pattern(pfn, s->pool->mark[i]);
	for (uint64_t w = 0; w < WORDS; w++)
		page[w] = v + w;
}

static void complain(struct stress *s, const char *what, uint32_t i, uint64_t w)
{
	uint64_t *word = page_at(s->pool->pfn[i]) + w;

	s->bad = true;
	print("flat: ");
	print(what);
	print_hex("address", (uint64_t)word);
	print_hex("pfn", s->pool->pfn[i]);
	print_value("generation", s->pool->mark[i] & ~IN_BALLOON);
	print_hex("found", *word);
	print_hex("expected", pattern(s->pool->pfn[i], s->pool->mark[i]) + w);
	print("\n");
}

static void verify_page(struct stress *s, uint32_t i)
{
	const volatile uint64_t *page = page_at(s->pool->pfn[i]);
	uint64_t v = pattern(s->pool->pfn[i], s->pool->mark[i]);

	s->verified++;
	for (uint64_t w = 0; w < WORDS; w++) {
		if (page[w] != v + w) {
			complain(s, "lost", i, w);
			return;
		}
	}
}

/* All of a page is one or the other: the host discards whole pages. */
static void check_returned(struct stress *s, uint32_t i)
{
	const volatile uint64_t *page = page_at(s->pool->pfn[i]);
	uint64_t v = page[0] ? pattern(s->pool->pfn[i], s->pool->mark[i] & ~IN_BALLOON) : 0;

	s->zero += !v;
	for (uint64_t w = 0; w < WORDS; w++) {
		if (page[w] != (v ? v + w : 0)) {
			complain(s, "foreign", i, w);
			return;
		}
	}
}

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
		if ((s->pool->mark[i] & IN_BALLOON) == in_balloon)
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
	for (uint32_t i = 0; i < s->nburst && !s->bad; i++)
		verify_page(s, s->burst[i]);
	for (uint32_t i = 0; i < s->nburst && !s->bad; i += MESSAGE_PFNS)
		send(s, QUEUE_INFLATE, i, message_at(s, i));
	for (uint32_t i = 0; i < s->nburst; i++)
		s->pool->mark[s->burst[i]] |= IN_BALLOON;
	s->ballooned += s->nburst;
	s->inflated += s->nburst;
}

/* Written as soon as the message is back: that is when a late discard would do its harm. */
static void deflate(struct stress *s)
{
	for (uint32_t i = 0; i < s->nburst && !s->bad; i += MESSAGE_PFNS) {
		uint32_t n = message_at(s, i);
		bool look = random_below(&s->rng, 2);

		send(s, QUEUE_DEFLATE, i, n);
		for (uint32_t j = i; j < i + n && !s->bad; j++) {
			if (look)
				check_returned(s, s->burst[j]);
			write_page(s, s->burst[j]);
		}
	}
	s->ballooned -= s->nburst;
	s->deflated += s->nburst;
}

static void verify_all(struct stress *s)
{
	for (uint32_t i = 0; i < s->pool->n && !s->bad; i++)
		if (!(s->pool->mark[i] & IN_BALLOON))
			verify_page(s, i);
}

/*
 * After a device reset every page is the guest's. Those given last are written first: discards
 * on their way are theirs.
 */
static void reset(struct stress *s)
{
	balloon_reset();
	for (uint32_t i = s->nburst; i-- > 0;)
		if (s->pool->mark[s->burst[i]] & IN_BALLOON)
			write_page(s, s->burst[i]);
	for (uint32_t i = 0; i < s->pool->n; i++)
		if (s->pool->mark[i] & IN_BALLOON)
			write_page(s, i);
	s->ballooned = 0;
	s->resets++;
	if (!balloon_start()) {
		print("flat: the balloon doesn't start again\n");
		s->bad = true;
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
		choose(s, IN_BALLOON);
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
		verify_all(s);
}

static void say(const struct stress *s, const char *what, uint64_t rounds)
{
	print(what);
	print_value("rounds", rounds);
	print_value("inflated", s->inflated);
	print_value("deflated", s->deflated);
	print_value("zero", s->zero);
	print_value("verified", s->verified);
	print_value("resets", s->resets);
	print("\n");
}

/* A guest doesn't know the rate of its only clock, so whoever runs it says when to end. */
unsigned stress(const struct flat_params *p, struct flat_pool *pool)
{
	struct stress *s = &state;
	uint64_t rounds = 0;

	s->pool = pool;
	s->rng = p->seed * 0x9e3779b97f4a7c15ull | 1;
	for (uint32_t i = 0; i < pool->n; i++) {
		pool->mark[i] = 0;
		write_page(s, i);
	}
	print("flat: start");
	print_value("seed", p->seed);
	print("\n");
	while (!s->bad && (p->loops ? rounds < p->loops : rounds < LEAST || !came('n'))) {
		round_of(s, rounds++);
		if (rounds % 4096 == 0)
			say(s, "flat: going", rounds);
	}
	verify_all(s);
	say(s, s->bad ? "flat: failed" : "flat: passed", rounds);
	return s->bad ? 1 : 0;
}
