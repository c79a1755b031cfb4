// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static _Atomic int threshold = LOG_WARN;
static const char *const names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[512];
	va_list ap;
	int n, m;

	if (level > log_get_level())
		return;
	n = snprintf(line, sizeof(line), "aerostat: %s: ", names[level]);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 1)
		n = (int)sizeof(line) - 1;
	line[n++] = '\n';
	/*
	 * A guest can make us log, and the vCPU that logs must not wait for a reader of stderr
	 * that has stopped reading: then the line is lost. So is one that can't be written.
	 */
	if (poll(&err, 1, 0) != 1 || write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

bool log_limit_ok(struct log_limit *l, uint64_t now_ns)
{
	if (!l->window_ns || now_ns - l->window_ns >= 1000000000ull) {
		l->window_ns = now_ns;
		l->used = 0;
	}
	return l->used < LOG_BURST && ++l->used;
}
