/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load that has the guest's memory go round: a child for each processor, each with its share
 * of what is available. It takes all of that in blocks, gives some or all of them back, the
 * oldest first, takes them again, and so on. A block is filled when it is taken and verified
 * before it is given back, so each page of the guest is sooner or later free, then used, and
 * then looked at; and whoever withholds memory from it that was free a moment ago is asked for
 * it at once.
 */
#ifndef AEROSTAT_GUEST_SWEEP_H
#define AEROSTAT_GUEST_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/memory.h"

struct sweep_report {
	uint64_t sweeps;	 /* times that all of it was taken */
	uint64_t bytes;		 /* verified */
	struct wrong_word wrong; /* where a child stopped; addr 0: no error */
	bool died;		 /* a child was killed, as by the OOM killer */
};

/*
 * Start. `margin` bytes of what the kernel calls available now are left to it, see
 * memory_fillable(). 0; -EALREADY; -ENOMEM when nothing is left; or another negative errno.
 */
int sweep_start(size_t margin);

/* The children verify what they hold and end. 0 or -ENOENT when there is none. */
int sweep_stop(struct sweep_report *report);

#endif
