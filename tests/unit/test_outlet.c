// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/loop_run.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"

static struct loop *loop;
static struct outlet *o;
static unsigned writable_calls;
static bool writable_called;

static void on_writable(void *opaque)
{
	++*(unsigned *)opaque;
	writable_called = true;
}

static void setup(int fd)
{
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	loop = loop_create();
	o = outlet_create(loop, fd, on_writable, &writable_calls);
	ck_assert_ptr_nonnull(o);
}

static void teardown(void)
{
	outlet_destroy(o);
	loop_destroy(loop);
}

static struct outlet_stats stats(void)
{
	struct outlet_stats s;

	outlet_get_stats(o, &s);
	return s;
}

/* Put n bytes that must all be taken. */
static void put_many(size_t n)
{
	size_t taken = 0;

	for (size_t i = 0; i < n; i++)
		taken += outlet_put(o, 'x');
	ck_assert_uint_eq(taken, n);
}

static void put_string(const char *s)
{
	while (*s)
		ck_assert(outlet_put(o, (uint8_t)*s++));
}

/* Put until told "not now"; returns how many were taken. */
static size_t fill(void)
{
	size_t n = 0;

	while (n <= 2 * OUTLET_RING && outlet_put(o, (uint8_t)(n % 251)))
		n++;
	ck_assert_uint_le(n, OUTLET_RING);
	return n;
}

START_TEST(test_bytes_arrive)
{
	char buf[64] = {0};
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	setup(p[1]);
	put_string("hello ");
	loop_run_ms(loop, 10);
	put_string("world");
	loop_run_ms(loop, 10);
	ck_assert_int_eq(read(p[0], buf, sizeof(buf)), 11);
	ck_assert_str_eq(buf, "hello world");
	ck_assert_uint_eq(stats().out, 11);
	ck_assert_uint_eq(stats().dropped, 0);
	ck_assert_uint_eq(writable_calls, 0);
	/* The descriptor was taken over: its end is the pipe's end. */
	teardown();
	ck_assert_int_eq(read(p[0], buf, sizeof(buf)), 0);
	close(p[0]);
}
END_TEST

START_TEST(test_regular_file_and_null)
{
	FILE *f = tmpfile();
	char buf[16] = {0};

	setup(dup(fileno(f)));
	put_string("to a file");
	loop_run_ms(loop, 10);
	ck_assert_int_eq(pread(fileno(f), buf, sizeof(buf), 0), 9);
	ck_assert_str_eq(buf, "to a file");
	teardown();
	fclose(f);
	setup(open("/dev/null", O_WRONLY));
	put_many(1000);
	loop_run_ms(loop, 10);
	ck_assert_uint_eq(stats().out, 1000);
	teardown();
}
END_TEST

START_TEST(test_none)
{
	setup(-1);
	put_many(2 * OUTLET_RING);
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(stats().out, 0);
	ck_assert_uint_eq(stats().dropped, 2 * OUTLET_RING);
	outlet_flush(o, 100);
	teardown();
	outlet_destroy(NULL);
}
END_TEST

START_TEST(test_stalled_reader)
{
	uint64_t start = clock_now_ns();
	size_t taken;
	int p[2];

	/* A blocking pipe nobody reads, of one page. */
	ck_assert_int_eq(pipe(p), 0);
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	setup(p[1]);
	taken = fill();
	ck_assert_uint_eq(taken, OUTLET_RING);
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(writable_calls, 1);
	taken += fill();
	ck_assert_uint_eq(taken, OUTLET_RING + 4096);
	ck_assert_uint_eq(stats().dropped, 0);
	/* "Not now" for a second, however often it is asked. */
	writable_called = false;
	start = clock_now_ns();
	loop_run_ms(loop, OUTLET_STALL_MS / 2);
	ck_assert(!outlet_put(o, 'x'));
	ck_assert(!writable_called);
	ck_assert(loop_run_until(loop, &writable_called, 2 * OUTLET_STALL_MS));
	ck_assert_uint_lt(clock_now_ns() - start, 2 * OUTLET_STALL_MS * NSEC_PER_MSEC);
	/* Then everything is taken at once, and dropped. */
	put_many(4 * OUTLET_RING);
	ck_assert_uint_eq(stats().dropped, 4 * OUTLET_RING);
	ck_assert_uint_eq(stats().out, 4096);
	close(p[0]);
	teardown();
}
END_TEST

START_TEST(test_stalled_reader_comes_back)
{
	static uint8_t buf[OUTLET_RING + 8192];
	size_t taken, got = 0, wrong = 0;
	ssize_t n;
	int p[2];

	ck_assert_int_eq(pipe2(p, O_NONBLOCK), 0);
	fcntl(p[1], F_SETPIPE_SZ, 4096);
	setup(p[1]);
	taken = fill();
	writable_called = false;
	loop_run_ms(loop, 5);
	while (outlet_put(o, (uint8_t)(taken % 251)))
		taken++;
	writable_called = false;
	ck_assert(loop_run_until(loop, &writable_called, 2 * OUTLET_STALL_MS));
	ck_assert(outlet_put(o, '!'));
	ck_assert_uint_eq(stats().dropped, 1);
	while (got < taken) {
		n = read(p[0], buf + got, sizeof(buf) - got);
		if (n > 0)
			got += (size_t)n;
		loop_run_ms(loop, 1);
	}
	/* Nothing but the dropped byte is missing, and bytes are taken again. */
	for (size_t i = 0; i < got; i++)
		wrong += buf[i] != i % 251;
	ck_assert_uint_eq(wrong, 0);
	put_string("again");
	loop_run_ms(loop, 10);
	ck_assert_int_eq(read(p[0], buf, sizeof(buf)), 5);
	ck_assert_uint_eq(stats().out, taken + 5);
	ck_assert_uint_eq(stats().dropped, 1);
	close(p[0]);
	teardown();
}
END_TEST

