// SPDX-License-Identifier: Apache-2.0
/* What the control server does about clients that ask too much of it. */
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "tests/unit/server_fixture.h"
#include "tests/unit/unit.h"
#include "vmm/ctl/conn.h"

/* So many answers that the socket takes only a part of them at once. */
#define MANY 600

static void put_many(struct server_fixture *f, int fd)
{
	static const char command[] = "{\"execute\": \"query-commands\"}\n";
	static char text[MANY * sizeof(command)];
	char *p = text;

	for (int i = 0; i < MANY; i++)
		p = stpcpy(p, command);
	peer_put(fd, text);
	server_run(f);
}

/* Reads as the server writes, until `want` lines have come; what follows them stays. */
static int take_lines(struct server_fixture *f, int fd, int want)
{
	int lines = 0;

	for (int i = 0; i < 2000 && lines < want; i++) {
		const char *p = peer_take(fd);

		if (!*p)
			server_run(f);
		for (; (p = strchr(p, '\n')); p++)
			lines++;
	}
	return lines;
}

static int waiting(int fd)
{
	int n = 0;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

START_TEST(test_slow_reader_gets_everything)
{
	struct server_fixture f;
	int fd, first;

	server_setup(&f);
	fd = server_join(&f);
	put_many(&f, fd);
	first = waiting(fd);
	ck_assert_int_eq(take_lines(&f, fd, MANY), MANY);
	peer_put(fd, CMD_NAME);
	server_run(&f);
	ck_assert_str_eq(peer_take(fd), ANSWER_NAME);

	/* Half-closed with answers waiting: they come before the end does. */
	put_many(&f, fd);
	ck_assert_int_eq(waiting(fd), first);
	shutdown(fd, SHUT_WR);
	server_run(&f);
	ck_assert(!peer_closed(fd));
	ck_assert_int_eq(take_lines(&f, fd, MANY), MANY);
	server_run(&f);
	ck_assert(peer_closed(fd));
	close(fd);
	server_teardown(&f);
}
END_TEST

START_TEST(test_who_never_reads_is_dropped)
{
	struct server_fixture f;
	size_t sent = 0;
	int deaf, other;

	server_setup(&f);
	deaf = server_join(&f);
	other = server_join(&f);
	while (sent < 64 * MIB) {
		ssize_t n = send(deaf, CMD_NAME, strlen(CMD_NAME), MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		if (n < 0)
			server_run(&f);
		else
			sent += (size_t)n;
	}
	ck_assert_uint_lt(sent, 64 * MIB);
	peer_put(other, CMD_NAME);
	server_run(&f);
	ck_assert_str_eq(peer_take(other), ANSWER_NAME);

	/* Events alone do it too; the one that reads keeps its place. */
	close(deaf);
	deaf = server_join(&f);
	for (int i = 0; i < 20000; i++) {
		fake_machine_emit(&f.m, MACHINE_EV_RESUME);
		peer_take(other);
	}
	server_run(&f);
	for (int i = 0; i < 10000 && !peer_closed(deaf); i++)
		peer_take(deaf);
	ck_assert(peer_closed(deaf));
	peer_put(other, CMD_NAME);
	server_run(&f);
	ck_assert_str_eq(peer_take(other), ANSWER_NAME);
	close(deaf);
	close(other);
	server_teardown(&f);
}
END_TEST

START_TEST(test_long_line_is_dropped)
{
	struct server_fixture f;
	static char line[CONN_LINE_MAX + 8192];
	size_t off = 0;
	int fd;

	server_setup(&f);
	fd = server_join(&f);
	memset(line, 'x', sizeof(line));
	for (int i = 0; i < 1000 && off < sizeof(line); i++) {
		ssize_t n = send(fd, line + off, sizeof(line) - off, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		off += n > 0 ? (size_t)n : 0;
		server_run(&f);
	}
	server_run(&f);
	ck_assert(peer_closed(fd));
	close(fd);
	server_teardown(&f);
}
END_TEST

START_TEST(test_one_client_too_many)
{
	struct server_fixture f;
	int fds[CTL_CLIENTS_MAX], extra;

	server_setup(&f);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		fds[i] = server_join(&f);
	extra = server_dial(&f);
	server_run(&f);
	ck_assert(peer_closed(extra));
	close(extra);
	peer_put(fds[0], CMD_NAME);
	server_run(&f);
	ck_assert_str_eq(peer_take(fds[0]), ANSWER_NAME);
	/* A place that becomes free is given again. */
	close(fds[5]);
	server_run(&f);
	fds[5] = server_join(&f);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		close(fds[i]);
	server_teardown(&f);
}
END_TEST

START_TEST(test_out_of_descriptors)
{
	struct server_fixture f;
	struct rlimit rl, old;
	int fd, refused;
	bool is_closed;

	server_setup(&f);
	fd = server_join(&f);
	refused = server_dial(&f);
	getrlimit(RLIMIT_NOFILE, &old);
	rl = old;
	rl.rlim_cur = (rlim_t)dup(0);
	close((int)rl.rlim_cur);
	/* One more than are open: the test's own timer. */
	rl.rlim_cur++;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	server_run(&f);
	is_closed = peer_closed(refused);
	peer_put(fd, CMD_NAME);
	server_run(&f);
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert(is_closed);
	ck_assert_str_eq(peer_take(fd), ANSWER_NAME);
	close(refused);
	close(server_join(&f));
	close(fd);
	server_teardown(&f);
}
END_TEST

UNIT_MAIN("server_limits", test_slow_reader_gets_everything, test_who_never_reads_is_dropped,
	  test_long_line_is_dropped, test_one_client_too_many, test_out_of_descriptors)
