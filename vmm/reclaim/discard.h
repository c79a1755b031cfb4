/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discarding in the calling thread: what the backends are made of. Sees addresses only, no
 * pages and no states.
 *
 * Private memory goes by madvise, or many pieces by one process_madvise where the kernel lets a
 * process do that to itself (Linux 6.13 for MADV_DONTNEED); memory of a file by a hole in it.
 */
#ifndef AEROSTAT_RECLAIM_DISCARD_H
#define AEROSTAT_RECLAIM_DISCARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One range to discard, and how. It reads as zeros afterwards, until written. */
struct discard_run {
	uint8_t *hva;
	uint64_t len; /* bytes; hva and len are multiples of the host page */
	int fd;	      /* the file behind it, or -1: private anonymous memory */
	uint64_t fd_off;
	int advice; /* for private memory: MADV_DONTNEED or MADV_DONTNEED_LOCKED */

	/* The answer. When rc isn't 0, any part of the range may be gone. */
	bool done;
	int rc; /* 0 or a negative errno */
};

/* Any thread may read these and add to them. */
struct discard_counters {
	_Atomic uint64_t calls;	    /* system calls, or requests of a ring */
	_Atomic uint64_t fallbacks; /* ranges that the first way was refused for */
};

struct discard {
	int pidfd; /* of this process, or -1: no process_madvise */
	struct discard_counters *counters;
};

/* Look what the kernel can. counters must outlive d. Never fails: there is always madvise. */
void discard_init(struct discard *d, struct discard_counters *counters);
void discard_fini(struct discard *d);

/* Discard one range now; sets done and rc. */
void discard_one(struct discard *d, struct discard_run *run);

/* As one by one, with as few system calls as the kernel allows. */
void discard_many(struct discard *d, struct discard_run *const run[], unsigned n);

#endif
