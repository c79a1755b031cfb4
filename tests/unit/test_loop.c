// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/loop_run.h"
#include "tests/unit/unit.h"
#include "vmm/base/fd.h"

struct peer {
	struct loop *loop;
	struct peer *other;
	int fd;
	unsigned calls;
	uint32_t events;
};

static void on_count(void *opaque, uint32_t events)
{
	struct peer *p = opaque;

	fd_drain(p->fd);
	p->calls++;
	p->events = events;
}

/* Deletes both itself and the other, whose event is in the same round. */
static void on_delete_both(void *opaque, uint32_t events)
{
	struct peer *p = opaque;

	(void)events;
	p->calls++;
	loop_del(p->loop, p->fd);
	loop_del(p->loop, p->other->fd);
}

static void on_replace_other(void *opaque, uint32_t events)
{
	struct peer *p = opaque;

	(void)events;
	p->calls++;
	fd_drain(p->fd);
	loop_del(p->loop, p->other->fd);
	ck_assert_int_eq(loop_add(p->loop, p->other->fd, EPOLLIN, on_count, p->other), 0);
}

static struct peer peer(struct loop *l)
{
	return (struct peer){.loop = l, .fd = fd_eventfd()};
}

START_TEST(test_watch)
{
	struct loop *l = loop_create();
	struct peer a = peer(l);

	ck_assert_int_eq(loop_add(l, a.fd, EPOLLIN, on_count, &a), 0);
	ck_assert_int_eq(loop_add(l, a.fd, EPOLLIN, on_count, &a), -EEXIST);
	loop_run_ms(l, 2);
	ck_assert_uint_eq(a.calls, 0);
	fd_signal(a.fd);
	loop_run_ms(l, 2);
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(a.events, EPOLLIN);
	ck_assert_int_eq(loop_mod(l, a.fd, 0), 0);
	fd_signal(a.fd);
	loop_run_ms(l, 2);
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_int_eq(loop_mod(l, a.fd, EPOLLIN), 0);
	loop_run_ms(l, 2);
	ck_assert_uint_eq(a.calls, 2);
	loop_del(l, a.fd);
	loop_del(l, a.fd);
	ck_assert_int_eq(loop_mod(l, a.fd, EPOLLIN), -ENOENT);
	fd_signal(a.fd);
	loop_run_ms(l, 2);
	ck_assert_uint_eq(a.calls, 2);
	close(a.fd);
	loop_destroy(l);
}
END_TEST

START_TEST(test_delete_within_round)
{
	struct loop *l = loop_create();
	struct peer a = peer(l), b = peer(l);

	a.other = &b;
	b.other = &a;
	ck_assert_int_eq(loop_add(l, a.fd, EPOLLIN, on_delete_both, &a), 0);
	ck_assert_int_eq(loop_add(l, b.fd, EPOLLIN, on_delete_both, &b), 0);
	fd_signal(a.fd);
	fd_signal(b.fd);
	loop_run_ms(l, 5);
	ck_assert_uint_eq(a.calls + b.calls, 1);
	close(a.fd);
	close(b.fd);
	loop_destroy(l);
}
END_TEST

START_TEST(test_replace_within_round)
{
	struct loop *l = loop_create();
	struct peer a = peer(l), b = peer(l);

	/* The old registration of b isn't called; the new one is, once. */
	a.other = &b;
	ck_assert_int_eq(loop_add(l, a.fd, EPOLLIN, on_replace_other, &a), 0);
	ck_assert_int_eq(loop_add(l, b.fd, EPOLLIN, on_delete_both, &b), 0);
	b.other = &b;
	fd_signal(a.fd);
	fd_signal(b.fd);
	loop_run_ms(l, 5);
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(b.calls, 1);
	ck_assert(!fd_drain(b.fd));
	close(a.fd);
	close(b.fd);
	loop_destroy(l);
}
END_TEST

START_TEST(test_regular_file)
{
	struct loop *l = loop_create();
	FILE *f = tmpfile();

	ck_assert_int_eq(loop_add(l, fileno(f), EPOLLIN, on_count, NULL), -EPERM);
	ck_assert_int_eq(loop_add(l, -1, EPOLLIN, on_count, NULL), -EBADF);
	fclose(f);
	loop_destroy(l);
}
END_TEST

struct ticks {
	struct loop *loop;
	struct loop_timer *timer;
	unsigned n, stop_at;
	bool destroy;
};

static void on_tick(void *opaque)
{
	struct ticks *t = opaque;

	t->n++;
	if (t->destroy) {
		loop_timer_destroy(t->timer);
		t->timer = NULL;
	}
	if (t->n == t->stop_at)
		loop_stop(t->loop);
}

START_TEST(test_timers)
{
	struct loop *l = loop_create();
	struct ticks periodic = {.loop = l, .stop_at = 5}, once = {.loop = l},
		     off = {.loop = l};
	struct ticks own = {.loop = l, .destroy = true};
	uint64_t start = clock_now_ns();

	periodic.timer = loop_timer_create(l, on_tick, &periodic);
	once.timer = loop_timer_create(l, on_tick, &once);
	off.timer = loop_timer_create(l, on_tick, &off);
	own.timer = loop_timer_create(l, on_tick, &own);
	loop_timer_set(periodic.timer, 20 * NSEC_PER_MSEC, 10 * NSEC_PER_MSEC);
	loop_timer_set(once.timer, 1, 0);
	loop_timer_set(off.timer, NSEC_PER_MSEC, NSEC_PER_MSEC);
	loop_timer_set(off.timer, 0, NSEC_PER_MSEC);
	loop_timer_set(own.timer, NSEC_PER_MSEC, NSEC_PER_MSEC);
	loop_run(l);
	ck_assert_uint_ge(clock_now_ns() - start, 60 * NSEC_PER_MSEC);
	ck_assert_uint_eq(periodic.n, 5);
	ck_assert_uint_eq(once.n, 1);
	ck_assert_uint_eq(off.n, 0);
	ck_assert_uint_eq(own.n, 1);
	loop_timer_destroy(periodic.timer);
	loop_timer_destroy(once.timer);
	loop_timer_destroy(off.timer);
	loop_timer_destroy(NULL);
	loop_destroy(l);
}
END_TEST

static void *stopper(void *opaque)
{
	usleep(20000);
	loop_stop(opaque);
	return NULL;
}

START_TEST(test_stop_from_thread)
{
	struct loop *l = loop_create();
	pthread_t t;

	pthread_create(&t, NULL, stopper, l);
	loop_run(l);
	pthread_join(t, NULL);
	/* A stop before the run counts for it. */
	loop_stop(l);
	loop_run(l);
	loop_destroy(l);
	loop_destroy(NULL);
}
END_TEST

START_TEST(test_no_descriptors_left)
{
	struct rlimit old, lim;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	lim = old;
	/* Room for the epoll descriptor, none for the eventfd. */
	lim.rlim_cur = (rlim_t)dup(0) + 1;
	close((int)lim.rlim_cur - 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	ck_assert_ptr_null(loop_create());
	ck_assert_int_eq(errno, EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
}
END_TEST

UNIT_MAIN("loop", test_watch, test_delete_within_round, test_replace_within_round,
	  test_regular_file, test_timers, test_stop_from_thread, test_no_descriptors_left)
