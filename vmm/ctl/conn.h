/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client of the control server, without its socket: bytes in, bytes out. Cuts the input
 * into lines (LF or CRLF), has them handled, and keeps what is to be sent, within limits.
 */
#ifndef AEROSTAT_CTL_CONN_H
#define AEROSTAT_CTL_CONN_H

#include <jansson.h>
#include <stddef.h>

#include "vmm/ctl/qmp.h"

#define CONN_LINE_MAX 65536u	    /* bytes of a line */
#define CONN_OUT_MAX  (256u * 1024) /* bytes that wait to be sent */

struct conn_buf {
	char *data;
	size_t len, cap;
};

struct conn {
	struct qmp_vm *vm;
	struct qmp_session session;
	struct conn_buf in, out;
	int failed; /* the first error; from then on nothing is handled or kept */
};

/* vm outlives the connection. The greeting is the first thing to send. */
void conn_init(struct conn *c, struct qmp_vm *vm);
void conn_free(struct conn *c);

/*
 * The client sent this. Handles every line that is complete. 0, or what ends the connection:
 * -EMSGSIZE a line is longer than CONN_LINE_MAX, -ENOBUFS more than CONN_OUT_MAX bytes wait,
 * -ENOMEM.
 */
int conn_input(struct conn *c, const char *data, size_t len);

/* Send a message (borrowed; NULL counts as out of memory). Errors as conn_input(). */
int conn_send(struct conn *c, const json_t *msg);

/* The first n bytes of c->out have been sent. */
void conn_sent(struct conn *c, size_t n);

#endif
