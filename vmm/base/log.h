/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line per message on stderr, never through stdio's buffers, so that lines of
 * several threads don't mix. The level is the only global mutable state of the monitor.
 */
#ifndef AEROSTAT_BASE_LOG_H
#define AEROSTAT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Messages above this level are dropped. Default LOG_WARN. Any thread. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/*
 * printf-like, no trailing newline. Any thread; never waits: a line is dropped when stderr
 * can't take it now. Longer lines are cut at 512 bytes.
 */
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)   log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

/*
 * Rate limit for what a guest can make us say. Zero-initialised; at most LOG_BURST messages a
 * second pass. Not thread-safe: one per lock. now_ns is CLOCK_MONOTONIC.
 */
#define LOG_BURST 5
struct log_limit {
	uint64_t window_ns;
	unsigned used;
};
bool log_limit_ok(struct log_limit *l, uint64_t now_ns);

#endif
