// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/base/fd.h"
#include "vmm/ctl/endpoint.h"

/* What the VM may send in one line; its own limit (CONN_OUT_MAX) is less. */
#define LINE_MAX_BYTES (1024u * 1024)

struct ctl_client {
	int fd;
	char name[VM_NAME_MAX + 1];
	json_int_t id; /* of the last command */
	char *buf;     /* LINE_MAX_BYTES */
	size_t len;
	size_t line; /* bytes of buf that the last line took */
};

void ctl_close(struct ctl_client *c)
{
	if (!c)
		return;
	fd_close(&c->fd);
	free(c->buf);
	free(c);
}

pid_t ctl_peer_pid(const struct ctl_client *c)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || cred.pid <= 0)
		return -1;
	return cred.pid;
}

/* More bytes into buf. 0, -ETIMEDOUT, -EPIPE at the end of the stream, ... */
static int fill(struct ctl_client *c, uint64_t deadline)
{
	for (;;) {
		ssize_t n = recv(c->fd, c->buf + c->len, LINE_MAX_BYTES - c->len, 0);
		int rc = n < 0 ? -errno : -EPIPE;

		if (n > 0) {
			c->len += (size_t)n;
			return 0;
		}
		if (rc == -ECONNRESET)
			rc = -EPIPE;
		else if (rc == -EAGAIN)
			rc = endpoint_wait(c->fd, POLLIN, deadline);
		else if (rc == -EINTR)
			rc = 0;
		if (rc)
			return rc;
	}
}

/* The next message: a new reference in *msg. */
static int receive(struct ctl_client *c, uint64_t deadline, json_t **msg)
{
	size_t scan = 0;
	const char *end;
	int rc;

	memmove(c->buf, c->buf + c->line, c->len - c->line);
	c->len -= c->line;
	c->line = 0;
	while (!(end = memchr(c->buf + scan, '\n', c->len - scan))) {
		scan = c->len;
		if (c->len == LINE_MAX_BYTES)
			return -EPROTO;
		rc = fill(c, deadline);
		if (rc)
			return rc;
	}
	c->line = (size_t)(end - c->buf) + 1;
	*msg = json_loadb(c->buf, c->line, 0, NULL);
	if (!json_is_object(*msg)) {
		json_decref(*msg);
		return -EPROTO;
	}
	return 0;
}

static int send_all(struct ctl_client *c, const char *data, size_t len, uint64_t deadline)
{
	while (len) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
		int rc = n < 0 ? -errno : 0;

		if (rc == -EAGAIN)
			rc = endpoint_wait(c->fd, POLLOUT, deadline);
		else if (rc == -EINTR)
			rc = 0;
		if (rc)
			return rc == -ECONNRESET ? -EPIPE : rc;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int send_command(struct ctl_client *c, const char *command, json_t *args,
			uint64_t deadline)
{
	json_t *req = json_pack("{s:s, s:O*, s:I}", "execute", command, "arguments", args, "id",
				c->id);
	char *text = req ? json_dumps(req, 0) : NULL;
	size_t len = text ? strlen(text) : 0;
	int rc = -ENOMEM;

	if (text) {
		text[len] = '\n'; /* in the place of the NUL: from here on it has a length */
		rc = send_all(c, text, len + 1, deadline);
		/* Half a line may be out: nothing that follows would be understood. */
		if (rc)
			shutdown(c->fd, SHUT_RDWR);
	}
	free(text);
	json_decref(req);
	return rc;
}

/* The answer to our last command; events, and answers to what timed out, are dropped. */
static int receive_answer(struct ctl_client *c, uint64_t deadline, json_t **answer)
{
	for (;;) {
		json_t *id;
		int rc = receive(c, deadline, answer);

		if (rc)
			return rc;
		id = json_object_get(*answer, "id");
		if (json_is_integer(id) && json_integer_value(id) == c->id)
			return 0;
		json_decref(*answer);
		/* Events that never pause must not hold us. */
		if (endpoint_expired(deadline))
			return -ETIMEDOUT;
	}
}

static int remote_error(const json_t *error, struct err *err)
{
	const char *desc = json_string_value(json_object_get(error, "desc"));

	if (!desc || !json_is_string(json_object_get(error, "class")))
		return -EPROTO;
	return err_set(err, -EREMOTEIO, "%s", desc);
}

static int fail(const char *name, int rc, struct err *err)
{
	switch (rc) {
	case -EREMOTEIO: /* filled already */
		return rc;
	case -ETIMEDOUT:
		return err_set(err, rc, "VM '%s' does not answer", name);
	case -EPIPE:
		return err_set(err, rc, "VM '%s' closed the connection", name);
	case -EPROTO:
		return err_set(err, rc, "what answers for VM '%s' does not speak QMP", name);
	default:
		return err_sys(err, rc, "cannot talk to VM '%s'", name);
	}
}

static int execute(struct ctl_client *c, const char *command, json_t *args, uint64_t deadline,
		   json_t **ret, struct err *err)
{
	json_t *answer = NULL;
	json_t *value, *error;
	int rc;

	c->id++;
	rc = send_command(c, command, args, deadline);
	if (!rc)
		rc = receive_answer(c, deadline, &answer);
	if (rc)
		return fail(c->name, rc, err);
	value = json_object_get(answer, "return");
	error = json_object_get(answer, "error");
	if (error)
		rc = remote_error(error, err);
	else if (!value)
		rc = -EPROTO;
	else if (ret)
		*ret = json_incref(value);
	json_decref(answer);
	return rc ? fail(c->name, rc, err) : 0;
}

int ctl_execute(struct ctl_client *c, const char *command, json_t *args, int timeout_ms,
		json_t **ret, struct err *err)
{
	return execute(c, command, args, endpoint_deadline(timeout_ms), ret, err);
}

static int greet(struct ctl_client *c, uint64_t deadline, struct err *err)
{
	json_t *greeting;
	int rc = receive(c, deadline, &greeting);

	if (!rc) {
		rc = json_is_object(json_object_get(greeting, "QMP")) ? 0 : -EPROTO;
		json_decref(greeting);
	}
	if (rc)
		return fail(c->name, rc, err);
	return execute(c, "qmp_capabilities", NULL, deadline, NULL, err);
}

struct ctl_client *ctl_connect(const struct rundir *d, const char *name, int timeout_ms,
			       int *rc, struct err *err)
{
	uint64_t deadline = endpoint_deadline(timeout_ms);
	struct ctl_client *c = calloc(1, sizeof(*c));

	if (c) {
		c->fd = -1;
		c->buf = malloc(LINE_MAX_BYTES);
	}
	if (!c || !c->buf) {
		ctl_close(c);
		*rc = err_sys(err, -ENOMEM, "cannot connect to VM '%s'", name);
		return NULL;
	}
	*rc = c->fd = endpoint_connect(d, name, deadline, err);
	if (*rc >= 0) {
		snprintf(c->name, sizeof(c->name), "%s", name);
		*rc = greet(c, deadline, err);
	}
	if (*rc) {
		/* A VM has nothing against its own client's greeting. */
		if (*rc == -EREMOTEIO)
			*rc = -EPROTO;
		ctl_close(c);
		return NULL;
	}
	return c;
}

int ctl_wait_closed(struct ctl_client *c, int timeout_ms)
{
	uint64_t deadline = endpoint_deadline(timeout_ms);
	int rc;

	do {
		c->len = c->line = 0;
		rc = fill(c, deadline);
		if (!rc && endpoint_expired(deadline))
			rc = -ETIMEDOUT;
	} while (!rc);
	return rc == -EPIPE ? 0 : rc;
}
