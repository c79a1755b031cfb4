// SPDX-License-Identifier: Apache-2.0
/*
 * Break the rules, again and again, between messages that keep them. What is checked:
 *   - every breach sets DEVICE_NEEDS_RESET, and after a reset the device works again;
 *   - what is only refused, or ignored, leaves the device as it was;
 *   - no page loses what was written to it.
 */
#include "guest/flat/flat.h"

#define NEXT	 1u
#define WRITE	 2u
#define INDIRECT 4u

/* Places that the cases name instead of addresses: memory of ours, registers of the device. */
enum { OURS, DEVICE };

#define MAX_PFNS 65536u /* of a message */

#define BALLOON QUEUE_INFLATE /* or deflate */
#define HINT	QUEUE_HINT
#define REPORT	QUEUE_REPORT

struct breach {
	const char *name;
	unsigned queue;
	struct flat_desc desc[2];
	uint16_t head;
	uint16_t more; /* how far idx moves, beyond the 1 that is right */
};

#define NOWHERE (1ull << 50)
#define GIANT	0xfffff000u /* more than it has */

static const struct breach breaches[] = {
	{"head-outside", BALLOON, .desc = {{OURS, 4, 0, 0}}, .head = QUEUE_NUM},
	{"next-outside", BALLOON, .desc = {{OURS, 4, NEXT, QUEUE_NUM}}},
	{"loop", BALLOON, .desc = {{OURS, 4, NEXT, 1}, {OURS, 4, NEXT, 0}}},
	{"no-bytes", BALLOON, .desc = {{OURS, 0, 0, 0}}},
	{"outside-ram", BALLOON, .desc = {{NOWHERE, 4, 0, 0}}},
	{"wraps", BALLOON, .desc = {{-4ull, 8, 0, 0}}},
	{"device-registers", BALLOON, .desc = {{DEVICE, 4, 0, 0}}},
	{"second-outside", BALLOON, .desc = {{OURS, 4, NEXT, 1}, {NOWHERE, 4, 0, 0}}},
	{"writable", BALLOON, .desc = {{OURS, 4, WRITE, 0}}},
	{"readable-behind-writable", BALLOON,
	 .desc = {{OURS, 4, WRITE | NEXT, 1}, {OURS, 4, 0, 0}}},
	{"part-of-a-number", BALLOON, .desc = {{OURS, 6, 0, 0}}},
	{"too-long", BALLOON, .desc = {{OURS, (MAX_PFNS + 1) * 4, 0, 0}}},
	{"indirect", BALLOON, .desc = {{OURS, 16, INDIRECT, 0}}},
	{"too-many", BALLOON, .desc = {{OURS, 4, 0, 0}}, .more = QUEUE_NUM},
	{"backwards", BALLOON, .desc = {{OURS, 4, 0, 0}}, .more = (uint16_t)-2},

	{"hint-head-outside", HINT, .desc = {{OURS, 4, 0, 0}}, .head = QUEUE_NUM},
	{"hint-no-id", HINT, .desc = {{OURS, 5, 0, 0}}},
	{"hint-readable", HINT, .desc = {{OURS, PAGE_SIZE, 0, 0}}},
	{"hint-no-bytes", HINT, .desc = {{OURS, 0, WRITE, 0}}},
	{"hint-outside-ram", HINT, .desc = {{NOWHERE, PAGE_SIZE, WRITE, 0}}},
	{"hint-wraps", HINT, .desc = {{-PAGE_SIZE, 2 * PAGE_SIZE, WRITE, 0}}},
	{"hint-giant", HINT, .desc = {{OURS, GIANT, WRITE, 0}}},
	{"hint-device-registers", HINT, .desc = {{DEVICE, PAGE_SIZE, WRITE, 0}}},
	{"hint-id-and-block", HINT, .desc = {{OURS, 4, NEXT, 1}, {OURS, PAGE_SIZE, WRITE, 0}}},

	{"report-readable", REPORT, .desc = {{OURS, PAGE_SIZE, 0, 0}}},
	{"report-part-of-a-page", REPORT, .desc = {{OURS, 512, WRITE, 0}}},
	{"report-outside-ram", REPORT, .desc = {{NOWHERE, PAGE_SIZE, WRITE, 0}}},
	{"report-giant", REPORT, .desc = {{OURS, GIANT, WRITE, 0}}},
	{"report-device-registers", REPORT, .desc = {{DEVICE, PAGE_SIZE, WRITE, 0}}},
	{"report-second-outside", REPORT,
	 .desc = {{OURS, PAGE_SIZE, WRITE | NEXT, 1}, {NOWHERE, PAGE_SIZE, WRITE, 0}}},
};

#define BREACHES (sizeof(breaches) / sizeof(breaches[0]))

