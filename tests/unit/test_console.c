// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/console.h"

#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/loop_run.h"
#include "tests/unit/unit.h"
#include "vmm/base/log.h"

static struct console *c;

/* A device with so much room. */
struct device {
	_Atomic size_t room;
	size_t late_room; /* made just after the next refusal, as by another thread */
	size_t got;
	char text[8192];
	unsigned writable;
};

static size_t dev_receive(void *opaque, const uint8_t *buf, size_t n)
{
	struct device *d = opaque;
	size_t room = atomic_load(&d->room);

	if (n > room)
		n = room;
	memcpy(d->text + d->got, buf, n);
	d->got += n;
	atomic_fetch_sub(&d->room, n);
	if (!n && d->late_room) {
		atomic_fetch_add(&d->room, d->late_room);
		d->late_room = 0;
		console_input_room(c);
	}
	return n;
}

static void dev_writable(void *opaque)
{
	((struct device *)opaque)->writable++;
}

static const struct console_sink sink = {.receive = dev_receive, .writable = dev_writable};

static struct loop *loop;
static struct device dev;
static unsigned quits;

static void on_quit(void *opaque)
{
	ck_assert_ptr_eq(opaque, &dev);
	quits++;
}

static void setup(int in, int out, bool escape, size_t room)
{
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	loop = loop_create();
	c = console_create(loop, in, out, escape, on_quit, &dev, &e);
	ck_assert_ptr_nonnull(c);
	atomic_store(&dev.room, room);
	console_attach(c, &sink, &dev);
}

static void teardown(void)
{
	console_destroy(c);
	loop_destroy(loop);
}

static void make_room(size_t n)
{
	atomic_fetch_add(&dev.room, n);
	console_input_room(c);
}

static uint64_t taken(void)
{
	struct console_stats s;

	console_get_stats(c, &s);
	return s.in;
}

