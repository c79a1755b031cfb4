/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client side of the control protocol, for the subcommands: blocking, with time-outs.
 * Single-threaded use. Time-outs are milliseconds; a negative one never ends.
 */
#ifndef AEROSTAT_CTL_CLIENT_H
#define AEROSTAT_CTL_CLIENT_H

#include <jansson.h>
#include <sys/types.h>

#include "vmm/base/err.h"
#include "vmm/ctl/rundir.h"

struct ctl_client;

/*
 * Connect to the VM's socket, read the greeting, negotiate capabilities. On failure NULL, *err
 * filled with one line, and *rc one of:
 *   -ENOENT        no VM of that name
 *   -ECONNREFUSED  the socket is stale: the VM is dead (the stale file has been removed)
 *   -ETIMEDOUT     it does not answer
 *   -EPROTO        what answered does not speak the protocol
 *   -EPIPE         it closed the connection: it is ending, or has too many clients
 *   or another negative errno.
 */
struct ctl_client *ctl_connect(const struct rundir *d, const char *name, int timeout_ms,
			       int *rc, struct err *err);
void ctl_close(struct ctl_client *c); /* NULL is fine */

/*
 * Execute one command and wait for its answer; events that arrive meanwhile are dropped.
 * args is borrowed and may be NULL. 0 with *ret a new reference (NULL allowed when not
 * wanted); -EREMOTEIO when the VM answered with an error: *err holds its `desc`; -ETIMEDOUT (a
 * late answer will be dropped); -EPIPE when the VM went away; -EPROTO; or another negative
 * errno. *err is filled on failure. command is a literal or a valid UTF-8 string.
 */
int ctl_execute(struct ctl_client *c, const char *command, json_t *args, int timeout_ms,
		json_t **ret, struct err *err);

/* Wait until the VM closes the connection (it has ended): 0, -ETIMEDOUT, ... */
int ctl_wait_closed(struct ctl_client *c, int timeout_ms);

/* Process id of the monitor at the other end (SO_PEERCRED), or -1. */
pid_t ctl_peer_pid(const struct ctl_client *c);

#endif
