/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the engine's benchmark. Each prints JSON, an object a line. */
#ifndef AEROSTAT_TESTS_BENCH_ENGINE_H
#define AEROSTAT_TESTS_BENCH_ENGINE_H

#include "tests/bench/stream.h"

/* The tracker of 1 GiB, 64 GiB and 1 TiB, without memory behind it. */
void bench_tracker(unsigned round);

/* A guest's messages, with memory behind them, by every backend. */
void bench_replay(const struct stream *s, unsigned round);

#endif
