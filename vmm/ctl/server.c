// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/base/fd.h"
#include "vmm/base/log.h"
#include "vmm/ctl/conn.h"
#include "vmm/ctl/endpoint.h"

/*
 * Read this much at a time: the answers to so many commands stay below CONN_OUT_MAX, and the
 * other descriptors of the loop get their turn.
 */
#define READ_SIZE 4096

struct client {
	struct ctl_server *server;
	int fd;	  /* -1: dropped, freed by sweep() */
	bool eof; /* it sends no more */
	uint32_t events;
	struct conn conn;
	struct client *next;
};

struct ctl_server {
	struct loop *loop;
	struct endpoint endpoint;
	int spare_fd; /* given up to refuse a client when descriptors run out */
	char name[VM_NAME_MAX + 1];
	struct qmp_vm vm;
	struct client *clients;
};

/* A command can raise events, and so drop any client while it runs: memory is freed later. */
static void drop(struct client *c, const char *why)
{
	if (c->fd < 0)
		return;
	if (why)
		log_warn("control client dropped: %s", why);
	loop_del(c->server->loop, c->fd);
	fd_close(&c->fd);
}

static unsigned sweep(struct ctl_server *s)
{
	struct client **p = &s->clients;
	unsigned live = 0;

	while (*p) {
		struct client *c = *p;

		if (c->fd >= 0) {
			live++;
			p = &c->next;
			continue;
		}
		*p = c->next;
		conn_free(&c->conn);
		free(c);
	}
	return live;
}

static const char *why(int rc)
{
	switch (rc) {
	case -EMSGSIZE:
		return "its line is too long";
	case -ENOBUFS:
		return "it doesn't read its answers";
	default:
		return strerror(-rc);
	}
}

/* Write what the socket takes now, and watch for what is due next. */
static void flush(struct client *c)
{
	struct conn_buf *out = &c->conn.out;
	uint32_t events;

	while (c->fd >= 0 && out->len) {
		ssize_t n = send(c->fd, out->data, out->len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno != EINTR)
			drop(c, NULL); /* it has gone */
		if (n > 0)
			conn_sent(&c->conn, (size_t)n);
	}
	if (c->fd < 0)
		return;
	if (c->eof && !out->len) {
		drop(c, NULL);
		return;
	}
	events = (c->eof ? 0 : EPOLLIN) | (out->len ? EPOLLOUT : 0);
	if (events != c->events && loop_mod(c->server->loop, c->fd, events))
		drop(c, "epoll failed");
	c->events = events;
}

static void send_message(struct client *c, const json_t *msg)
{
	int rc = conn_send(&c->conn, msg);

	if (rc)
		drop(c, why(rc));
	flush(c);
}

static void receive(struct client *c)
{
	char data[READ_SIZE];
	ssize_t n = recv(c->fd, data, sizeof(data), 0);
	int rc = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		drop(c, NULL);
		return;
	}
	c->eof = n == 0;
	if (n)
		rc = conn_input(&c->conn, data, (size_t)n);
	/* The answers before a line that is too long are still worth sending. */
	flush(c);
	if (rc)
		drop(c, why(rc));
}

static void on_client(void *opaque, uint32_t events)
{
	struct client *c = opaque;

	if (events & EPOLLIN)
		receive(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		drop(c, NULL);
	else
		flush(c);
	sweep(c->server);
}

static void broadcast(struct ctl_server *s, const json_t *msg)
{
	for (struct client *c = s->clients; c; c = c->next)
		if (c->fd >= 0 && c->conn.session.negotiated)
			send_message(c, msg);
}

static void on_machine(void *opaque, enum machine_event ev)
{
	struct ctl_server *s = opaque;
	json_t *msg = qmp_event(&s->vm, ev);

	broadcast(s, msg);
	json_decref(msg);
}

/* Takes fd. */
static int add_client(struct ctl_server *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	json_t *greeting;
	int rc;

	if (!c) {
		fd_close(&fd);
		return -ENOMEM;
	}
	*c = (struct client){.server = s, .fd = fd, .events = EPOLLIN};
	rc = loop_add(s->loop, fd, EPOLLIN, on_client, c);
	if (rc) {
		fd_close(&fd);
		free(c);
		return rc;
	}
	conn_init(&c->conn, &s->vm);
	c->next = s->clients;
	s->clients = c;
	greeting = qmp_greeting();
	send_message(c, greeting);
	json_decref(greeting);
	return 0;
}

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: a client that stays in the backlog would wake the loop for ever. */
static void refuse_one(struct ctl_server *s)
{
	int fd;

	fd_close(&s->spare_fd);
	fd = accept4(s->endpoint.fd, NULL, NULL, SOCK_CLOEXEC);
	fd_close(&fd);
	s->spare_fd = open_spare();
	log_warn("control client refused: out of file descriptors");
}

static void on_listen(void *opaque, uint32_t events)
{
	struct ctl_server *s = opaque;
	unsigned live = sweep(s);
	int fd = accept4(s->endpoint.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int rc;

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			refuse_one(s);
		return;
	}
	if (live >= CTL_CLIENTS_MAX) {
		log_warn("control client refused: there are %u", live);
		fd_close(&fd);
		return;
	}
	rc = add_client(s, fd);
	if (rc)
		log_warn("control client refused: %s", strerror(-rc));
}

struct ctl_server *ctl_server_create(struct loop *loop, const struct rundir *d,
				     const char *name, struct err *err)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		err_sys(err, -ENOMEM, "cannot create the control server");
		return NULL;
	}
	assert(vm_name_valid(name));
	s->loop = loop;
	s->spare_fd = -1;
	s->vm.name = strcpy(s->name, name);
	rc = endpoint_listen(&s->endpoint, d, name, err);
	if (rc) {
		free(s);
		return NULL;
	}
	s->spare_fd = open_spare();
	rc = loop_add(loop, s->endpoint.fd, EPOLLIN, on_listen, s);
	if (rc) {
		err_sys(err, rc, "cannot watch the control socket");
		ctl_server_destroy(s);
		return NULL;
	}
	return s;
}

void ctl_server_attach(struct ctl_server *s, struct machine *m)
{
	if (s->vm.machine)
		machine_listen(s->vm.machine, NULL, NULL);
	s->vm.machine = m;
	if (m)
		machine_listen(m, on_machine, s);
}

void ctl_server_destroy(struct ctl_server *s)
{
	if (!s)
		return;
	ctl_server_attach(s, NULL);
	loop_del(s->loop, s->endpoint.fd);
	endpoint_close(&s->endpoint);
	for (struct client *c = s->clients; c; c = c->next) {
		if (c->fd >= 0)
			flush(c);
		drop(c, NULL);
	}
	sweep(s);
	fd_close(&s->spare_fd);
	free(s);
}