START_TEST(test_reader_gone)
{
	char buf[8] = {0};
	int p[2], again[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(pipe(again), 0);
	close(p[0]);
	setup(p[1]);
	put_string("nobody");
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(stats().dropped, 6);
	put_many(2 * OUTLET_RING);
	ck_assert_uint_eq(stats().dropped, 6 + 2 * OUTLET_RING);
	/* After a while it tries again; here a new reader is there. */
	ck_assert_int_eq(dup2(again[1], p[1]), p[1]);
	loop_run_ms(loop, OUTLET_STALL_MS + 50);
	put_string("back");
	loop_run_ms(loop, 5);
	ck_assert_int_eq(read(again[0], buf, sizeof(buf)), 4);
	ck_assert_str_eq(buf, "back");
	ck_assert_uint_eq(stats().out, 4);
	close(again[0]);
	close(again[1]);
	teardown();
}
END_TEST

START_TEST(test_gone_while_stalled)
{
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	setup(p[1]);
	fill();
	loop_run_ms(loop, 5);
	while (outlet_put(o, 'x'))
		;
	writable_called = false;
	close(p[0]);
	/* Told at once, not after the stall time. */
	ck_assert(loop_run_until(loop, &writable_called, OUTLET_STALL_MS / 2));
	ck_assert(outlet_put(o, 'x'));
	ck_assert_uint_eq(stats().dropped, OUTLET_RING + 1);
	teardown();
}
END_TEST

START_TEST(test_socket)
{
	static char buf[4096];
	size_t taken, got = 0;
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	setup(s[1]);
	/* More than the socket buffers: a blocking write would hang here. */
	taken = 0;
	for (int i = 0; i < 10; i++) {
		taken += fill();
		loop_run_ms(loop, 5);
	}
	while (got < taken) {
		ssize_t n = recv(s[0], buf, sizeof(buf), MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else
			loop_run_ms(loop, 1);
	}
	ck_assert_uint_eq(stats().out, taken);
	close(s[0]);
	teardown();
}
END_TEST

START_TEST(test_stalled_terminal)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	uint64_t start;

	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(slave, 0);
	setup(slave);
	/* Newlines take two bytes each on the other side. */
	for (unsigned i = 0; i < 20; i++) {
		while (outlet_put(o, '\n'))
			;
		start = clock_now_ns();
		loop_run_ms(loop, 5);
		ck_assert_uint_lt(clock_now_ns() - start, NSEC_PER_SEC / 2);
	}
	ck_assert_uint_eq(stats().dropped, 0);
	start = clock_now_ns();
	outlet_flush(o, 50);
	ck_assert_uint_lt(clock_now_ns() - start, NSEC_PER_SEC / 2);
	ck_assert_uint_gt(stats().out, 0);
	/* Others find the terminal as it was. */
	ck_assert_int_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	close(master);
	teardown();
}
END_TEST

START_TEST(test_flush)
{
	static uint8_t buf[OUTLET_RING];
	uint64_t start;
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	setup(p[1]);
	put_string("last words");
	outlet_flush(o, 1000);
	ck_assert_int_eq(read(p[0], buf, sizeof(buf)), 10);
	/* Nobody reads: it comes back in time. */
	while (outlet_put(o, 'x'))
		;
	outlet_flush(o, 10);
	while (outlet_put(o, 'x'))
		;
	start = clock_now_ns();
	outlet_flush(o, 50);
	ck_assert_uint_ge(clock_now_ns() - start, 50 * NSEC_PER_MSEC);
	ck_assert_uint_lt(clock_now_ns() - start, 1000 * NSEC_PER_MSEC);
	outlet_flush(o, 0);
	/* Nobody is there: at once. */
	close(p[0]);
	start = clock_now_ns();
	outlet_flush(o, 5000);
	ck_assert_uint_lt(clock_now_ns() - start, NSEC_PER_SEC);
	teardown();
}
END_TEST

START_TEST(test_lost)
{
	setup(-1);
	outlet_lost(o, 3);
	ck_assert_uint_eq(stats().dropped, 3);
	teardown();
}
END_TEST

#define THREADS	   4
#define PER_THREAD 100000

static void *producer(void *opaque)
{
	for (unsigned i = 0; i < PER_THREAD; i++) {
		while (!outlet_put(o, (uint8_t)(uintptr_t)opaque))
			usleep(100);
	}
	return NULL;
}

static void *reader(void *opaque)
{
	static uint8_t buf[1000];
	unsigned *count = opaque;
	ssize_t n;

	while ((n = read((int)count[THREADS], buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			count[buf[i]]++;
	}
	return NULL;
}

START_TEST(test_many_threads)
{
	pthread_t t[THREADS], r;
	unsigned count[THREADS + 1] = {0};
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	setup(p[1]);
	count[THREADS] = (unsigned)p[0];
	pthread_create(&r, NULL, reader, count);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, producer, (void *)i);
	while (stats().out < THREADS * PER_THREAD)
		loop_run_ms(loop, 5);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	teardown();
	pthread_join(r, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_uint_eq(count[i], PER_THREAD);
	close(p[0]);
}
END_TEST

UNIT_MAIN("outlet", test_bytes_arrive, test_regular_file_and_null, test_none,
	  test_stalled_reader, test_stalled_reader_comes_back, test_reader_gone,
	  test_gone_while_stalled, test_socket, test_stalled_terminal, test_flush, test_lost,
	  test_many_threads)
