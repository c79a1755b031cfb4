/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the balloon share:
 *
 *   balloon.c         life cycle, target, status
 *   balloon_config.c  configuration space; when the guest lowers the target
 *   balloon_pages.c   inflate and deflate queues
 *   balloon_stats.c   statistics queue
 *   stats.c           parsing of a statistics buffer
 *
 * Everything here is under the lock of dev, which the caller holds.
 */
#ifndef AEROSTAT_DEVICES_BALLOON_INTERNAL_H
#define AEROSTAT_DEVICES_BALLOON_INTERNAL_H

#include <stddef.h>

#include "devices/balloon/balloon.h"

/*
 * Linux has one message in flight; others a few. Small, because a kick is answered as a whole
 * while the lock is held: at most BALLOON_QUEUE_SIZE chains of BALLOON_MAX_PFNS pages.
 */
#define BALLOON_QUEUE_SIZE 32

struct balloon {
	struct virtio_device dev;
	struct virtqueue vq[BALLOON_NVQ];
	struct reclaim *reclaim;
	bool populate; /* pages given back are populated before the guest is answered */

	/* Configuration space, in pages of 4 KiB. */
	uint32_t num_pages; /* the target */
	uint32_t actual;    /* what the driver wrote, any number */
	uint32_t seen;	    /* the target as the driver last read it */
	bool emptied;	    /* see balloon_config.c */

	bool asked;	      /* there was a target, ever */
	uint64_t target_ns;   /* when the target or the driver changed */
	uint64_t progress_ns; /* when actual or the tracker changed; 0: never */
	uint64_t oom_deflates, inflate_msgs, deflate_msgs;
	struct log_limit log;

	int change_fd;
	bool change_signalled;

	/* Statistics. */
	bool stats_held;     /* a buffer of the driver's waits with us */
	uint16_t stats_head; /* which */
	struct balloon_stats stats;
	uint64_t stats_ns; /* when they came; 0: not yet */
	uint64_t stats_seq;
	uint32_t stats_interval;
};

static inline struct balloon *balloon_of(const struct virtio_device *dev)
{
	return (struct balloon *)((char *)dev - offsetof(struct balloon, dev));
}

/* balloon.c: pages the tracker knows to be given. */
uint64_t balloon_pages(const struct balloon *b);

/* balloon.c: `actual` is now `pages`; note progress and tell the owner if that's a change. */
void balloon_set_actual(struct balloon *b, uint32_t pages);

/* balloon_config.c: for the table of operations. */
uint32_t balloon_config_len(const struct virtio_device *dev);
void balloon_config_read(struct virtio_device *dev, uint32_t off, void *buf, uint32_t len);
void balloon_config_write(struct virtio_device *dev, uint32_t off, const void *buf,
			  uint32_t len);

/* balloon_pages.c: answer all messages in queue q, inflate or deflate. */
void balloon_pages_kick(struct balloon *b, unsigned q);

/* balloon_stats.c: take in the driver's buffer; forget it and what it said. */
void balloon_stats_kick(struct balloon *b);
void balloon_stats_reset(struct balloon *b);

#endif
