// SPDX-License-Identifier: Apache-2.0
#include "guest/flat/flat.h"

void flat_main(uint64_t boot);

/* The value of a word "key=value" of text, or NULL. */
static const char *value_of(const char *text, const char *key)
{
	while (*text) {
		const char *t = text, *k = key;

		while (*k && *t == *k)
			t++, k++;
		if (!*k && *t == '=')
			return t + 1;
		while (*text && *text != ' ')
			text++;
		while (*text == ' ')
			text++;
	}
	return NULL;
}

static uint64_t number(const char *cmdline, const char *key, uint64_t otherwise)
{
	const char *p = value_of(cmdline, key);
	uint64_t v = 0;

	if (!p)
		return otherwise;
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	return v;
}

/* Choices are told apart by their first letter. */
static char letter(const char *cmdline, const char *key)
{
	const char *p = value_of(cmdline, key);

	return p ? *p : 0;
}

/* The queues that a mode uses beside the first two. */
static unsigned extras(char mode)
{
	switch (mode) {
	case 'h':
		return BALLOON_HINTS;
	case 'v':
		return BALLOON_HINTS | BALLOON_REPORTS;
	default:
		return 0;
	}
}

void flat_main(uint64_t boot)
{
	const char *cmdline = machine_init(boot);
	struct flat_params p = {
		.mode = letter(cmdline, "mode"),
		.verify = number(cmdline, "verify", 0),
		.zero = number(cmdline, "zero", 0),
		.free = number(cmdline, "free", 50),
		.size = number(cmdline, "size", 0),
		.loops = number(cmdline, "loops", 1),
		.seed = number(cmdline, "seed", 1),
	};
	struct flat_pool pool;

	if (letter(cmdline, "order") == 'd')
		p.order = ORDER_DESCENDING;
	else if (letter(cmdline, "order") == 's')
		p.order = ORDER_SHUFFLED;
	console_init();
	pool_init(&pool, p.size);
	print("flat: begin");
	print_value("pages", pool.n);
	print_value("from", (uint64_t)pool.pfn[0] << PAGE_SHIFT);
	print("\n");
	if (!balloon_find() || !balloon_start(extras(p.mode))) {
		print("flat: no balloon\n");
		power_off(2);
	}
	switch (p.mode) {
	case 's':
		power_off(stress(&p, &pool));
	case 'v':
		power_off(violate(&p, &pool));
	case 'h':
		power_off(hint(&p, &pool));
	default:
		power_off(bench(&p, &pool));
	}
}
