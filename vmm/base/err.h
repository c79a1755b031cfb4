/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One clear line about what went wrong.
 *
 * A function that can fail for a reason the user must read takes a struct err, fills it, and
 * returns a negative errno. Nobody prints on the way up; only cli/ does.
 */
#ifndef AEROSTAT_BASE_ERR_H
#define AEROSTAT_BASE_ERR_H

struct err {
	char msg[320];
};

/*
 * Write a message (cut at the buffer's end) and return rc, so that a caller can say
 * `return err_set(e, -EINVAL, "...")`. e may be NULL: then only rc is passed through.
 * The message has no trailing newline. Any thread; e belongs to the caller.
 */
int err_set(struct err *e, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the description of -rc added. rc is a negative errno. */
int err_sys(struct err *e, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
