/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM's socket file: who may make it, who may remove it.
 *
 * A socket whose VM was killed stays behind and refuses connections: stale. It is removed by
 * the next VM of that name, or by whoever tries to connect to it. All binding and unlinking
 * happens under a lock (flock) on the runtime directory, from before a name is probed until
 * after it listens, so that neither two starters nor a starter and a remover can disagree.
 */
#ifndef AEROSTAT_CTL_ENDPOINT_H
#define AEROSTAT_CTL_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/ctl/rundir.h"

struct endpoint {
	int fd; /* listening, non-blocking, close-on-exec; -1: none */
	char path[RUNDIR_PATH_MAX];
	struct rundir dir;
	dev_t dev; /* of the file, to know it again */
	ino_t ino;
};

/*
 * Listen on NAME's socket, mode 0600. A stale one is replaced. -EEXIST when a VM of that name
 * lives; or another negative errno. *err filled, e->fd -1 on failure.
 */
int endpoint_listen(struct endpoint *e, const struct rundir *d, const char *name,
		    struct err *err);

/* Stop listening; removes the file unless it has become somebody else's. fd -1 is fine. */
void endpoint_close(struct endpoint *e);

/* deadline_ns for "no limit". Deadlines are points of CLOCK_MONOTONIC. */
#define ENDPOINT_NEVER UINT64_MAX

/* Deadline timeout_ms from now; negative: never. */
uint64_t endpoint_deadline(int timeout_ms);

bool endpoint_expired(uint64_t deadline_ns);

/* Wait for events on fd. 0, -ETIMEDOUT, or another negative errno. */
int endpoint_wait(int fd, short events, uint64_t deadline_ns);

/*
 * Connect to NAME's socket. A non-blocking descriptor that the caller closes, or: -ENOENT no
 * such VM; -ECONNREFUSED the socket was stale, and is removed now; -ETIMEDOUT; or another
 * negative errno. *err filled on failure.
 */
int endpoint_connect(const struct rundir *d, const char *name, uint64_t deadline_ns,
		     struct err *err);

#endif
