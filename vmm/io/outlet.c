// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"

#define CHUNK 4096 /* of a pipe, this much is taken or nothing */
/* Writes in one go, so that a busy guest doesn't keep the loop from its other work. */
#define CHUNKS_PER_ROUND 16
#define RETRY_MS	 20

enum state {
	OPEN,	 /* a full ring refuses bytes */
	STALLED, /* a full ring drops bytes */
	GONE,	 /* every byte is dropped until the timer */
};

struct outlet {
	void (*writable)(void *opaque);
	void *opaque;
	int wake; /* eventfd: the loop must look at the ring, or a byte was refused */

	/* Loop's thread only. */
	struct loop *loop;
	int fd;
	bool socket;   /* MSG_DONTWAIT does it */
	bool blocking; /* must be made non-blocking for the length of a write */
	bool watched, complained;
	struct loop_timer *linger, *stall;
	bool stall_armed;

	pthread_mutex_t lock; /* the rest */
	uint8_t ring[OUTLET_RING];
	size_t head, len;
	bool awake;   /* the loop will look at the ring without being told */
	bool refused; /* writable() is owed */
	enum state state;
	struct outlet_stats stats;
};

bool outlet_put(struct outlet *o, uint8_t byte)
{
	bool taken = true, signal = false;

	pthread_mutex_lock(&o->lock);
	if (o->state == GONE) {
		o->stats.dropped++;
	} else if (o->len < OUTLET_RING) {
		o->ring[(o->head + o->len++) % OUTLET_RING] = byte;
		signal = !o->awake;
		o->awake = true;
	} else if (o->state == STALLED) {
		o->stats.dropped++;
	} else {
		signal = !o->refused;
		o->refused = true;
		taken = false;
	}
	pthread_mutex_unlock(&o->lock);
	if (signal)
		fd_signal(o->wake);
	return taken;
}

void outlet_lost(struct outlet *o, size_t n)
{
	pthread_mutex_lock(&o->lock);
	o->stats.dropped += n;
	pthread_mutex_unlock(&o->lock);
}

void outlet_get_stats(struct outlet *o, struct outlet_stats *s)
{
	pthread_mutex_lock(&o->lock);
	*s = o->stats;
	pthread_mutex_unlock(&o->lock);
}

static void arm_stall(struct outlet *o, bool on)
{
	o->stall_armed = on;
	loop_timer_set(o->stall, on ? OUTLET_STALL_MS * NSEC_PER_MSEC : 0, 0);
}

/* The oldest bytes that lie in one piece; they stay until moved(). */
static size_t peek(struct outlet *o, const uint8_t **p)
{
	size_t n;

	pthread_mutex_lock(&o->lock);
	n = OUTLET_RING - o->head;
	if (n > o->len)
		n = o->len;
	*p = o->ring + o->head;
	pthread_mutex_unlock(&o->lock);
	return n < CHUNK ? n : CHUNK;
}

static void moved(struct outlet *o, size_t n)
{
	bool waits;

	pthread_mutex_lock(&o->lock);
	o->len -= n;
	/* An empty ring starts over, so a quiet guest keeps few of its pages in use. */
	o->head = o->len ? (o->head + n) % OUTLET_RING : 0;
	o->stats.out += n;
	o->state = OPEN;
	waits = o->refused;
	o->refused = false;
	pthread_mutex_unlock(&o->lock);
	if (o->stall_armed)
		arm_stall(o, false);
	if (waits)
		o->writable(o->opaque);
}

static void failed(struct outlet *o, int rc)
{
	bool waits;

	pthread_mutex_lock(&o->lock);
	o->stats.dropped += o->len;
	o->len = o->head = 0;
	o->awake = false;
	o->state = GONE;
	waits = o->refused;
	o->refused = false;
	pthread_mutex_unlock(&o->lock);
	if (!o->complained)
		log_warn("console output is dropped: %s", strerrordesc_np(-rc));
	o->complained = true;
	arm_stall(o, true);
	if (waits)
		o->writable(o->opaque);
}

