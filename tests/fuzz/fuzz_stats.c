// SPDX-License-Identifier: Apache-2.0
/* Statistics buffers: any bytes, against a parser that works byte by byte. */
#include <stdlib.h>
#include <string.h>

#include "devices/balloon/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t number(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static void check(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct balloon_stats s, want = {0};
	size_t n = size / BALLOON_STATS_ENTRY;

	memset(&s, 0xee, sizeof(s));
	balloon_stats_parse(&s, data, size);
	for (size_t i = 0; i < n && i < BALLOON_STATS_MAX_ENTRIES; i++) {
		uint64_t tag = number(data + i * BALLOON_STATS_ENTRY, 2);

		if (tag >= BALLOON_STATS_TAGS) {
			want.unknown++;
			continue;
		}
		want.present |= 1u << tag;
		want.value[tag] = number(data + i * BALLOON_STATS_ENTRY + 2, 8);
	}
	check(s.present == want.present && s.unknown == want.unknown);
	for (unsigned i = 0; i < BALLOON_STATS_TAGS; i++)
		check(!(s.present >> i & 1) || s.value[i] == want.value[i]);
	return 0;
}
