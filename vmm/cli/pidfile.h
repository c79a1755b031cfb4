/* SPDX-License-Identifier: Apache-2.0 */
/* A file that holds our process id while we run. */
#ifndef AEROSTAT_CLI_PIDFILE_H
#define AEROSTAT_CLI_PIDFILE_H

#include <sys/types.h>

#include "vmm/base/err.h"

struct pidfile {
	const char *path; /* the caller's; NULL: there is none */
	dev_t dev;
	ino_t ino;
};

/*
 * The file appears at once with its content, "PID\n", in place of an older one; anything there
 * that is not a regular file is refused (-EEXIST) and left alone. 0 or a negative errno with
 * *err naming --pidfile; then nothing is left behind and p->path is NULL.
 */
int pidfile_create(struct pidfile *p, const char *path, struct err *err);

/* Remove it, unless another has taken its place. Nothing to do is fine. */
void pidfile_remove(struct pidfile *p);

#endif
