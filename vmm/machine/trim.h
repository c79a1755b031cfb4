/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trim: give the host what the guest has free right now, with a driver that only knows free
 * page hints (virtio 1.2, section 5.5.6.5). In turn, all of it on the event loop:
 *
 *   arming      the dirty log starts, in slices: from here on every write is seen
 *   hinting     the guest says what it has free, and holds it until it is told DONE
 *   sifting     of what was written since, pages of zeros stay (see hintset.h), in slices
 *   discarding  in turns: vCPUs park, the logs tell what was written, some of the rest goes to
 *               the host, vCPUs run. About TRIM_TURN_NS each, and twice that long in between
 *
 * then DONE, and the guest uses its memory again as if nothing had been. A guest that writes
 * all that it hints (init_on_alloc) takes memory from the host for what it never touched
 * before. So that this doesn't become much, what it hinted is sifted and discarded while it
 * goes on, a part at a time: TRIM_PART, or a 64th of its memory when that is more.
 *
 * A page goes only if nobody wrote it between the hint and the discard, or if it holds zeros;
 * and nobody can write it while it goes. The guest may take hinted pages back at any moment,
 * and does when it is short of memory.
 *
 * One trim at a time. It ends early, and no page is discarded any more, when the driver goes
 * away, the guest reboots or ends, says nothing new for TRIM_TIMEOUT_NS while it hints, or
 * somebody cancels. While the VM is paused it stands still.
 *
 * For the main thread.
 */
#ifndef AEROSTAT_MACHINE_TRIM_H
#define AEROSTAT_MACHINE_TRIM_H

#include "devices/balloon/balloon.h"
#include "vmm/base/err.h"

struct machine;

#define TRIM_TURN_NS	2500000ull
#define TRIM_PART	(128ull << 20) /* bytes */
#define TRIM_TIMEOUT_NS 30000000000ull

enum trim_state {
	TRIM_NONE, /* there was none yet */
	TRIM_ARMING,
	TRIM_HINTING,
	TRIM_SIFTING,
	TRIM_DISCARDING,
	TRIM_DONE,
	TRIM_CANCELLED,
	TRIM_FAILED, /* see why */
	TRIM_STATES,
};

const char *trim_state_name(enum trim_state s); /* "none", "arming", ... */
/* One that is under way: from arming to discarding. */
bool trim_active(enum trim_state s);

/* The trim, or the last one. All-zero when there was none. */
struct trim_info {
	enum trim_state state;
	char why[128];		 /* of one that failed; else "" */
	uint64_t seq;		 /* counts trims, from 1 */
	uint64_t blocks, hinted; /* by the guest: blocks, and bytes of them */
	uint64_t discarded;	 /* bytes that went to the host */
	uint64_t ballooned;	 /* bytes that the guest gave to its balloon meanwhile */
	uint64_t failed;	 /* bytes that the host's kernel refused */
	uint64_t kept; /* the other bytes: written since, or parts of larger host pages; 0 until
			  done */
	uint64_t pauses;		 /* turns with parked vCPUs */
	uint64_t pause_ns, pause_max_ns; /* together, and the longest */
	uint64_t elapsed_ns;		 /* since it began; of one that ended, all of it */
};

/*
 * Begin. 0; or, with *err: -ENODEV (no balloon), -EAGAIN (the VM is paused), -ESHUTDOWN (it has
 * ended), -EBUSY (a trim is under way), -ENOTCONN (no driver), -EIO (the device needs a reset),
 * -EOPNOTSUPP (the driver has no free page hints), -EPERM (the guest wants its free pages to
 * keep what they hold), -ENOTSUP (KVM has no dirty log), another negative errno.
 */
int machine_trim(struct machine *m, struct err *err);

/* 0, or -EINVAL when none is under way. What was discarded until now is. */
int machine_trim_cancel(struct machine *m);

void machine_trim_query(struct machine *m, struct trim_info *out);

#endif
