/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The QEMU Machine Protocol without sockets: a line in, an answer out (QEMU's docs/interop
 * "QEMU Machine Protocol Specification", version 0.91 and up).
 *
 * A client is greeted and must then send qmp_capabilities; nothing else is accepted before,
 * and no events are sent. No capability is offered. Main thread only.
 */
#ifndef AEROSTAT_CTL_QMP_H
#define AEROSTAT_CTL_QMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/base/err.h"
#include "vmm/machine/machine.h"

/* What all clients talk about. */
struct qmp_vm {
	const char *name;
	struct machine *machine; /* NULL until there is one */
	bool quit;		 /* a client asked the VM to end */
};

/* What is one client's own. Starts as all zeros. */
struct qmp_session {
	bool negotiated;
};

/* One command in execution. */
struct qmp_call {
	struct qmp_vm *vm;
	struct qmp_session *session;
	struct {
		const char *class; /* a literal */
		struct err desc;
	} error;
};

#define QMP_GENERIC	      "GenericError"
#define QMP_COMMAND_NOT_FOUND "CommandNotFound"
#define QMP_DEVICE_NOT_ACTIVE "DeviceNotActive"

/* Fill the error and return NULL, so that a handler can say `return qmp_fail(...)`. */
json_t *qmp_fail(struct qmp_call *c, const char *class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* {"qemu": {"major", "minor", "micro"}, "package"}: the numbers are Aerostat's own. */
json_t *qmp_version(void);

/* All below return a new reference, or NULL when out of memory. */
json_t *qmp_greeting(void);

/*
 * Handle one line (without its line end; len bytes, any bytes). *answer is what to send: NULL
 * for a blank line. 0 or -ENOMEM.
 */
int qmp_line(struct qmp_vm *vm, struct qmp_session *s, const char *line, size_t len,
	     json_t **answer);

/* The event as clients see it. vm->machine must be set. */
json_t *qmp_event(const struct qmp_vm *vm, enum machine_event ev);

/*
 * As query-status says: "prelaunch", "running", "paused", "shutdown", "guest-panicked" (triple
 * fault) or "internal-error".
 */
const char *qmp_status(const struct qmp_vm *vm);

#endif
