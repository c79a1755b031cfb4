/* SPDX-License-Identifier: Apache-2.0 */
/* The control server on a loop of the test's, with a fake machine, and raw clients. */
#ifndef AEROSTAT_TESTS_SERVER_FIXTURE_H
#define AEROSTAT_TESTS_SERVER_FIXTURE_H

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/ctl_fixture.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/loop_run.h"
#include "vmm/base/size.h"
#include "vmm/ctl/server.h"

#define CMD_HELLO   "{\"execute\": \"qmp_capabilities\"}\n"
#define CMD_NAME    "{\"execute\": \"query-name\"}\n"
#define ANSWER_NAME "{\"return\": {\"name\": \"vm\"}}\r\n"

struct server_fixture {
	struct rundir d;
	struct loop *loop;
	struct machine m;
	struct ctl_server *s;
};

static inline void server_setup(struct server_fixture *f)
{
	struct err err;

	ctl_fixture_setup(&f->d);
	f->loop = loop_create();
	fake_machine_init(&f->m, "vm", 512 * MIB, true);
	f->s = ctl_server_create(f->loop, &f->d, "vm", &err);
	ck_assert_msg(f->s != NULL, "%s", err.msg);
	ctl_server_attach(f->s, &f->m);
}

static inline void server_teardown(struct server_fixture *f)
{
	ctl_server_destroy(f->s);
	loop_destroy(f->loop);
	ctl_fixture_teardown(&f->d);
}

/* At least eight rounds of the loop, however slow the machine is. */
static inline void server_run(struct server_fixture *f)
{
	for (int i = 0; i < 8; i++)
		loop_run_ms(f->loop, 1);
}

static inline int server_dial(struct server_fixture *f)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.90s/vm.sock", f->d.path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static inline void peer_put(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

/* All that is there to read now, as a string that lasts until the next call. */
static inline const char *peer_take(int fd)
{
	static char buf[65536];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static inline bool peer_closed(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, MSG_PEEK);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* A client that has been greeted and has negotiated. */
static inline int server_join(struct server_fixture *f)
{
	int fd = server_dial(f);

	peer_put(fd, CMD_HELLO);
	server_run(f);
	ck_assert_ptr_nonnull(strstr(peer_take(fd), "{\"return\": {}}"));
	return fd;
}

#endif
