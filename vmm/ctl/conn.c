// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void conn_init(struct conn *c, struct qmp_vm *vm)
{
	*c = (struct conn){.vm = vm};
}

static void buf_free(struct conn_buf *b)
{
	free(b->data);
	*b = (struct conn_buf){0};
}

void conn_free(struct conn *c)
{
	buf_free(&c->in);
	buf_free(&c->out);
}

static int buf_append(struct conn_buf *b, const char *data, size_t len)
{
	size_t need = b->len + len;

	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 512;
		char *p;

		while (cap < need)
			cap *= 2;
		p = realloc(b->data, cap);
		if (!p)
			return -ENOMEM;
		b->data = p;
		b->cap = cap;
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len = need;
	return 0;
}

/* Forget the first n bytes; an empty buffer keeps no memory. */
static void buf_drop(struct conn_buf *b, size_t n)
{
	b->len -= n;
	if (b->len)
		memmove(b->data, b->data + n, b->len);
	else
		buf_free(b);
}

void conn_sent(struct conn *c, size_t n)
{
	buf_drop(&c->out, n);
}

static int send_text(struct conn *c, const char *text, size_t len)
{
	if (c->out.len + len + 2 > CONN_OUT_MAX)
		return -ENOBUFS;
	if (buf_append(&c->out, text, len) || buf_append(&c->out, "\r\n", 2))
		return -ENOMEM;
	return 0;
}

int conn_send(struct conn *c, const json_t *msg)
{
	char *text;

	if (c->failed)
		return c->failed;
	text = msg ? json_dumps(msg, 0) : NULL;
	c->failed = text ? send_text(c, text, strlen(text)) : -ENOMEM;
	free(text);
	return c->failed;
}

static void handle_line(struct conn *c, const char *line, size_t len)
{
	json_t *answer = NULL;
	int rc = -EMSGSIZE;

	if (len && line[len - 1] == '\r')
		len--;
	if (len <= CONN_LINE_MAX)
		rc = qmp_line(c->vm, &c->session, line, len, &answer);
	/* An event that the command raised may have failed already. */
	if (!c->failed)
		c->failed = rc;
	if (answer)
		conn_send(c, answer);
	json_decref(answer);
}

int conn_input(struct conn *c, const char *data, size_t len)
{
	size_t scan = c->in.len; /* no line end before this */
	size_t done = 0;
	const char *end;

	if (c->failed)
		return c->failed;
	if (buf_append(&c->in, data, len))
		return c->failed = -ENOMEM;
	while (!c->failed && c->in.len > scan &&
	       (end = memchr(c->in.data + scan, '\n', c->in.len - scan))) {
		handle_line(c, c->in.data + done, (size_t)(end - c->in.data) - done);
		done = scan = (size_t)(end - c->in.data) + 1;
	}
	if (done)
		buf_drop(&c->in, done);
	if (!c->failed && c->in.len > CONN_LINE_MAX + 1) /* a CR may end it */
		c->failed = -EMSGSIZE;
	return c->failed;
}