START_TEST(test_pipes)
{
	int in[2], out[2];
	char buf[16] = {0};

	ck_assert_int_eq(pipe(in), 0);
	ck_assert_int_eq(pipe(out), 0);
	setup(in[0], out[1], false, 1000);
	ck_assert_int_eq(write(in[1], "ls\n\x01x", 5), 5);
	ck_assert(console_put(c, '$'));
	loop_run_ms(loop, 10);
	/* A pipe's Ctrl-a isn't ours. */
	ck_assert_uint_eq(dev.got, 5);
	ck_assert_mem_eq(dev.text, "ls\n\x01x", 5);
	ck_assert_uint_eq(quits, 0);
	ck_assert_uint_eq(taken(), 5);
	ck_assert_int_eq(read(out[0], buf, sizeof(buf)), 1);
	ck_assert_str_eq(buf, "$");
	/* The caller's descriptions stayed blocking, and ours go with the console. */
	ck_assert_int_eq(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
	teardown();
	close(out[1]);
	ck_assert_int_eq(read(out[0], buf, sizeof(buf)), 0);
}
END_TEST

START_TEST(test_back_pressure)
{
	static char text[6000];
	int in[2];
	int queued;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	ck_assert_int_eq(pipe2(in, O_NONBLOCK), 0);
	setup(in[0], -1, false, 16);
	ck_assert_int_eq(write(in[1], text, sizeof(text)), sizeof(text));
	loop_run_ms(loop, 10);
	ck_assert_uint_eq(dev.got, 16);
	/* The rest is still in the pipe, but for one read. */
	ck_assert_int_eq(ioctl(in[0], FIONREAD, &queued), 0);
	ck_assert_uint_ge((size_t)queued, sizeof(text) - CONSOLE_TYPEAHEAD);
	while (dev.got < sizeof(text)) {
		size_t before = dev.got;

		make_room(16);
		loop_run_ms(loop, 2);
		ck_assert_uint_gt(dev.got, before);
	}
	ck_assert_mem_eq(dev.text, text, sizeof(text));
	teardown();
}
END_TEST

START_TEST(test_end_of_input)
{
	int in[2];
	clock_t start;

	ck_assert_int_eq(pipe(in), 0);
	setup(in[0], -1, false, 2);
	ck_assert_int_eq(write(in[1], "last", 4), 4);
	close(in[1]);
	loop_run_ms(loop, 10);
	ck_assert_uint_eq(dev.got, 2);
	/* What was read before the end still comes. */
	make_room(100);
	loop_run_ms(loop, 10);
	ck_assert_mem_eq(dev.text, "last", 4);
	/* And the loop sleeps: no event of a closed pipe spins it. */
	start = clock();
	loop_run_ms(loop, 200);
	ck_assert_int_lt(clock() - start, CLOCKS_PER_SEC / 20);
	teardown();
}
END_TEST

START_TEST(test_hangup_while_no_room)
{
	int in[2];
	clock_t start;

	ck_assert_int_eq(pipe(in), 0);
	setup(in[0], -1, false, 0);
	ck_assert_int_eq(write(in[1], "waits", 5), 5);
	close(in[1]);
	loop_run_ms(loop, 5);
	start = clock();
	loop_run_ms(loop, 200);
	ck_assert_int_lt(clock() - start, CLOCKS_PER_SEC / 20);
	make_room(100);
	loop_run_ms(loop, 5);
	ck_assert_mem_eq(dev.text, "waits", 5);
	teardown();
}
END_TEST

START_TEST(test_file_as_input)
{
	FILE *f = tmpfile();
	static char text[3000];

	memset(text, 'f', sizeof(text));
	ck_assert_uint_eq(fwrite(text, 1, sizeof(text), f), sizeof(text));
	rewind(f);
	setup(fileno(f), -1, false, 10);
	loop_run_ms(loop, 10);
	ck_assert_uint_eq(dev.got, 10);
	for (int i = 0; i < 30; i++) {
		make_room(100);
		loop_run_ms(loop, 5);
	}
	ck_assert_uint_eq(dev.got, sizeof(text));
	ck_assert_mem_eq(dev.text, text, sizeof(text));
	teardown();
	fclose(f);
}
END_TEST

START_TEST(test_nothing)
{
	int null = open("/dev/null", O_RDWR), closed = 999;

	setup(null, null, false, 10);
	ck_assert(console_put(c, 'x'));
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(dev.got, 0);
	teardown();
	/* Descriptors that aren't open are as none. */
	setup(closed, closed, false, 10);
	ck_assert(console_put(c, 'x'));
	loop_run_ms(loop, 5);
	teardown();
	setup(-1, -1, true, 10);
	ck_assert(console_put(c, 'x'));
	console_lost(c, 2);
	loop_run_ms(loop, 5);
	console_flush(c, 10);
	{
		struct console_stats s;

		console_get_stats(c, &s);
		ck_assert_uint_eq(s.out, 0);
		ck_assert_uint_eq(s.dropped, 3);
	}
	teardown();
	console_destroy(NULL);
	close(null);
}
END_TEST

static int master, slave;

static void open_pty(void)
{
	struct termios t;

	ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	tcgetattr(slave, &t);
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
}

static void type(const char *keys, size_t n)
{
	ck_assert_int_eq(write(master, keys, n), n);
	loop_run_ms(loop, 10);
}

START_TEST(test_escape)
{
	open_pty();
	/* The same descriptor both ways, as a terminal usually is. */
	setup(slave, slave, true, 1000);
	type("a\x03", 2);
	ck_assert_uint_eq(dev.got, 2);
	ck_assert_mem_eq(dev.text, "a\x03", 2);
	type("\x01\x01", 2);
	ck_assert_uint_eq(dev.got, 3);
	ck_assert_uint_eq(dev.text[2], 0x01);
	/* Unknown: neither of the two. In two parts, too. */
	type("\x01q", 2);
	type("\x01", 1);
	type("z", 1);
	ck_assert_uint_eq(dev.got, 3);
	/* x means something only after Ctrl-a, and two of them are one key. */
	type("x\x01\x01x", 4);
	ck_assert_uint_eq(quits, 0);
	ck_assert_uint_eq(dev.got, 6);
	ck_assert_mem_eq(dev.text + 3, "x\x01x", 3);
	type("\x01", 1);
	type("x", 1);
	ck_assert_uint_eq(quits, 1);
	ck_assert_uint_eq(dev.got, 6);
	ck_assert_int_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	teardown();
}
END_TEST

START_TEST(test_escape_from_a_hung_guest)
{
	static char keys[2 * CONSOLE_TYPEAHEAD];

	open_pty();
	setup(slave, slave, true, 0);
	memset(keys, 'k', sizeof(keys));
	type(keys, sizeof(keys));
	ck_assert_uint_eq(dev.got, 0);
	type("\x01x", 2);
	ck_assert_uint_eq(quits, 1);
	make_room(8192);
	loop_run_ms(loop, 10);
	ck_assert_uint_eq(dev.got, CONSOLE_TYPEAHEAD);
	teardown();
}
END_TEST

START_TEST(test_terminal_hangs_up)
{
	clock_t start;

	open_pty();
	setup(slave, slave, true, 100);
	close(master);
	start = clock();
	for (int i = 0; i < 100; i++) {
		ck_assert(console_put(c, 'x'));
		loop_run_ms(loop, 2);
	}
	ck_assert_int_lt(clock() - start, CLOCKS_PER_SEC / 10);
	{
		struct console_stats s;

		console_get_stats(c, &s);
		ck_assert_uint_eq(s.dropped, 100);
	}
	teardown();
}
END_TEST

START_TEST(test_not_now_reaches_the_device)
{
	size_t n = 0;
	int out[2];

	ck_assert_int_eq(pipe(out), 0);
	setup(-1, out[1], false, 0);
	while (console_put(c, 'x'))
		n++;
	ck_assert_uint_gt(n, 60000);
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(dev.writable, 1);
	/* After disconnecting nobody is called. */
	while (console_put(c, 'x'))
		;
	console_attach(c, NULL, NULL);
	close(out[0]);
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(dev.writable, 1);
	teardown();
}
END_TEST

START_TEST(test_room_made_too_early)
{
	int in[2];

	/* The device tells of its room before the console says that it waits. */
	ck_assert_int_eq(pipe(in), 0);
	setup(in[0], -1, false, 2);
	dev.late_room = 100;
	ck_assert_int_eq(write(in[1], "not lost", 8), 8);
	loop_run_ms(loop, 10);
	ck_assert_uint_eq(dev.got, 8);
	ck_assert_mem_eq(dev.text, "not lost", 8);
	teardown();
}
END_TEST

static _Atomic bool stop;

/* A vCPU that makes room, byte by byte, and tells so each time. */
static void *consumer(void *opaque)
{
	(void)opaque;
	while (!atomic_load(&stop)) {
		if (!atomic_load(&dev.room))
			make_room(1);
	}
	return NULL;
}

START_TEST(test_no_lost_wakeup)
{
	static char text[8000];
	pthread_t t;
	int in[2];

	ck_assert_int_eq(pipe(in), 0);
	setup(in[0], -1, false, 0);
	memset(text, 'w', sizeof(text));
	ck_assert_int_eq(write(in[1], text, sizeof(text)), sizeof(text));
	pthread_create(&t, NULL, consumer, NULL);
	for (int i = 0; i < 3000 && taken() < sizeof(text); i++)
		loop_run_ms(loop, 5);
	ck_assert_uint_eq(taken(), sizeof(text));
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	teardown();
}
END_TEST

START_TEST(test_no_descriptors_left)
{
	struct rlimit old, lim;
	struct err e;
	int p[2], next;

	/* Every descriptor the console needs is once the one too many. */
	ck_assert_int_eq(pipe(p), 0);
	loop = loop_create();
	next = dup(0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	lim = old;
	for (int have = 0;; have++) {
		lim.rlim_cur = (rlim_t)(next + have);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
		c = console_create(loop, p[0], p[1], false, on_quit, NULL, &e);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (c)
			break;
		ck_assert_int_lt(have, 8);
		ck_assert_ptr_nonnull(strstr(e.msg, "Too many open files"));
		/* Nothing was left open. */
		ck_assert_int_eq(dup(0), next);
		close(next);
	}
	console_destroy(c);
	ck_assert_int_eq(dup(0), next);
	loop_destroy(loop);
}
END_TEST

UNIT_MAIN("console", test_pipes, test_back_pressure, test_end_of_input,
	  test_hangup_while_no_room, test_file_as_input, test_nothing, test_escape,
	  test_escape_from_a_hung_guest, test_terminal_hangs_up,
	  test_not_now_reaches_the_device, test_room_made_too_early, test_no_lost_wakeup,
	  test_no_descriptors_left)
