// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"

struct watch {
	int fd; /* -1: deleted, freed after the round */
	loop_fn fn;
	void *opaque;
	struct watch *next;
};

struct loop {
	int epfd;
	int wakefd;
	_Atomic bool stopped;
	struct watch *watches;
	bool dispatching;
	bool garbage;
};

struct loop_timer {
	struct loop *loop;
	int fd;
	void (*fn)(void *opaque);
	void *opaque;
};

static void on_wake(void *opaque, uint32_t events)
{
	struct loop *l = opaque;

	(void)events;
	fd_drain(l->wakefd);
}

struct loop *loop_create(void)
{
	struct loop *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return NULL;
	l->wakefd = -1;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	rc = l->epfd < 0 ? -errno : fd_eventfd();
	if (rc >= 0) {
		l->wakefd = rc;
		rc = loop_add(l, l->wakefd, EPOLLIN, on_wake, l);
	}
	if (rc < 0) {
		loop_destroy(l);
		errno = -rc;
		return NULL;
	}
	return l;
}

static void sweep(struct loop *l, bool all)
{
	struct watch **p = &l->watches;

	while (*p) {
		struct watch *w = *p;

		if (all || w->fd < 0) {
			*p = w->next;
			free(w);
		} else {
			p = &w->next;
		}
	}
	l->garbage = false;
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	sweep(l, true);
	fd_close(&l->wakefd);
	fd_close(&l->epfd);
	free(l);
}

static struct watch *lookup(struct loop *l, int fd)
{
	struct watch *w = l->watches;

	while (w && w->fd != fd)
		w = w->next;
	return w;
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *opaque)
{
	struct watch *w = malloc(sizeof(*w));
	struct epoll_event ev = {.events = events, .data.ptr = w};

	if (!w)
		return -ENOMEM;
	*w = (struct watch){.fd = fd, .fn = fn, .opaque = opaque, .next = l->watches};
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev)) {
		int rc = -errno;

		free(w);
		return rc;
	}
	l->watches = w;
	return 0;
}

int loop_mod(struct loop *l, int fd, uint32_t events)
{
	struct watch *w = lookup(l, fd);
	struct epoll_event ev = {.events = events, .data.ptr = w};

	if (!w)
		return -ENOENT;
	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, fd, &ev) ? -errno : 0;
}

void loop_del(struct loop *l, int fd)
{
	struct watch *w = lookup(l, fd);

	if (!w)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, fd, NULL);
	/* Events of this round may still point at the watch. */
	w->fd = -1;
	l->garbage = true;
	if (!l->dispatching)
		sweep(l, false);
}

void loop_run(struct loop *l)
{
	while (!atomic_exchange(&l->stopped, false)) {
		struct epoll_event ev[16];
		int n = epoll_wait(l->epfd, ev, 16, -1);

		l->dispatching = true;
		for (int i = 0; i < n; i++) {
			struct watch *w = ev[i].data.ptr;

			if (w->fd >= 0)
				w->fn(w->opaque, ev[i].events);
		}
		l->dispatching = false;
		if (l->garbage)
			sweep(l, false);
	}
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stopped, true);
	fd_signal(l->wakefd);
}

static void on_timer(void *opaque, uint32_t events)
{
	struct loop_timer *t = opaque;

	(void)events;
	if (fd_drain(t->fd))
		t->fn(t->opaque);
}

struct loop_timer *loop_timer_create(struct loop *l, void (*fn)(void *opaque), void *opaque)
{
	struct loop_timer *t = malloc(sizeof(*t));
	int rc;

	if (!t)
		return NULL;
	*t = (struct loop_timer){.loop = l, .fn = fn, .opaque = opaque};
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	rc = t->fd < 0 ? -errno : loop_add(l, t->fd, EPOLLIN, on_timer, t);
	if (rc) {
		fd_close(&t->fd);
		free(t);
		errno = -rc;
		return NULL;
	}
	return t;
}

void loop_timer_destroy(struct loop_timer *t)
{
	if (!t)
		return;
	loop_del(t->loop, t->fd);
	fd_close(&t->fd);
	free(t);
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ns, uint64_t period_ns)
{
	struct itimerspec its = {
		.it_value = {(time_t)(delay_ns / NSEC_PER_SEC),
			     (long)(delay_ns % NSEC_PER_SEC)},
		.it_interval = {(time_t)(period_ns / NSEC_PER_SEC),
				(long)(period_ns % NSEC_PER_SEC)},
	};

	timerfd_settime(t->fd, 0, &its, NULL);
}
