// SPDX-License-Identifier: Apache-2.0
#include "devices/balloon/stats.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* By tag number. The unit follows what Linux's driver multiplies by the page size. */
static const struct {
	const char *name;
	bool bytes;
} tags[BALLOON_STATS_TAGS] = {
	{"swap-in", true},	     {"swap-out", true},    {"major-faults", false},
	{"minor-faults", false},     {"free", true},	    {"total", true},
	{"available", true},	     {"disk-caches", true}, {"hugetlb-allocations", false},
	{"hugetlb-failures", false}, {"oom-kills", false},  {"alloc-stalls", false},
	{"async-scan", true},	     {"direct-scan", true}, {"async-reclaim", true},
	{"direct-reclaim", true},
};

const char *balloon_stats_name(unsigned tag)
{
	assert(tag < BALLOON_STATS_TAGS);
	return tags[tag].name;
}

bool balloon_stats_is_bytes(unsigned tag)
{
	assert(tag < BALLOON_STATS_TAGS);
	return tags[tag].bytes;
}

void balloon_stats_parse(struct balloon_stats *s, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t n = len / BALLOON_STATS_ENTRY;

	if (n > BALLOON_STATS_MAX_ENTRIES)
		n = BALLOON_STATS_MAX_ENTRIES;
	memset(s, 0, sizeof(*s));
	for (; n; n--, p += BALLOON_STATS_ENTRY) {
		uint16_t tag;
		uint64_t value;

		memcpy(&tag, p, sizeof(tag));
		memcpy(&value, p + sizeof(tag), sizeof(value));
		tag = le16toh(tag);
		if (tag >= BALLOON_STATS_TAGS) {
			s->unknown++;
			continue;
		}
		s->present |= 1u << tag;
		s->value[tag] = le64toh(value);
	}
}
