/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AEROSTAT_BASE_CLOCK_H
#define AEROSTAT_BASE_CLOCK_H

#include <stdint.h>

#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC  1000000000ull

/* CLOCK_MONOTONIC in nanoseconds. Any thread. */
uint64_t clock_now_ns(void);

#endif
