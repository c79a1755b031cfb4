/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory balloon: virtio device id 5 (virtio 1.2, section 5.5).
 *
 * Inflate and deflate are handled in the exit of the vCPU that kicked: validate, mark pages in
 * the reclaim engine, return the buffer. The engine discards them later, see reclaim.h; that is
 * allowed because MUST_TELL_HOST was negotiated, without it the discard comes first. A reset
 * waits for discards in flight. The interrupt for a message comes later or not at all: most
 * drivers find their buffer by themselves, see virtio_notify_soon().
 *
 * Free page reporting (5.5.6.7) is no part of the balloon: the guest names blocks of its free
 * memory that it leaves alone until their buffer comes back. Their contents go to the host
 * before that, on a thread of the device's own, so that no vCPU waits; then the guest may use
 * them as ever. The thread works on one chain at a time. A reset waits for it, for a part of a
 * chain at most. With RECLAIM_SYNC there is no thread, and the kick does it all.
 *
 * Everything else is called from the event loop.
 *
 * Unless a function says otherwise it takes the device's lock itself and may be called from
 * any thread.
 */
#ifndef AEROSTAT_DEVICES_BALLOON_BALLOON_H
#define AEROSTAT_DEVICES_BALLOON_BALLOON_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/balloon/hint.h"
#include "devices/balloon/queues.h"
#include "devices/balloon/stats.h"
#include "devices/virtio/virtio.h"
#include "vmm/config/vm_config.h"
#include "vmm/reclaim/hintset.h"
#include "vmm/reclaim/reclaim.h"

/* Feature bits, section 5.5.3. */
#define BALLOON_F_BIT_MUST_TELL_HOST 0
#define BALLOON_F_BIT_STATS_VQ	     1
#define BALLOON_F_BIT_DEFLATE_ON_OOM 2
#define BALLOON_F_BIT_FREE_PAGE_HINT 3
#define BALLOON_F_BIT_PAGE_POISON    4
#define BALLOON_F_BIT_REPORTING	     5

/*
 * An inflate or deflate message is a chain of readable buffers that together hold 1 to
 * BALLOON_MAX_PFNS le32 page numbers (Linux sends at most 256). Anything else (writable
 * buffers, a cut number, more) is a violation. Page numbers that are not RAM are not: they are
 * counted, logged and ignored.
 */
#define BALLOON_MAX_PFNS 65536u

/*
 * What the balloon is doing:
 *   idle       no driver, or a balloon that was never asked for anything and is empty
 *   inflating  target above actual, and progress within the last BALLOON_STALL_MS
 *   deflating  target below actual, likewise
 *   stalled    target not reached and no progress for BALLOON_STALL_MS: when inflating the
 *              guest has no more to give. Also when the device needs a reset.
 *   reached    actual equals target
 */
enum balloon_state {
	BALLOON_IDLE,
	BALLOON_INFLATING,
	BALLOON_DEFLATING,
	BALLOON_STALLED,
	BALLOON_REACHED,
};
#define BALLOON_STALL_MS 2000

const char *balloon_state_name(enum balloon_state s); /* "idle", ... */

/*
 * Free page reporting so far. Every byte of a block is reported, and then one of: discarded,
 * skipped for one reason, failed; except those of the chain that is being worked on.
 */
struct balloon_reporting {
	uint64_t blocks;   /* buffers */
	uint64_t reported; /* bytes of them; and so are all that follow: */
	uint64_t discarded;
	uint64_t skipped_min;	  /* the block is smaller than reporting-min */
	uint64_t skipped_rate;	  /* too fast for reporting-rate */
	uint64_t skipped_poison;  /* the guest wants its free pages to keep what they hold */
	uint64_t skipped_partial; /* parts of the host's pages */
	uint64_t skipped_stop;	  /* a reset or a pause didn't wait for them */
	uint64_t failed;	  /* refused by the kernel */
	uint64_t ns;		  /* the time that discarding took */
};

struct balloon_status {
	enum balloon_state state;
	bool driver;		 /* a driver has set DRIVER_OK */
	bool needs_reset;	 /* latched by a guest violation */
	uint64_t features;	 /* negotiated */
	uint64_t target;	 /* bytes the guest is asked to give (num_pages) */
	uint64_t actual;	 /* bytes it says it gave; never trusted, clamped to RAM size */
	uint64_t ballooned;	 /* bytes the tracker knows to be given */
	int64_t progress_age_ms; /* since actual or ballooned last changed; -1: never */
	uint64_t oom_deflates;	 /* times the target was lowered because the guest leaked */
	uint64_t inflate_msgs, deflate_msgs;
	uint64_t notifies, interrupts, violations;
	uint32_t poison; /* what the guest fills its free pages with; 0 also when it doesn't */
	struct balloon_reporting reporting;
	struct hint_info hint;
	struct reclaim_stats reclaim;
};

struct balloon;

/* How a balloon speaks to its owner. Descriptors are eventfds of the owner's; -1: none. */
struct balloon_owner {
	int change_fd; /* `actual` changed: at most once until balloon_change_taken() */
	int hint_fd;   /* the hint session has another state */
	struct virtio_alarm alarm; /* has virtio_look() called for balloon_virtio() */
};

