/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime directory: one control socket NAME.sock per running VM.
 *
 * It is $AEROSTAT_RUNTIME_DIR, else /run/aerostat for root, else $XDG_RUNTIME_DIR/aerostat,
 * else /tmp/aerostat-UID. It is created with mode 0700 and refused when it belongs to someone
 * else or others may enter it. Socket paths must fit sun_path (107 bytes).
 */
#ifndef AEROSTAT_CTL_RUNDIR_H
#define AEROSTAT_CTL_RUNDIR_H

#include <limits.h>
#include <stdbool.h>

#include "vmm/base/err.h"
#include "vmm/config/vm_config.h"

#define RUNDIR_PATH_MAX 108 /* of sun_path, NUL included */

struct rundir {
	char path[RUNDIR_PATH_MAX]; /* NUL-terminated, absolute, no trailing slash */
};

/*
 * Find (create: and make) the directory. Without create a missing one is fine: it has no VMs.
 * 0 or a negative errno with *err.
 */
int rundir_open(struct rundir *d, bool create, struct err *err);

/* Path of NAME's socket. name must be valid (asserted). -ENAMETOOLONG with *err. */
int rundir_socket(const struct rundir *d, const char *name, char out[RUNDIR_PATH_MAX],
		  struct err *err);

/*
 * Calls fn for every NAME.sock, in name order, dead ones too. Stops when fn returns non-zero
 * and returns that. A missing directory has no VMs. Negative errno on failure.
 */
int rundir_each(const struct rundir *d, int (*fn)(void *opaque, const char *name), void *opaque,
		struct err *err);

#endif
