// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t put(struct err *e, const char *fmt, va_list ap)
{
	int n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);

	if (n < 0)
		n = 0;
	return (size_t)n < sizeof(e->msg) ? (size_t)n : sizeof(e->msg) - 1;
}

int err_set(struct err *e, int rc, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return rc;
	va_start(ap, fmt);
	put(e, fmt, ap);
	va_end(ap);
	return rc;
}

int err_sys(struct err *e, int rc, const char *fmt, ...)
{
	va_list ap;
	size_t n;
	char why[96];

	if (!e)
		return rc;
	va_start(ap, fmt);
	n = put(e, fmt, ap);
	va_end(ap);
	snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerror_r(-rc, why, sizeof(why)));
	return rc;
}