/* -EAGAIN: no room within wait_ms. -EBUSY: no room although poll(2) says there is. */
static ssize_t write_chunk(struct outlet *o, const uint8_t *p, size_t n, int wait_ms)
{
	struct pollfd pfd = {.fd = o->fd, .events = POLLOUT};
	ssize_t r;

	if (poll(&pfd, 1, wait_ms) <= 0)
		return -EAGAIN;
	if (o->blocking)
		fd_set_nonblock(o->fd, true);
	do {
		r = o->socket ? send(o->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL)
			      : write(o->fd, p, n);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		r = errno == EAGAIN ? -EBUSY : -errno;
	if (o->blocking)
		fd_set_nonblock(o->fd, false);
	return r;
}

static void on_room(void *opaque, uint32_t events);

/* Only what poll() called not writable comes here, so epoll takes it too. */
static int watch(struct outlet *o, bool on)
{
	int rc = 0;

	if (on && !o->watched)
		rc = loop_add(o->loop, o->fd, EPOLLOUT, on_room, o);
	else if (!on && o->watched)
		loop_del(o->loop, o->fd);
	o->watched = on && !rc;
	return rc;
}

static void look_again(struct outlet *o, unsigned ms)
{
	loop_timer_set(o->linger, ms * NSEC_PER_MSEC, 0);
}

static void idle(struct outlet *o, bool wrote)
{
	if (wrote) {
		look_again(o, OUTLET_LINGER_MS);
		return;
	}
	pthread_mutex_lock(&o->lock);
	if (!o->len)
		o->awake = false;
	else
		fd_signal(o->wake);
	pthread_mutex_unlock(&o->lock);
}

/* One write; false when nothing more is to be done now. */
static bool pump_chunk(struct outlet *o, const uint8_t *p, size_t n)
{
	ssize_t r = write_chunk(o, p, n, 0);

	if (r >= 0) {
		moved(o, (size_t)r);
		return true;
	}
	if (r == -EBUSY) {
		/* A terminal with room for one byte and a newline to write. */
		look_again(o, RETRY_MS);
		return false;
	}
	if (r == -EAGAIN)
		r = watch(o, true);
	if (r)
		failed(o, (int)r);
	return false;
}

static void pump(struct outlet *o)
{
	for (unsigned i = 0; i < CHUNKS_PER_ROUND; i++) {
		const uint8_t *p;
		size_t n = peek(o, &p);

		if (!n) {
			idle(o, i > 0);
			return;
		}
		if (!pump_chunk(o, p, n))
			return;
	}
	fd_signal(o->wake);
}

static void on_room(void *opaque, uint32_t events)
{
	struct outlet *o = opaque;

	(void)events;
	watch(o, false);
	pump(o);
}

static void on_linger(void *opaque)
{
	struct outlet *o = opaque;

	if (!o->watched)
		pump(o);
}

static void on_stall(void *opaque)
{
	struct outlet *o = opaque;
	bool waits = false;

	o->stall_armed = false;
	pthread_mutex_lock(&o->lock);
	if (o->state == GONE) {
		o->state = OPEN;
	} else if (o->refused) {
		o->state = STALLED;
		o->refused = false;
		waits = true;
	}
	pthread_mutex_unlock(&o->lock);
	if (waits)
		o->writable(o->opaque);
}

void outlet_flush(struct outlet *o, unsigned timeout_ms)
{
	uint64_t end = clock_now_ns() + timeout_ms * NSEC_PER_MSEC;
	uint64_t now;
	const uint8_t *p;
	size_t n;

	while ((n = peek(o, &p)) && (now = clock_now_ns()) < end) {
		uint64_t left = (end - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
		ssize_t r = write_chunk(o, p, n, (int)left);

		if (r >= 0)
			moved(o, (size_t)r);
		else if (r == -EBUSY)
			usleep(1000);
		else if (r != -EAGAIN)
			failed(o, (int)r);
	}
}

static void on_wake(void *opaque, uint32_t events)
{
	struct outlet *o = opaque;
	bool waits;

	(void)events;
	fd_drain(o->wake);
	if (!o->watched)
		pump(o);
	pthread_mutex_lock(&o->lock);
	waits = o->refused;
	pthread_mutex_unlock(&o->lock);
	if (waits && !o->stall_armed)
		arm_stall(o, true);
}

static int start(struct outlet *o)
{
	struct stat st;

	o->wake = fd_eventfd();
	if (o->wake < 0)
		return o->wake;
	if (!(o->linger = loop_timer_create(o->loop, on_linger, o)) ||
	    !(o->stall = loop_timer_create(o->loop, on_stall, o)))
		return -errno;
	if (o->fd < 0) {
		o->state = GONE;
	} else {
		if (fstat(o->fd, &st))
			return -errno;
		o->socket = S_ISSOCK(st.st_mode);
		o->blocking = !o->socket && !S_ISREG(st.st_mode) &&
			      !(fcntl(o->fd, F_GETFL) & O_NONBLOCK);
	}
	return loop_add(o->loop, o->wake, EPOLLIN, on_wake, o);
}

struct outlet *outlet_create(struct loop *l, int fd, void (*writable)(void *opaque),
			     void *opaque)
{
	struct outlet *o = calloc(1, sizeof(*o));
	int rc;

	if (!o) {
		fd_close(&fd);
		errno = ENOMEM;
		return NULL;
	}
	o->loop = l;
	o->fd = fd;
	o->writable = writable;
	o->opaque = opaque;
	pthread_mutex_init(&o->lock, NULL);
	rc = start(o);
	if (rc) {
		outlet_destroy(o);
		errno = -rc;
		return NULL;
	}
	return o;
}

void outlet_destroy(struct outlet *o)
{
	if (!o)
		return;
	watch(o, false);
	loop_timer_destroy(o->stall);
	loop_timer_destroy(o->linger);
	if (o->wake >= 0)
		loop_del(o->loop, o->wake);
	fd_close(&o->wake);
	fd_close(&o->fd);
	pthread_mutex_destroy(&o->lock);
	free(o);
}
