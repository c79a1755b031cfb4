// SPDX-License-Identifier: Apache-2.0
/*
 * Give all of the pool to the balloon. Rounds go, with the other end of the serial line:
 *   touch every page; "ready"; wait for 'g'; "start"; inflate; "acked cycles=";
 *   wait for 'n'; deflate; "deflated cycles="; with verify=1 "verified zero= old= foreign="
 * The waits let a measuring program look at the host in between.
 */
#include "guest/flat/flat.h"

/* What a page holds before it is given away, in its first and last word. */
static uint64_t stamp(uint32_t pfn)
{
	return pfn * 0x9e3779b97f4a7c15ull | 1;
}

static void touch(const struct flat_pool *pool)
{
	for (uint32_t i = 0; i < pool->n; i++) {
		uint64_t *page = page_at(pool->pfn[i]);

		page[0] = page[511] = stamp(pool->pfn[i]);
	}
}

static void put_in_order(const struct flat_params *p, struct flat_pool *pool)
{
	uint64_t rng = p->seed ? p->seed : 1;
	uint32_t *pfn = pool->pfn;

	if (p->order == ORDER_DESCENDING) {
		for (uint32_t i = 0, j = pool->n - 1; i < j; i++, j--) {
			uint32_t t = pfn[i];

			pfn[i] = pfn[j];
			pfn[j] = t;
		}
	} else if (p->order == ORDER_SHUFFLED) {
		for (uint32_t i = pool->n - 1; i > 0; i--) {
			uint32_t j = random_below(&rng, i + 1), t = pfn[i];

			pfn[i] = pfn[j];
			pfn[j] = t;
		}
	}
}

static uint64_t send_all(unsigned queue, const struct flat_pool *pool)
{
	uint64_t start = cycles();

	for (uint32_t i = 0; i < pool->n; i += MESSAGE_PFNS) {
		uint32_t left = pool->n - i;

		balloon_send(queue, pool->pfn + i, left < MESSAGE_PFNS ? left : MESSAGE_PFNS);
	}
	return cycles() - start;
}

static void say_cycles(const char *what, uint64_t n)
{
	print(what);
	print_value("cycles", n);
	print("\n");
}

/* Pages come back as they were or as zeros; anything else is somebody else's data. */
static bool verify(const struct flat_pool *pool)
{
	uint64_t zero = 0, old = 0, foreign = 0;

	for (uint32_t i = 0; i < pool->n; i++) {
		const uint64_t *page = page_at(pool->pfn[i]);
		uint64_t was = stamp(pool->pfn[i]);

		if (!page[0] && !page[511])
			zero++;
		else if (page[0] == was && page[511] == was)
			old++;
		else
			foreign++;
	}
	print("flat: verified");
	print_value("zero", zero);
	print_value("old", old);
	print_value("foreign", foreign);
	print("\n");
	return !foreign;
}

unsigned bench(const struct flat_params *p, struct flat_pool *pool)
{
	bool good = true;

	for (uint64_t round = 0; round < p->loops && good; round++) {
		touch(pool);
		if (!round)
			put_in_order(p, pool);
		print("flat: ready\n");
		wait_for('g');
		print("flat: start\n");
		say_cycles("flat: acked", send_all(QUEUE_INFLATE, pool));
		balloon_actual(pool->n);
		wait_for('n');
		say_cycles("flat: deflated", send_all(QUEUE_DEFLATE, pool));
		balloon_actual(0);
		if (p->verify)
			good = verify(pool);
	}
	return good ? 0 : 1;
}
