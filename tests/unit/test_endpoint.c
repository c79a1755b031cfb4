// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/ctl_fixture.h"
#include "tests/unit/unit.h"
#include "vmm/base/clock.h"
#include "vmm/base/fd.h"

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

/* What kill -9 leaves: the file, and nobody behind it. */
static void make_stale(const struct rundir *d, const char *name)
{
	struct endpoint e;
	struct err err;

	ck_assert_int_eq(endpoint_listen(&e, d, name, &err), 0);
	fd_close(&e.fd);
	ck_assert(exists(e.path));
}

START_TEST(test_listen_and_connect)
{
	struct rundir d;
	struct endpoint e;
	struct stat st;
	struct err err;
	int fd, peer;
	char c = 'x';

	ctl_fixture_setup(&d);
	umask(0);
	ck_assert_int_eq(endpoint_listen(&e, &d, "vm", &err), 0);
	ck_assert_int_eq(lstat(e.path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(accept(e.fd, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);

	fd = endpoint_connect(&d, "vm", endpoint_deadline(1000), &err);
	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	peer = accept(e.fd, NULL, NULL);
	ck_assert_int_eq(write(peer, &c, 1), 1);
	ck_assert_int_eq(endpoint_wait(fd, POLLIN, endpoint_deadline(1000)), 0);
	close(peer);
	close(fd);

	endpoint_close(&e);
	ck_assert_int_eq(e.fd, -1);
	endpoint_close(&e);
	ck_assert_int_eq(endpoint_connect(&d, "vm", endpoint_deadline(1000), &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "'vm'"));
	ctl_fixture_teardown(&d);
}
END_TEST

START_TEST(test_a_live_name_is_taken)
{
	struct rundir d;
	struct endpoint a, b;
	struct err err;

	ctl_fixture_setup(&d);
	ck_assert_int_eq(endpoint_listen(&a, &d, "vm", &err), 0);
	ck_assert_int_eq(endpoint_listen(&b, &d, "vm", &err), -EEXIST);
	ck_assert_str_eq(err.msg, "a VM named 'vm' is running");
	ck_assert_int_eq(b.fd, -1);
	endpoint_close(&b);
	ck_assert(exists(a.path));
	endpoint_close(&a);
	ctl_fixture_teardown(&d);
}
END_TEST

START_TEST(test_a_full_backlog_is_alive)
{
	struct rundir d;
	struct endpoint a, b;
	struct err err;
	uint64_t start;
	int rc = 0, n = 0, fds[256];

	ctl_fixture_setup(&d);
	ck_assert_int_eq(endpoint_listen(&a, &d, "vm", &err), 0);
	while (n < 256 && (rc = endpoint_connect(&d, "vm", 0, &err)) >= 0)
		fds[n++] = rc;
	ck_assert_int_eq(rc, -ETIMEDOUT);
	ck_assert_int_eq(endpoint_listen(&b, &d, "vm", &err), -EEXIST);
	start = clock_now_ns();
	ck_assert_int_eq(endpoint_connect(&d, "vm", endpoint_deadline(50), &err), -ETIMEDOUT);
	ck_assert_uint_ge(clock_now_ns() - start, 50 * NSEC_PER_MSEC);
	ck_assert(exists(a.path));
	while (n)
		close(fds[--n]);
	endpoint_close(&a);
	ctl_fixture_teardown(&d);
}
END_TEST

START_TEST(test_stale_is_replaced_by_a_starter)
{
	struct rundir d;
	struct endpoint e;
	struct err err;
	int fd;

	ctl_fixture_setup(&d);
	make_stale(&d, "vm");
	ck_assert_int_eq(endpoint_listen(&e, &d, "vm", &err), 0);
	fd = endpoint_connect(&d, "vm", endpoint_deadline(1000), &err);
	ck_assert_int_ge(fd, 0);
	close(fd);
	endpoint_close(&e);
	ctl_fixture_teardown(&d);
}
END_TEST

START_TEST(test_stale_is_removed_by_a_client)
{
	struct rundir d;
	struct err err;

	ctl_fixture_setup(&d);
	make_stale(&d, "vm");
	ck_assert_int_eq(endpoint_connect(&d, "vm", endpoint_deadline(1000), &err),
			 -ECONNREFUSED);
	ck_assert_ptr_nonnull(strstr(err.msg, "'vm' is dead"));
	ck_assert_int_eq(endpoint_connect(&d, "vm", endpoint_deadline(1000), &err), -ENOENT);
	ctl_fixture_teardown(&d);
}
END_TEST

START_TEST(test_other_files_are_left_alone)
{
	struct rundir d;
	struct endpoint e;
	struct err err;
	char path[RUNDIR_PATH_MAX];

	ctl_fixture_setup(&d);
	ck_assert_int_eq(rundir_socket(&d, "vm", path, &err), 0);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(endpoint_listen(&e, &d, "vm", &err), -ENOTSOCK);
	ck_assert_int_eq(endpoint_connect(&d, "vm", endpoint_deadline(100), &err), -ENOTSOCK);
	ck_assert(exists(path));
	unlink(path);
	ck_assert_int_eq(endpoint_connect(&d, "../vm", endpoint_deadline(100), &err), -EINVAL);
	ctl_fixture_teardown(&d);
}
END_TEST

/* Someone removed our file by hand, and another VM took the name. */
START_TEST(test_close_keeps_another_vms_socket)
{
	struct rundir d;
	struct endpoint a, b;
	struct err err;

	ctl_fixture_setup(&d);
	ck_assert_int_eq(endpoint_listen(&a, &d, "vm", &err), 0);
	unlink(a.path);
	ck_assert_int_eq(endpoint_listen(&b, &d, "vm", &err), 0);
	endpoint_close(&a);
	ck_assert(exists(b.path));
	endpoint_close(&b);
	ctl_fixture_teardown(&d);
}
END_TEST

START_TEST(test_lock_is_waited_for)
{
	struct rundir d;
	struct err err;
	int lock;

	ctl_fixture_setup(&d);
	make_stale(&d, "vm");
	lock = open(d.path, O_RDONLY);
	ck_assert_int_eq(flock(lock, LOCK_EX), 0);
	/* A starter may be between its bind and its listen: nothing is removed. */
	ck_assert_int_eq(endpoint_connect(&d, "vm", endpoint_deadline(60), &err), -ETIMEDOUT);
	close(lock);
	ck_assert_int_eq(endpoint_connect(&d, "vm", endpoint_deadline(60), &err),
			 -ECONNREFUSED);
	ctl_fixture_teardown(&d);
}
END_TEST

/* Starts, says 'w' or 'l' on the pipe, and a winner holds the name until it is killed. */
static void starter(const struct rundir *d, int go, int out)
{
	struct endpoint e;
	struct err err;
	char c;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &c, 1) != 0)
		_exit(1);
	rc = endpoint_listen(&e, d, "vm", &err);
	c = !rc ? 'w' : rc == -EEXIST ? 'l' : '?';
	if (write(out, &c, 1) != 1 || rc)
		_exit(0);
	for (;;)
		pause();
}

START_TEST(test_one_of_many_starters_wins)
{
	enum { N = 8, ROUNDS = 15 };
	struct rundir d;
	struct err err;

	ctl_fixture_setup(&d);
	for (int round = 0; round < ROUNDS; round++) {
		pid_t pids[N];
		int go[2], out[2], won = 0, fd;

		/* From the second round on a killed winner's socket is there. */
		ck_assert_int_eq(pipe(go) | pipe(out), 0);
		for (int i = 0; i < N; i++) {
			pids[i] = fork();
			if (!pids[i]) {
				close(go[1]);
				starter(&d, go[0], out[1]);
			}
		}
		close(go[0]);
		close(go[1]);
		for (int i = 0; i < N; i++) {
			char c;

			ck_assert_int_eq(read(out[0], &c, 1), 1);
			ck_assert_int_ne(c, '?');
			won += c == 'w';
		}
		ck_assert_int_eq(won, 1);
		fd = endpoint_connect(&d, "vm", endpoint_deadline(1000), &err);
		ck_assert_int_ge(fd, 0);
		close(fd);
		for (int i = 0; i < N; i++) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
		close(out[0]);
		close(out[1]);
	}
	ck_assert_int_eq(endpoint_connect(&d, "vm", endpoint_deadline(1000), &err),
			 -ECONNREFUSED);
	ctl_fixture_teardown(&d);
}
END_TEST

START_TEST(test_deadlines)
{
	int fds[2];
	uint64_t start = clock_now_ns();

	ck_assert_uint_eq(endpoint_deadline(-1), ENDPOINT_NEVER);
	ck_assert(!endpoint_expired(ENDPOINT_NEVER));
	ck_assert(endpoint_expired(endpoint_deadline(0)));
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(endpoint_wait(fds[0], POLLIN, endpoint_deadline(30)), -ETIMEDOUT);
	ck_assert_uint_ge(clock_now_ns() - start, 30 * NSEC_PER_MSEC);
	close(fds[1]);
	ck_assert_int_eq(endpoint_wait(fds[0], POLLIN, ENDPOINT_NEVER), 0);
	close(fds[0]);
}
END_TEST

UNIT_MAIN("endpoint", test_listen_and_connect, test_a_live_name_is_taken,
	  test_a_full_backlog_is_alive, test_stale_is_replaced_by_a_starter,
	  test_stale_is_removed_by_a_client, test_other_files_are_left_alone,
	  test_close_keeps_another_vms_socket, test_lock_is_waited_for,
	  test_one_of_many_starters_wins, test_deadlines)
