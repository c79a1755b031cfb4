/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the balloon share:
 *
 *   balloon.c         life cycle, target, status
 *   balloon_config.c  configuration space; when the guest lowers the target
 *   balloon_pages.c   inflate and deflate queues
 *   balloon_stats.c   statistics queue
 *   balloon_report.c  reporting queue
 *   balloon_hint.c    hint queue, the session's owner
 *   balloon_worker.c  the thread that discards what was reported
 *   hint.c            the hint session as a state machine
 *   hint_message.c    what a message says to it
 *   queues.c          which queue is which
 *   stats.c           parsing of a statistics buffer
 *
 * Everything here is under the lock of dev, which the caller holds, unless it says otherwise.
 * Lock order: dev's, then the worker's or the reclaim engine's.
 */
#ifndef AEROSTAT_DEVICES_BALLOON_INTERNAL_H
#define AEROSTAT_DEVICES_BALLOON_INTERNAL_H

#include <stddef.h>

#include "devices/balloon/balloon.h"

/*
 * Linux has one message in flight; others a few. Small, because a kick is answered as a whole
 * while the lock is held: at most BALLOON_QUEUE_SIZE chains of BALLOON_MAX_PFNS pages. Linux
 * reports nothing to a queue of fewer than 32 (PAGE_REPORTING_CAPACITY). No chain may have more
 * buffers than this, in any queue.
 */
#define BALLOON_QUEUE_SIZE 32

/*
 * Of the queues that may be the one for hints (queues.h). A driver that doesn't kick for each
 * block, as Linux does, loses what finds the queue full.
 */
#define BALLOON_QUEUE_MAX 256

/* A chain of the reporting queue, and what of it is to be discarded. */
struct report {
	uint16_t head;
	unsigned n;
	struct reclaim_range range[BALLOON_QUEUE_SIZE];
	uint64_t bytes; /* of the ranges */
	/* What became of them. */
	uint64_t discarded, failed, ns;
};

struct report_worker {
	bool threaded; /* the rest is for a thread only */
	pthread_t thread;
	struct report report; /* the thread's own */

	/* A leaf; protects what follows. */
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool due;  /* there may be chains to take */
	bool stop; /* what is being discarded is no longer wanted: end soon */
	bool quit;
	enum {
		WORKER_IDLE,
		WORKER_DISCARDING, /* of a chain that was taken; takes no lock of the device */
		WORKER_RETURNING,  /* and its buffer is about to go back */
	} phase;
};

struct balloon {
	struct virtio_device dev;
	struct virtqueue vq[BALLOON_NVQ];
	uint8_t number[BALLOON_NVQ]; /* from DRIVER_OK on, see queues.h; else no queue */
	struct reclaim *reclaim;
	bool populate; /* pages given back are populated before the guest is answered */

	/* Configuration space, in pages of 4 KiB. */
	uint32_t num_pages; /* the target */
	uint32_t actual;    /* what the driver wrote, any number */
	uint32_t seen;	    /* the target as the driver last read it */
	bool emptied;	    /* see balloon_config.c */
	uint32_t poison;    /* what the driver wrote */

	bool asked;	      /* there was a target, ever */
	uint64_t target_ns;   /* when the target or the driver changed */
	uint64_t progress_ns; /* when actual or the tracker changed; 0: never */
	uint64_t oom_deflates, inflate_msgs, deflate_msgs;
	struct log_limit log;

	int change_fd, hint_fd;
	bool change_signalled;

	/* Statistics. */
	bool stats_held;     /* a buffer of the driver's waits with us */
	uint16_t stats_head; /* which */
	struct balloon_stats stats;
	uint64_t stats_ns; /* when they came; 0: not yet */
	uint64_t stats_seq;
	uint32_t stats_interval;

	/* Free page hints. */
	struct hint hint;
	struct hintset *hints; /* what the session has collected; NULL: none, or handed over */

	/* Free page reporting. */
	uint64_t report_min, report_rate; /* as balloon_config has them */
	uint64_t report_paid_ns;	  /* up to when report_rate is used up */
	bool paused;			  /* take no chains */
	uint64_t resets;		  /* a chain from before the last is gone */
	struct balloon_reporting reporting;
	struct report_worker worker;
};

static inline struct balloon *balloon_of(const struct virtio_device *dev)
{
	return (struct balloon *)((char *)dev - offsetof(struct balloon, dev));
}

/* The queue that serves as v, or NULL. */
static inline struct virtqueue *balloon_queue(struct balloon *b, enum balloon_vq v)
{
	return b->number[v] == BALLOON_NO_QUEUE ? NULL : &b->vq[b->number[v]];
}

/* balloon.c: pages the tracker knows to be given. */
uint64_t balloon_pages(const struct balloon *b);

/* balloon.c: can the driver be asked for anything? 0, -EIO or -ENOTCONN, as in balloon.h. */
int balloon_can_ask(const struct balloon *b);

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

/*
 * balloon_hint.c: take in the driver's messages; end a session that is overdue, or whose device
 * is broken; the device is reset.
 */
void balloon_hint_kick(struct balloon *b);
void balloon_hint_look(struct balloon *b);
void balloon_hint_reset(struct balloon *b);

/*
 * balloon_report.c: the steps of a chain's life. Take the next one: false when there is none to
 * work on now. Discard its ranges, which needs no lock. Count what became of them; and return
 * it, if there was no reset since it was taken.
 */
bool balloon_report_take(struct balloon *b, struct report *rep);
void balloon_report_discard(struct balloon *b, struct report *rep);
void balloon_report_count(struct balloon *b, const struct report *rep);
void balloon_report_return(struct balloon *b, uint16_t head);

/* balloon_worker.c: 0 or a negative errno. sync: without a thread. */
int balloon_worker_create(struct balloon *b, bool sync);
void balloon_worker_destroy(struct balloon *b); /* without the lock */
/* There may be chains in the reporting queue. */
void balloon_worker_kick(struct balloon *b);
/* Nothing that was taken is discarded after return. */
void balloon_worker_stop(struct balloon *b);
/* Without the lock, b->paused set before: nothing that was taken is discarded or returned. */
void balloon_worker_wait(struct balloon *b);
/* Shall a discard end before its time? Any lock or none but the worker's. */
bool balloon_worker_stopped(struct balloon *b);

#endif
