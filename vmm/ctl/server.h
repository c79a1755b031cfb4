/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control server: QMP (JSON lines over a Unix socket) in the event loop, many clients at
 * once. qmp.h has the protocol, commands.h the commands, conn.h the limits.
 *
 * Everything is on the main thread and nothing waits: what a client doesn't read is kept up to
 * CONN_OUT_MAX bytes, then the client is dropped; a line longer than CONN_LINE_MAX drops it
 * too. A client that stops sending (half-closes) still gets the answers it waits for. One
 * client more than CTL_CLIENTS_MAX is accepted and closed at once.
 */
#ifndef AEROSTAT_CTL_SERVER_H
#define AEROSTAT_CTL_SERVER_H

#include "vmm/base/err.h"
#include "vmm/ctl/rundir.h"
#include "vmm/io/loop.h"
#include "vmm/machine/machine.h"

#define CTL_CLIENTS_MAX 32u

struct ctl_server;

/*
 * Bind NAME.sock in the runtime directory (a stale one is replaced; a live one is -EEXIST with
 * "a VM named 'x' is running"; race-free between two starters) and serve. NULL with *err.
 * The machine's events become QMP events once ctl_server_attach() has been called; until then
 * commands that need it answer with an error.
 */
struct ctl_server *ctl_server_create(struct loop *loop, const struct rundir *d,
				     const char *name, struct err *err);
/* The machine must be detached (m NULL) or the server destroyed before the machine is. */
void ctl_server_attach(struct ctl_server *s, struct machine *m);
/*
 * Detaches, flushes what can be written at once, removes the socket, closes clients (so who
 * saw the end of the connection may use the name again). NULL is fine.
 */
void ctl_server_destroy(struct ctl_server *s);

#endif
