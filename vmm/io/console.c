// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/fd.h"
#include "vmm/io/outlet.h"

#define READ_SIZE  256
#define ESCAPE_KEY 0x01 /* Ctrl-a */

/* All but waiting and taken belong to the loop's thread. */
struct console {
	struct loop *loop;
	struct outlet *out;
	const struct console_sink *sink;
	void *device;
	void (*quit)(void *opaque);
	void *opaque;
	int in;
	int wake; /* eventfd: the device has room again */
	bool watched, pollable;
	bool escape, got_escape;
	_Atomic bool waiting; /* for room in the device */
	_Atomic uint64_t taken;
	uint8_t queue[CONSOLE_TYPEAHEAD]; /* read and not yet taken */
	size_t qlen;
};

bool console_put(struct console *c, uint8_t byte)
{
	return outlet_put(c->out, byte);
}

void console_lost(struct console *c, size_t n)
{
	outlet_lost(c->out, n);
}

void console_flush(struct console *c, unsigned timeout_ms)
{
	outlet_flush(c->out, timeout_ms);
}

void console_get_stats(struct console *c, struct console_stats *s)
{
	struct outlet_stats o;

	outlet_get_stats(c->out, &o);
	*s = (struct console_stats){
		.out = o.out, .dropped = o.dropped, .in = atomic_load(&c->taken)};
}

static void on_writable(void *opaque)
{
	struct console *c = opaque;

	if (c->sink)
		c->sink->writable(c->device);
}

void console_input_room(struct console *c)
{
	if (atomic_exchange(&c->waiting, false))
		fd_signal(c->wake);
}

/* True when the device has taken everything. */
static bool deliver(struct console *c)
{
	size_t done = 0;

	while (c->sink && done < c->qlen) {
		size_t n = c->sink->receive(c->device, c->queue + done, c->qlen - done);

		if (!n) {
			/* Room made before the flag was up wasn't told: ask once more. */
			atomic_store(&c->waiting, true);
			n = c->sink->receive(c->device, c->queue + done, c->qlen - done);
			if (!n)
				break;
			atomic_store(&c->waiting, false);
		}
		done += n;
	}
	c->qlen -= done;
	memmove(c->queue, c->queue + done, c->qlen);
	atomic_fetch_add(&c->taken, done);
	return !c->qlen;
}

static void type(struct console *c, uint8_t byte)
{
	if (c->got_escape) {
		c->got_escape = false;
		if (byte == 'x')
			c->quit(c->opaque);
		if (byte != ESCAPE_KEY)
			return;
	} else if (c->escape && byte == ESCAPE_KEY) {
		c->got_escape = true;
		return;
	}
	if (c->qlen < sizeof(c->queue))
		c->queue[c->qlen++] = byte;
}

static void on_in(void *opaque, uint32_t events);

static void watch(struct console *c, bool on)
{
	if (on == c->watched)
		return;
	if (!on) {
		loop_del(c->loop, c->in);
	} else if (loop_add(c->loop, c->in, EPOLLIN, on_in, c)) {
		/* No memory just now: the next round tries again. */
		fd_signal(c->wake);
		return;
	}
	c->watched = on;
}

static void read_some(struct console *c)
{
	uint8_t buf[READ_SIZE];
	ssize_t n = read(c->in, buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++)
		type(c, buf[i]);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	watch(c, false);
	fd_close(&c->in);
}

static void pump(struct console *c)
{
	bool taken = deliver(c);

	if (c->in < 0)
		return;
	if (!c->sink) {
		watch(c, false);
	} else if (c->pollable) {
		watch(c, taken || c->escape);
	} else if (taken) {
		/* What epoll doesn't take never blocks. One piece, then it is others' turn. */
		read_some(c);
		fd_signal(c->wake);
	}
}

static void on_in(void *opaque, uint32_t events)
{
	struct console *c = opaque;

	(void)events;
	read_some(c);
	pump(c);
}

static void on_wake(void *opaque, uint32_t events)
{
	struct console *c = opaque;

	(void)events;
	fd_drain(c->wake);
	pump(c);
}

void console_attach(struct console *c, const struct console_sink *sink, void *opaque)
{
	c->sink = sink;
	c->device = opaque;
	pump(c);
}

/* What can be opened a second time. Opening a pty's master would make another pty. */
static bool can_reopen(int fd, const struct stat *st)
{
	unsigned pty;

	return S_ISFIFO(st->st_mode) ||
	       (S_ISCHR(st->st_mode) && isatty(fd) && ioctl(fd, TIOCGPTN, &pty));
}

/* *own: a descriptor of our own for the file behind fd, or -1 when there is no such file. */
static int own_fd(int fd, int mode, int *own)
{
	char path[32];
	struct stat st;

	*own = -1;
	if (fd < 0 || fstat(fd, &st))
		return 0;
	if (can_reopen(fd, &st)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		*own = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (*own < 0)
		*own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return *own < 0 ? -errno : 0;
}

static int open_out(struct console *c, int out_fd)
{
	int fd;
	int rc = own_fd(out_fd, O_WRONLY, &fd);

	if (rc)
		return rc;
	c->out = outlet_create(c->loop, fd, on_writable, c);
	return c->out ? 0 : -errno;
}

static int open_in(struct console *c, int in_fd)
{
	int rc = fd_eventfd();

	if (rc < 0)
		return rc;
	c->wake = rc;
	rc = loop_add(c->loop, c->wake, EPOLLIN, on_wake, c);
	if (!rc)
		rc = own_fd(in_fd, O_RDONLY, &c->in);
	if (rc || c->in < 0)
		return rc;
	/* Only a trial: it is watched from the time there is a device. */
	rc = loop_add(c->loop, c->in, EPOLLIN, on_in, c);
	c->pollable = !rc;
	if (!rc)
		loop_del(c->loop, c->in);
	return rc == -EPERM ? 0 : rc;
}

struct console *console_create(struct loop *l, int in_fd, int out_fd, bool escape,
			       void (*quit)(void *opaque), void *opaque, struct err *err)
{
	struct console *c = calloc(1, sizeof(*c));
	int rc;

	if (!c) {
		err_sys(err, -ENOMEM, "cannot create the console");
		return NULL;
	}
	c->loop = l;
	c->escape = escape;
	c->quit = quit;
	c->opaque = opaque;
	c->in = c->wake = -1;
	rc = open_out(c, out_fd);
	if (!rc)
		rc = open_in(c, in_fd);
	if (rc) {
		console_destroy(c);
		err_sys(err, rc, "cannot create the console");
		return NULL;
	}
	return c;
}

void console_destroy(struct console *c)
{
	if (!c)
		return;
	watch(c, false);
	outlet_destroy(c->out);
	if (c->wake >= 0)
		loop_del(c->loop, c->wake);
	fd_close(&c->wake);
	fd_close(&c->in);
	free(c);
}
