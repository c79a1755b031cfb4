// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "tests/unit/ctl_fixture.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/unit.h"
#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/size.h"
#include "vmm/ctl/commands.h"
#include "vmm/ctl/endpoint.h"
#include "vmm/ctl/server.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define WELCOME	 "{\"return\": {}, \"id\": 1}\r\n"

/* ---- with the real server on a thread ---- */

struct fixture {
	struct rundir d;
	struct loop *loop;
	struct machine m;
	struct ctl_server *s;
	pthread_t thread;
	bool end_with_vm; /* as the monitor does */
};

static void *serve(void *opaque)
{
	struct fixture *f = opaque;

	loop_run(f->loop);
	if (f->end_with_vm) {
		ctl_server_destroy(f->s);
		f->s = NULL;
	}
	return NULL;
}

static void setup(struct fixture *f, bool balloon)
{
	struct err err;

	memset(f, 0, sizeof(*f));
	ctl_fixture_setup(&f->d);
	f->loop = loop_create();
	fake_machine_init(&f->m, "vm", 512 * MIB, balloon);
	f->s = ctl_server_create(f->loop, &f->d, "vm", &err);
	ck_assert_ptr_nonnull(f->s);
	ctl_server_attach(f->s, &f->m);
}

static void start(struct fixture *f)
{
	ck_assert_int_eq(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void teardown(struct fixture *f)
{
	loop_stop(f->loop);
	pthread_join(f->thread, NULL);
	ctl_server_destroy(f->s);
	loop_destroy(f->loop);
	ctl_fixture_teardown(&f->d);
}

static struct ctl_client *connect_to(const struct rundir *d)
{
	struct err err;
	int rc;
	struct ctl_client *c = ctl_connect(d, "vm", 5000, &rc, &err);

	ck_assert_msg(c != NULL, "%s", err.msg);
	ck_assert_int_eq(rc, 0);
	return c;
}

START_TEST(test_commands)
{
	struct fixture f;
	struct ctl_client *c;
	json_t *ret = NULL, *args = json_pack("{s:i}", "target", 8192);
	struct err err;

	setup(&f, true);
	start(&f);
	c = connect_to(&f.d);
	ck_assert_int_eq(ctl_peer_pid(c), getpid());
	ck_assert_int_eq(ctl_execute(c, "query-name", NULL, 5000, &ret, &err), 0);
	assert_json(ret, "{\"name\": \"vm\"}");
	ck_assert_int_eq(ctl_execute(c, "x-aerostat-balloon", args, 5000, &ret, &err), 0);
	assert_json(ret, "{\"target_bytes\": 8192}");
	ck_assert_uint_eq(args->refcount, 1);
	json_decref(args);
	/* The event comes before the answer and is not taken for it. */
	ck_assert_int_eq(ctl_execute(c, "stop", NULL, 5000, NULL, &err), 0);
	ck_assert_int_eq(f.m.state, MACHINE_PAUSED);
	ctl_close(c);
	ctl_close(NULL);
	teardown(&f);
}
END_TEST

START_TEST(test_remote_errors)
{
	struct fixture f;
	struct ctl_client *c;
	json_t *args = json_pack("{s:i}", "target", 0);
	struct err err;

	setup(&f, false);
	start(&f);
	c = connect_to(&f.d);
	ck_assert_int_eq(ctl_execute(c, "no-such", NULL, 5000, NULL, &err), -EREMOTEIO);
	ck_assert_str_eq(err.msg, "there is no command 'no-such'");
	ck_assert_int_eq(ctl_execute(c, "x-aerostat-balloon", args, 5000, NULL, &err),
			 -EREMOTEIO);
	ck_assert_str_eq(err.msg, "VM 'vm' has no balloon");
	ck_assert_int_eq(ctl_execute(c, "query-name", NULL, 5000, NULL, &err), 0);
	json_decref(args);
	ctl_close(c);
	teardown(&f);
}
END_TEST

START_TEST(test_quit_and_wait)
{
	struct fixture f;
	struct ctl_client *c;
	struct err err;
	int rc;

	setup(&f, true);
	f.m.loop = f.loop;
	f.end_with_vm = true;
	start(&f);
	c = connect_to(&f.d);
	ck_assert_int_eq(ctl_wait_closed(c, 20), -ETIMEDOUT);
	ck_assert_int_eq(ctl_execute(c, "quit", NULL, 5000, NULL, &err), 0);
	ck_assert_int_eq(ctl_wait_closed(c, 5000), 0);
	/* The name is free by now. */
	ck_assert_ptr_null(ctl_connect(&f.d, "vm", 1000, &rc, &err));
	ck_assert_int_eq(rc, -ENOENT);
	ck_assert_int_eq(ctl_execute(c, "query-name", NULL, 1000, NULL, &err), -EPIPE);
	ctl_close(c);
	teardown(&f);
}
END_TEST

START_TEST(test_too_many_clients)
{
	struct fixture f;
	struct ctl_client *c[CTL_CLIENTS_MAX];
	struct err err;
	int rc;

	setup(&f, true);
	start(&f);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		c[i] = connect_to(&f.d);
	ck_assert_ptr_null(ctl_connect(&f.d, "vm", 5000, &rc, &err));
	ck_assert_int_eq(rc, -EPIPE);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		ctl_close(c[i]);
	teardown(&f);
}
END_TEST

START_TEST(test_nobody_there)
{
	struct rundir d;
	struct endpoint e;
	struct err err;
	int rc;

	ctl_fixture_setup(&d);
	ck_assert_ptr_null(ctl_connect(&d, "vm", 1000, &rc, &err));
	ck_assert_int_eq(rc, -ENOENT);
	ck_assert_ptr_null(ctl_connect(&d, "../x", 1000, &rc, &err));
	ck_assert_int_eq(rc, -EINVAL);
	ck_assert_int_eq(endpoint_listen(&e, &d, "vm", &err), 0);
	fd_close(&e.fd);
	ck_assert_ptr_null(ctl_connect(&d, "vm", 1000, &rc, &err));
	ck_assert_int_eq(rc, -ECONNREFUSED);
	ctl_fixture_teardown(&d);
}
END_TEST

/* ---- with a peer that follows a script ---- */

/*
 * Each step: a text to send, after a line from the client was read when it begins with '<'
 * (the '<' is not sent). Then closes, or with `hold` waits for the client to close.
 */
struct script {
	struct rundir d;
	struct endpoint e;
	const char *steps[8];
	bool hold;
	bool flood;   /* repeats the last step until the client closes */
	size_t chunk; /* bytes per write; 0: all */
	pthread_t thread;
};

static void read_line(int fd)
{
	char c = 0;

	while (c != '\n' && read(fd, &c, 1) == 1)
		;
}

static bool write_chunks(int fd, const char *text, size_t chunk)
{
	size_t len = strlen(text);

	while (len) {
		size_t n = chunk && chunk < len ? chunk : len;

		if (send(fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

static void *act(void *opaque)
{
	struct script *s = opaque;
	char c;
	int fd;

	ck_assert_int_eq(endpoint_wait(s->e.fd, POLLIN, endpoint_deadline(5000)), 0);
	fd = accept(s->e.fd, NULL, NULL);
	for (int i = 0; i < 8 && s->steps[i]; i++) {
		const char *text = s->steps[i];

		if (*text == '<') {
			read_line(fd);
			text++;
		}
		while (write_chunks(fd, text, s->chunk) && s->flood && !s->steps[i + 1])
			;
	}
	while (s->hold && read(fd, &c, 1) == 1)
		;
	close(fd);
	return NULL;
}

static void script_start(struct script *s)
{
	struct err err;

	ctl_fixture_setup(&s->d);
	ck_assert_int_eq(endpoint_listen(&s->e, &s->d, "vm", &err), 0);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, act, s), 0);
}

static void script_end(struct script *s)
{
	pthread_join(s->thread, NULL);
	endpoint_close(&s->e);
	ctl_fixture_teardown(&s->d);
}

/* Connecting to a peer that sends this fails so. */
static void assert_connect_fails(struct script *s, int want, const char *part)
{
	struct err err;
	int rc = 0;

	script_start(s);
	ck_assert_ptr_null(
		ctl_connect(&s->d, "vm", want == -ETIMEDOUT ? 100 : 10000, &rc, &err));
	ck_assert_int_eq(rc, want);
	ck_assert_msg(strstr(err.msg, part), "'%s' has no '%s'", err.msg, part);
	script_end(s);
}

START_TEST(test_peers_that_are_no_vm)
{
	struct script silent = {.hold = true};
	struct script closes = {.steps = {""}};
	struct script half = {.steps = {"{\"QMP\": "}, .hold = true};
	struct script http = {.steps = {"HTTP/1.1 400 Bad Request\r\n"}, .hold = true};
	struct script list = {.steps = {"[1]\n"}, .hold = true};
	struct script other = {.steps = {"{\"hello\": 1}\n"}, .hold = true};
	struct script mute = {.steps = {GREETING}, .hold = true};
	struct script refuses = {
		.steps = {GREETING, "<{\"error\": {\"class\": \"GenericError\", \"desc\": "
				    "\"no\"}, \"id\": 1}\n"},
		.hold = true};
	struct script classless = {
		.steps = {GREETING, "<{\"error\": {\"desc\": \"no\"}, \"id\": 1}\n"},
		.hold = true};
	struct script empty = {.steps = {GREETING, "<{\"id\": 1}\n"}, .hold = true};

	assert_connect_fails(&silent, -ETIMEDOUT, "does not answer");
	assert_connect_fails(&closes, -EPIPE, "closed the connection");
	assert_connect_fails(&half, -ETIMEDOUT, "does not answer");
	assert_connect_fails(&http, -EPROTO, "QMP");
	assert_connect_fails(&list, -EPROTO, "QMP");
	assert_connect_fails(&other, -EPROTO, "QMP");
	assert_connect_fails(&mute, -ETIMEDOUT, "does not answer");
	assert_connect_fails(&refuses, -EPROTO, "no");
	assert_connect_fails(&classless, -EPROTO, "QMP");
	assert_connect_fails(&empty, -EPROTO, "QMP");
}
END_TEST

START_TEST(test_answers_in_small_pieces)
{
	struct script s = {.steps = {GREETING, "<" WELCOME,
				     "<{\"event\": \"STOP\"}\r\n{\"return\": 5, \"id\": 2}\n"},
			   .hold = true};

	for (s.chunk = 1; s.chunk < 40; s.chunk += 7) {
		struct ctl_client *c;
		json_t *ret = NULL;
		struct err err;

		script_start(&s);
		c = connect_to(&s.d);
		ck_assert_int_eq(ctl_execute(c, "x", NULL, 5000, &ret, &err), 0);
		assert_json(ret, "5");
		ctl_close(c);
		script_end(&s);
	}
}
END_TEST

START_TEST(test_a_late_answer_is_dropped)
{
	struct script s = {.steps = {GREETING, "<" WELCOME, "<",
				     "<{\"return\": \"late\", \"id\": 2}\n{\"return\": \"x\"}\n"
				     "{\"return\": \"right\", \"id\": 3}\n"},
			   .hold = true};
	struct ctl_client *c;
	json_t *ret = NULL;
	struct err err;
	uint64_t before;

	script_start(&s);
	c = connect_to(&s.d);
	before = clock_now_ns();
	ck_assert_int_eq(ctl_execute(c, "slow", NULL, 50, &ret, &err), -ETIMEDOUT);
	ck_assert_uint_ge(clock_now_ns() - before, 50 * NSEC_PER_MSEC);
	ck_assert_str_eq(err.msg, "VM 'vm' does not answer");
	ck_assert_int_eq(ctl_execute(c, "next", NULL, 5000, &ret, &err), 0);
	assert_json(ret, "\"right\"");
	ctl_close(c);
	script_end(&s);
}
END_TEST

START_TEST(test_gone_in_the_middle_of_an_answer)
{
	struct script s = {.steps = {GREETING, "<" WELCOME, "<{\"return\": {"}};
	struct ctl_client *c;
	struct err err;

	script_start(&s);
	c = connect_to(&s.d);
	ck_assert_int_eq(ctl_execute(c, "x", NULL, 5000, NULL, &err), -EPIPE);
	ctl_close(c);
	script_end(&s);
}
END_TEST

/* Neither a line without end nor events without pause hold the client. */
START_TEST(test_endless_streams)
{
	static char big[2 * 1024 * 1024 + 1];
	struct script line = {.steps = {GREETING, "<" WELCOME, "<", big}};
	struct script events = {.steps = {GREETING, "<" WELCOME, "{\"event\": \"STOP\"}\n"},
				.flood = true};
	struct ctl_client *c;
	struct err err;

	memset(big, 'x', sizeof(big) - 1);
	script_start(&line);
	c = connect_to(&line.d);
	ck_assert_int_eq(ctl_execute(c, "x", NULL, 5000, NULL, &err), -EPROTO);
	ctl_close(c);
	script_end(&line);

	script_start(&events);
	c = connect_to(&events.d);
	ck_assert_int_eq(ctl_execute(c, "x", NULL, 50, NULL, &err), -ETIMEDOUT);
	ck_assert_int_eq(ctl_wait_closed(c, 50), -ETIMEDOUT);
	ctl_close(c);
	script_end(&events);
}
END_TEST

UNIT_MAIN("client", test_commands, test_remote_errors, test_quit_and_wait,
	  test_too_many_clients, test_nobody_there, test_peers_that_are_no_vm,
	  test_answers_in_small_pieces, test_a_late_answer_is_dropped,
	  test_gone_in_the_middle_of_an_answer, test_endless_streams)
