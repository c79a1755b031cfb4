// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/conn.h"

#include <errno.h>

#include "tests/unit/ctl_fixture.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/unit.h"
#include "vmm/base/size.h"

#define HELLO "{\"execute\": \"qmp_capabilities\"}"

struct fixture {
	struct machine m;
	struct qmp_vm vm;
	struct conn c;
};

static void setup(struct fixture *f)
{
	fake_machine_init(&f->m, "vm", 512 * MIB, true);
	f->vm = (struct qmp_vm){.name = "vm", .machine = &f->m};
	conn_init(&f->c, &f->vm);
}

static int input(struct fixture *f, const char *text)
{
	return conn_input(&f->c, text, strlen(text));
}

/* All that waits to be sent must be `want`; it counts as sent then. */
static void expect(struct fixture *f, const char *want)
{
	ck_assert_msg(f->c.out.len == strlen(want) &&
			      (!*want || !memcmp(f->c.out.data, want, f->c.out.len)),
		      "sent '%.*s', not '%s'", (int)f->c.out.len, f->c.out.data, want);
	conn_sent(&f->c, f->c.out.len);
}

START_TEST(test_line_ends)
{
	struct fixture f;

	setup(&f);
	ck_assert_int_eq(input(&f, HELLO "\n"), 0);
	expect(&f, "{\"return\": {}}\r\n");
	ck_assert_int_eq(input(&f, "{\"execute\": \"query-name\"}\r\n\r\n \t\n\n"), 0);
	expect(&f, "{\"return\": {\"name\": \"vm\"}}\r\n");
	/* Not before the line has ended. */
	ck_assert_int_eq(input(&f, "{\"execute\": \"query-name\"}"), 0);
	expect(&f, "");
	ck_assert_int_eq(input(&f, "\n"), 0);
	expect(&f, "{\"return\": {\"name\": \"vm\"}}\r\n");
	ck_assert_uint_eq(f.c.in.len, 0);
	conn_free(&f.c);
}
END_TEST

static const char stream[] = HELLO "\r\n"
				   "{\"execute\": \"query-name\", \"id\": 1}\n"
				   "{\"execute\": \"nope\", \"id\": [2]}\n"
				   "\n"
				   "{\"execute\": \"query-name\", \"id\": \"3\"}\r\n";
static const char replies[] =
	"{\"return\": {}}\r\n"
	"{\"return\": {\"name\": \"vm\"}, \"id\": 1}\r\n"
	"{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"there is no command "
	"'nope'\"}, \"id\": [2]}\r\n"
	"{\"return\": {\"name\": \"vm\"}, \"id\": \"3\"}\r\n";

START_TEST(test_split_at_every_byte)
{
	size_t len = strlen(stream);

	for (size_t cut = 0; cut <= len; cut++) {
		struct fixture f;

		setup(&f);
		ck_assert_int_eq(conn_input(&f.c, stream, cut), 0);
		ck_assert_int_eq(conn_input(&f.c, stream + cut, len - cut), 0);
		expect(&f, replies);
		conn_free(&f.c);
	}
}
END_TEST

START_TEST(test_one_byte_at_a_time)
{
	struct fixture f;

	setup(&f);
	for (const char *p = stream; *p; p++)
		ck_assert_int_eq(conn_input(&f.c, p, 1), 0);
	expect(&f, replies);
	conn_free(&f.c);
}
END_TEST

/* A valid command of exactly `len` bytes, padded by its id. Allocated. */
static char *command_of(size_t len)
{
	const char *head = "{\"execute\": \"query-name\", \"id\": \"";
	char *s = malloc(len + 1);

	memset(s, 'i', len);
	memcpy(s, head, strlen(head));
	memcpy(s + len - 2, "\"}", 3);
	return s;
}

