// SPDX-License-Identifier: Apache-2.0
#include "devices/balloon/queues.h"

#include <stdbool.h>

#include "devices/balloon/balloon.h"

/* In the order of their numbers, which both ways keep. */
static const struct {
	enum balloon_vq vq;
	unsigned feature_bit;
} optional[] = {
	{BALLOON_VQ_STATS, BALLOON_F_BIT_STATS_VQ},
	{BALLOON_VQ_HINT, BALLOON_F_BIT_FREE_PAGE_HINT},
	{BALLOON_VQ_REPORTING, BALLOON_F_BIT_REPORTING},
};

#define NOPTIONAL (sizeof(optional) / sizeof(optional[0]))

/* Returns how many queues have a number, and are ready. */
static unsigned number_queues(uint64_t features, unsigned ready, bool compact,
			      uint8_t number[BALLOON_NVQ])
{
	unsigned next = BALLOON_VQ_STATS, n = 0;

	number[BALLOON_VQ_INFLATE] = BALLOON_VQ_INFLATE;
	number[BALLOON_VQ_DEFLATE] = BALLOON_VQ_DEFLATE;
	for (unsigned i = 0; i < NOPTIONAL; i++) {
		bool there = features >> optional[i].feature_bit & 1;
		unsigned q = compact ? next : optional[i].vq;

		number[optional[i].vq] = there ? (uint8_t)q : BALLOON_NO_QUEUE;
		next += there;
	}
	for (unsigned v = 0; v < BALLOON_NVQ; v++) {
		if (number[v] != BALLOON_NO_QUEUE && ready >> number[v] & 1)
			n++;
		else
			number[v] = BALLOON_NO_QUEUE;
	}
	return n;
}

void balloon_number_queues(uint64_t features, unsigned ready, uint8_t number[BALLOON_NVQ])
{
	uint8_t scratch[BALLOON_NVQ];
	unsigned compact = number_queues(features, ready, true, scratch);
	unsigned fixed = number_queues(features, ready, false, scratch);

	number_queues(features, ready, compact > fixed, number);
}