/* irq, mem and r must outlive the balloon. NULL when out of memory or threads. */
struct balloon *balloon_create(const struct balloon_config *cfg, const struct gmem *mem,
			       struct reclaim *r, const struct irq_line *irq,
			       const struct balloon_owner *owner);
void balloon_destroy(struct balloon *b); /* NULL is fine */

/* The virtio device inside, for the transport. */
struct virtio_device *balloon_virtio(struct balloon *b);

/*
 * Ask the guest to give `bytes` in all (absolute, a multiple of 4 KiB, below RAM size).
 * 0; -ENOTCONN when no driver is there; -EIO when the device needs a reset; -ERANGE.
 *
 * The target survives a device reset and a reboot, as in other monitors: the next driver
 * inflates to it. With DEFLATE_ON_OOM a guest that takes pages back unasked lowers the target
 * to what is left (oom_deflates counts); a driver that empties the balloon to leave does not.
 */
int balloon_set_target(struct balloon *b, uint64_t bytes);

void balloon_query(struct balloon *b, struct balloon_status *out);

/*
 * Count the pages that went back to the host and are resident in it again. The engine's lock is
 * let go now and then, so that a big VM's balloon goes on meanwhile. 0 or a negative errno.
 */
int balloon_audit(struct balloon *b, struct audit *out);

/*
 * For a machine that is paused, with its vCPUs: when balloon_pause() returns, no block that the
 * guest reported is being discarded or returned, and none will be until balloon_resume(). One
 * thread; each is idempotent.
 */
void balloon_pause(struct balloon *b);
void balloon_resume(struct balloon *b);

/*
 * Free page hints, for whoever wants to know what the guest has free (virtio 1.2, section
 * 5.5.6.5): a trim (vmm/machine/trim.h), a snapshot, a round of a migration. Hints are only
 * collected here; what may be done with them when is hintset.h's matter. One session at a time:
 *
 *   the owner's logs of writes are on and armed: vmm/kvm/dirty.h, gmem_dirty_start()
 *   start: the guest is asked
 *   hint_fd is signalled each time the session has another state: query
 *   take, when it is guest-done: the set becomes the owner's
 *   ...
 *   end: the guest gets its memory back
 *
 * hint.h has the states. A session that fails by itself, because the driver resets the device
 * or breaks the rules, or the time is up, needs no balloon_hint_end(): it is -EINVAL then, and
 * without effect. The owner sees to it that balloon_hint_query() is called now and then: the
 * time is looked at there.
 *
 * start: 0; -ENOTCONN (no driver), -EIO (the device needs a reset), -EOPNOTSUPP (no hints
 * negotiated), -EBUSY (a session is on), -EAGAIN (the guest hasn't taken note yet that the last
 * one is over: try again soon), -ENOMEM. timeout_ns: for the guest to start and to stop.
 */
int balloon_hint_start(struct balloon *b, uint64_t timeout_ns);
/* The session, or the last one. */
void balloon_hint_query(struct balloon *b, struct hint_info *out);
/* The guest gets timeout_ns from now on, for what it is at. */
void balloon_hint_defer(struct balloon *b, uint64_t timeout_ns);
/* What was hinted: the caller's to destroy. NULL unless guest-done, and the second time. */
struct hintset *balloon_hint_take(struct balloon *b);
/*
 * A part of it, what was hinted since the last take, while the guest goes on. NULL unless
 * running, or when out of memory: it is in the next one then. Pages may come in more than one.
 */
struct hintset *balloon_hint_take_part(struct balloon *b);
/* Of what isn't taken yet: pages whose bit is set in map (one per page of gmem) drop out. */
void balloon_hint_forget(struct balloon *b, const uint64_t *map);
/* how: HINT_FINISHED, HINT_CANCELLED or HINT_FAILED (by the host). 0 or -EINVAL. */
int balloon_hint_end(struct balloon *b, enum hint_state how);

/*
 * Between the two calls nothing of the device writes guest memory, on whatever thread: for one
 * that looks at the log of such writes and acts on it, while no vCPU runs. Short, and with no
 * other call of this header in between.
 */
void balloon_still(struct balloon *b);
void balloon_go_on(struct balloon *b);

/* The change that change_fd announced was seen; a later one signals again. */
void balloon_change_taken(struct balloon *b);

/*
 * Statistics. balloon_stats_request() returns the held buffer to the driver, which answers
 * with fresh numbers soon after: 0; -ENOTCONN (no driver), -EIO (the device needs a reset),
 * -EOPNOTSUPP (not negotiated), -EINPROGRESS (a request is already out, or the driver hasn't
 * queued its buffer yet: wait for it).
 */
int balloon_stats_request(struct balloon *b);
/*
 * Copy what came last, with its age; -ENODATA when this driver gave nothing yet. seq grows with
 * every answer, so a waiter knows a fresh one; it goes on over a reset.
 */
int balloon_stats_get(struct balloon *b, struct balloon_stats *out, uint64_t *age_ms,
		      uint64_t *seq);
/* Seconds between polls; 0: off. The owner's timer calls balloon_stats_request(). */
uint32_t balloon_stats_interval(struct balloon *b);
void balloon_set_stats_interval(struct balloon *b, uint32_t seconds);

#endif
