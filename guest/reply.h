/* SPDX-License-Identifier: Apache-2.0 */
/* What commands have in common: their answers on the console, and their arguments. */
#ifndef AEROSTAT_GUEST_REPLY_H
#define AEROSTAT_GUEST_REPLY_H

#include <stddef.h>

#include "guest/memory.h"

#define MIB ((size_t)1 << 20)

/* "guest: fail WHAT: ...". err: a negative errno. */
void fail(const char *what, int err);
void fail_wrong(const char *what, const struct wrong_word *w);
/* "guest: ok WHAT", or as fail() when err isn't 0. */
void reply(const char *what, int err);

/* 0 or -EINVAL. */
int parse_number(const char *text, unsigned long *value);
/* A size in MiB, more than none, as bytes. */
int parse_mib(const char *text, size_t *len);

#endif