START_TEST(test_longest_line)
{
	char *line = command_of(CONN_LINE_MAX);
	struct fixture f;

	setup(&f);
	ck_assert_int_eq(input(&f, HELLO "\n"), 0);
	conn_sent(&f.c, f.c.out.len);
	ck_assert_int_eq(input(&f, line), 0);
	ck_assert_int_eq(input(&f, "\r\n"), 0);
	ck_assert_uint_gt(f.c.out.len, CONN_LINE_MAX);
	ck_assert_ptr_nonnull(memmem(f.c.out.data, 40, "\"return\"", 8));
	conn_free(&f.c);
	free(line);

	line = command_of(CONN_LINE_MAX + 1);
	setup(&f);
	ck_assert_int_eq(input(&f, HELLO "\n"), 0);
	ck_assert_int_eq(input(&f, line), 0);
	ck_assert_int_eq(input(&f, "\n"), -EMSGSIZE);
	ck_assert_int_eq(input(&f, HELLO "\n"), -EMSGSIZE);
	expect(&f, "{\"return\": {}}\r\n");
	conn_free(&f.c);
	free(line);
}
END_TEST

START_TEST(test_endless_line)
{
	struct fixture f;
	char junk[4096];
	size_t sent = 0;
	int rc = 0;

	setup(&f);
	memset(junk, ' ', sizeof(junk));
	while (!rc && sent < 10 * MIB) {
		rc = conn_input(&f.c, junk, sizeof(junk));
		sent += sizeof(junk);
	}
	ck_assert_int_eq(rc, -EMSGSIZE);
	ck_assert_uint_le(sent, CONN_LINE_MAX + 2 * sizeof(junk));
	conn_free(&f.c);
}
END_TEST

START_TEST(test_output_is_bounded)
{
	struct fixture f;
	int rc = 0;

	setup(&f);
	ck_assert_int_eq(input(&f, HELLO "\n"), 0);
	for (unsigned i = 0; i < 10000 && !rc; i++) {
		rc = input(&f, "{\"execute\": \"query-commands\"}\n");
		ck_assert_uint_le(f.c.out.len, CONN_OUT_MAX);
	}
	ck_assert_int_eq(rc, -ENOBUFS);
	ck_assert_uint_gt(f.c.out.len, CONN_OUT_MAX / 2);
	/* Whole messages only. */
	ck_assert_int_eq(f.c.out.data[f.c.out.len - 1], '\n');
	ck_assert_int_eq(conn_send(&f.c, json_true()), -ENOBUFS);
	conn_free(&f.c);
}
END_TEST

/* An event that a command raises goes to the same connection, before the answer. */
static void send_event(void *opaque, enum machine_event ev)
{
	struct fixture *f = opaque;
	json_t *msg = json_pack("{s:i}", "event", ev);

	conn_send(&f->c, msg);
	json_decref(msg);
}

START_TEST(test_event_inside_a_command)
{
	struct fixture f;
	int rc = 0;

	setup(&f);
	machine_listen(&f.m, send_event, &f);
	ck_assert_int_eq(input(&f, HELLO "\n{\"execute\": \"stop\"}\n"), 0);
	expect(&f, "{\"return\": {}}\r\n{\"event\": 0}\r\n{\"return\": {}}\r\n");
	/* Its failure stands, whatever the command itself gives. */
	f.m.state = MACHINE_RUNNING;
	f.c.out.len = 0;
	while (f.c.out.len + 30 < CONN_OUT_MAX && !rc)
		rc = input(&f, "{\"execute\": \"query-name\"}\n");
	while (f.c.out.len + 8 < CONN_OUT_MAX && !rc) {
		json_t *pad = json_array();

		rc = conn_send(&f.c, pad);
		json_decref(pad);
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(input(&f, "{\"execute\": \"stop\"}\n{\"execute\": \"cont\"}\n"),
			 -ENOBUFS);
	ck_assert_int_eq(f.m.state, MACHINE_PAUSED);
	conn_free(&f.c);
}
END_TEST

START_TEST(test_sent_in_parts)
{
	struct fixture f;
	json_t *msg = json_pack("[i,i]", 1, 2);

	setup(&f);
	ck_assert_int_eq(conn_send(&f.c, msg), 0);
	conn_sent(&f.c, 3);
	expect(&f, " 2]\r\n");
	ck_assert_int_eq(conn_send(&f.c, NULL), -ENOMEM);
	ck_assert_int_eq(conn_send(&f.c, msg), -ENOMEM);
	json_decref(msg);
	conn_free(&f.c);
}
END_TEST

UNIT_MAIN("conn", test_line_ends, test_split_at_every_byte, test_one_byte_at_a_time,
	  test_longest_line, test_endless_line, test_output_is_bounded,
	  test_event_inside_a_command, test_sent_in_parts)
