/* SPDX-License-Identifier: Apache-2.0 */
/* Let an event loop run for a while in a test. */
#ifndef AEROSTAT_TESTS_LOOP_RUN_H
#define AEROSTAT_TESTS_LOOP_RUN_H

#include <stdbool.h>
#include <stdlib.h>

#include "vmm/base/clock.h"
#include "vmm/io/loop.h"

static void loop_run_stop(void *opaque)
{
	loop_stop(opaque);
}

static inline void loop_run_ms(struct loop *l, unsigned ms)
{
	struct loop_timer *t = loop_timer_create(l, loop_run_stop, l);

	if (!t)
		abort();
	loop_timer_set(t, ms * NSEC_PER_MSEC, 0);
	loop_run(l);
	loop_timer_destroy(t);
}

/* Run until *flag is set, at most ms. */
static inline bool loop_run_until(struct loop *l, const bool *flag, unsigned ms)
{
	for (unsigned i = 0; i < ms && !*flag; i++)
		loop_run_ms(l, 1);
	return *flag;
}

#endif
