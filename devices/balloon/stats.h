/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's memory statistics: parsing of the stats buffer (virtio 1.2, section 5.5.6.3). */
#ifndef AEROSTAT_DEVICES_BALLOON_STATS_H
#define AEROSTAT_DEVICES_BALLOON_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tags 0..9 are of virtio 1.2 and Linux 6.1, 10..15 of Linux 6.12
 * (include/uapi/linux/virtio_balloon.h).
 */
#define BALLOON_STATS_TAGS 16

struct balloon_stats {
	uint32_t present; /* bit t: value[t] was given */
	uint64_t value[BALLOON_STATS_TAGS];
	uint32_t unknown; /* entries with a tag we don't know */
};

/* Stable name of a tag ("swap-in", "free", ...). tag < BALLOON_STATS_TAGS (asserted). */
const char *balloon_stats_name(unsigned tag);

/* Is the tag's value in bytes (free, total, ...) or a count (faults, ...)? Likewise. */
bool balloon_stats_is_bytes(unsigned tag);

/*
 * Parse packed {le16 tag, le64 value} entries. Unknown tags are counted and skipped, a trailing
 * part of an entry is ignored, no more than BALLOON_STATS_MAX_ENTRIES are looked at; of a
 * repeated tag the last counts. buf is read once.
 */
#define BALLOON_STATS_ENTRY	  10 /* bytes */
#define BALLOON_STATS_MAX_ENTRIES 256
void balloon_stats_parse(struct balloon_stats *s, const void *buf, size_t len);

#endif
