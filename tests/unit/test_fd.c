// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/unit/unit.h"

START_TEST(test_eventfd)
{
	int fd = fd_eventfd();
	uint64_t full = UINT64_MAX - 1;

	ck_assert_int_ge(fd, 0);
	ck_assert(!fd_drain(fd));
	fd_signal(fd);
	fd_signal(fd);
	ck_assert(fd_drain(fd));
	ck_assert(!fd_drain(fd));
	ck_assert_int_eq(write(fd, &full, sizeof(full)), sizeof(full));
	fd_signal(fd);
	ck_assert(fd_drain(fd));
	fd_close(&fd);
	ck_assert_int_eq(fd, -1);
	fd_close(&fd);
}
END_TEST

START_TEST(test_drain_timerfd)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec its = {.it_value = {0, 1000}};

	ck_assert(!fd_drain(fd));
	timerfd_settime(fd, 0, &its, NULL);
	usleep(5000);
	ck_assert(fd_drain(fd));
	ck_assert(!fd_drain(fd));
	close(fd);
}
END_TEST

START_TEST(test_set_nonblock)
{
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(fd_set_nonblock(p[0], true), 0);
	ck_assert_int_ne(fcntl(p[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fd_set_nonblock(p[0], false), 0);
	ck_assert_int_eq(fcntl(p[0], F_GETFL) & O_NONBLOCK, 0);
	close(p[0]);
	close(p[1]);
	ck_assert_int_eq(fd_set_nonblock(p[0], true), -EBADF);
}
END_TEST

START_TEST(test_pread_full)
{
	FILE *f = tmpfile();
	char buf[8] = {0};
	int p[2];

	ck_assert_int_eq(fputs("0123456789", f), 1);
	fflush(f);
	ck_assert_int_eq(fd_pread_full(fileno(f), buf, 4, 3), 0);
	ck_assert_int_eq(memcmp(buf, "3456", 4), 0);
	ck_assert_int_eq(fd_pread_full(fileno(f), buf, 5, 6), -ENODATA);
	ck_assert_int_eq(fd_pread_full(fileno(f), buf, 0, 100), 0);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(fd_pread_full(p[0], buf, 1, 0), -ESPIPE);
	close(p[0]);
	close(p[1]);
	fclose(f);
}
END_TEST

#define BULK (1 << 20)

struct reader {
	int fd;
	size_t got;
	bool in_order;
};

static void *read_all(void *opaque)
{
	struct reader *r = opaque;
	unsigned char buf[777];
	ssize_t n;

	r->in_order = true;
	while ((n = read(r->fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++, r->got++)
			r->in_order = r->in_order && buf[i] == r->got % 251;
	}
	return NULL;
}

START_TEST(test_write_full)
{
	unsigned char *data = malloc(BULK);
	struct reader r = {0};
	pthread_t t;
	int p[2];

	for (size_t i = 0; i < BULK; i++)
		data[i] = i % 251;
	for (int nonblock = 0; nonblock < 2; nonblock++) {
		ck_assert_int_eq(pipe(p), 0);
		fd_set_nonblock(p[1], nonblock);
		r = (struct reader){.fd = p[0]};
		pthread_create(&t, NULL, read_all, &r);
		ck_assert_int_eq(fd_write_full(p[1], data, BULK), 0);
		close(p[1]);
		pthread_join(t, NULL);
		ck_assert_uint_eq(r.got, BULK);
		ck_assert(r.in_order);
		close(p[0]);
	}
	free(data);
}
END_TEST

START_TEST(test_write_errors)
{
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(p), 0);
	close(p[0]);
	ck_assert_int_eq(fd_write_full(p[1], "x", 1), -EPIPE);
	close(p[1]);
	ck_assert_int_eq(fd_write_full(p[1], "x", 1), -EBADF);
	ck_assert_int_eq(fd_write_full(p[1], "x", 0), 0);
}
END_TEST

UNIT_MAIN("fd", test_eventfd, test_drain_timerfd, test_set_nonblock, test_pread_full,
	  test_write_full, test_write_errors)