struct violating {
	struct flat_check check;
	struct flat_pool *pool;
	uint64_t rng;
	uint64_t breached, refusals, sessions;
	uint32_t at, n; /* pages that are worked on: indices of the pool */
};

static struct violating state;

static void choose(struct violating *v)
{
	v->n = 1 + random_below(&v->rng, MESSAGE_PFNS);
	v->at = random_below(&v->rng, v->pool->n - v->n);
}

static void give(struct violating *v)
{
	for (uint32_t i = v->at; i < v->at + v->n && !v->check.bad; i++) {
		page_verify(&v->check, i);
		v->pool->mark[i] |= PAGE_FREE;
	}
	balloon_send(QUEUE_INFLATE, v->pool->pfn + v->at, v->n);
}

static void use_again(struct violating *v, void (*check)(struct flat_check *, uint32_t))
{
	for (uint32_t i = v->at; i < v->at + v->n && !v->check.bad; i++) {
		check(&v->check, i);
		page_write(&v->check, i);
	}
}

static void complain(struct violating *v, const char *what, const char *name)
{
	print("flat: ");
	print(what);
	print(" ");
	print(name);
	print("\n");
	v->check.bad = true;
}

static void be_refused(struct violating *v)
{
	/* Ignored, and the message is answered. */
	static const uint32_t no_ram[] = {0xffffffff, 0x80000000};

	balloon_be_refused();
	v->refusals++;
	/* It would not answer. */
	if (balloon_broken()) {
		complain(v, "broken by", "what is refused");
		return;
	}
	balloon_send(random_below(&v->rng, 2), no_ram, 2);
}

/* The host asks now and then only: so, now and then, wait for it. */
static void stray(struct violating *v)
{
	const uint32_t *pfn = v->pool->pfn + v->at, in_use = pfn[v->n];
	const uint64_t start = cycles();
	const uint64_t patience = random_below(&v->rng, 8) ? 0 : 50 * cycles_per_ms();

	stray_outside(in_use);
	do {
		if (stray_session(&v->rng, pfn, v->n, in_use)) {
			if (!v->sessions++)
				print("flat: session\n");
			return;
		}
	} while (cycles() - start < patience);
}

static uint64_t place(const struct violating *v, uint64_t addr)
{
	switch (addr) {
	case OURS:
		return (uint64_t)v->pool->pfn[0] << PAGE_SHIFT;
	case DEVICE:
		return balloon_address();
	default:
		return addr;
	}
}

static void breach(struct violating *v, const struct breach *b)
{
	const uint64_t start = cycles(), enough = 10000 * cycles_per_ms();
	struct flat_desc desc[2] = {b->desc[0], b->desc[1]};

	desc[0].addr = place(v, desc[0].addr);
	desc[1].addr = place(v, desc[1].addr);
	balloon_breach(b->queue == BALLOON ? random_below(&v->rng, 2) : b->queue, desc, b->head,
		       (uint16_t)(1 + b->more));
	while (!balloon_broken()) {
		if (cycles() - start > enough) {
			complain(v, "accepted", b->name);
			return;
		}
		relax();
	}
	v->breached++;
	balloon_reset();
	if (!balloon_start(BALLOON_HINTS | BALLOON_REPORTS))
		complain(v, "doesn't start again after", b->name);
}

static void round_of(struct violating *v, const struct breach *b)
{
	bool in_balloon = random_below(&v->rng, 2);

	choose(v);
	give(v);
	if (!v->check.bad)
		stray(v);
	be_refused(v);
	if (v->check.bad)
		return;
	if (!in_balloon) {
		balloon_send(QUEUE_DEFLATE, v->pool->pfn + v->at, v->n);
		/* They were hinted, too, and may still go. */
		use_again(v, page_check_hinted);
	}
	breach(v, b);
	if (in_balloon)
		use_again(v, page_check_free);
}

static void say(const struct violating *v, const char *what, uint64_t rounds)
{
	print(what);
	print_value("rounds", rounds);
	print_value("breaches", v->breached);
	print_value("refusals", v->refusals);
	print_value("sessions", v->sessions);
	print_value("zero", v->check.zero);
	print_value("verified", v->check.verified);
	print("\n");
}

unsigned violate(const struct flat_params *p, struct flat_pool *pool)
{
	struct violating *v = &state;
	uint64_t rounds = 0;

	v->pool = pool;
	v->rng = pages_begin(&v->check, pool, p->seed);
	while (!v->check.bad &&
	       (p->loops ? rounds < p->loops : rounds < BREACHES || !came('n')))
		round_of(v, &breaches[rounds++ % BREACHES]);
	pages_verify(&v->check);
	say(v, v->check.bad ? "flat: failed" : "flat: passed", rounds);
	return v->check.bad ? 1 : 0;
}
