// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/server.h"

#include <sys/stat.h>

#include "tests/unit/server_fixture.h"
#include "tests/unit/unit.h"

START_TEST(test_greeting_and_commands)
{
	struct server_fixture f;
	int fd;

	server_setup(&f);
	fd = server_dial(&f);
	server_run(&f);
	ck_assert_int_eq(strncmp(peer_take(fd), "{\"QMP\": {\"version\": ", 20), 0);
	peer_put(fd, CMD_NAME);
	server_run(&f);
	ck_assert_ptr_nonnull(strstr(peer_take(fd), "CommandNotFound"));
	peer_put(fd, CMD_HELLO CMD_NAME "{\"exec");
	server_run(&f);
	ck_assert_str_eq(peer_take(fd), "{\"return\": {}}\r\n" ANSWER_NAME);
	peer_put(fd, "ute\": \"query-name\"}\r");
	server_run(&f);
	ck_assert_str_eq(peer_take(fd), "");
	peer_put(fd, "\n");
	server_run(&f);
	ck_assert_str_eq(peer_take(fd), ANSWER_NAME);
	close(fd);
	server_teardown(&f);
}
END_TEST

START_TEST(test_sessions_are_separate)
{
	struct server_fixture f;
	int a, b;

	server_setup(&f);
	a = server_join(&f);
	b = server_dial(&f);
	server_run(&f);
	peer_take(b);
	peer_put(a, "{\"execute\": \"stop\"}\n");
	peer_put(b, CMD_NAME);
	server_run(&f);
	/* The pause is over before its answer; who hasn't negotiated hears no events. */
	ck_assert_ptr_nonnull(strstr(peer_take(a), "\"STOP\"}\r\n{\"return\": {}}\r\n"));
	ck_assert_int_eq(f.m.state, MACHINE_PAUSED);
	ck_assert_int_eq(strncmp(peer_take(b), "{\"error\"", 8), 0);
	close(b);
	peer_put(a, CMD_NAME);
	server_run(&f);
	ck_assert_str_eq(peer_take(a), ANSWER_NAME);
	close(a);
	server_teardown(&f);
}
END_TEST

START_TEST(test_events_reach_all)
{
	struct server_fixture f;
	int a, b;

	server_setup(&f);
	a = server_join(&f);
	b = server_join(&f);
	f.m.balloon.st.actual = 12 * MIB;
	fake_machine_emit(&f.m, MACHINE_EV_BALLOON);
	ck_assert_ptr_nonnull(strstr(peer_take(a), "\"BALLOON_CHANGE\", \"data\": {\"actual\": "
						   "524288000}}\r\n"));
	ck_assert_ptr_nonnull(strstr(peer_take(b), "BALLOON_CHANGE"));
	/* Detached, the server hears nothing and says so. */
	ctl_server_attach(f.s, NULL);
	ck_assert_ptr_null(f.m.listener);
	peer_put(a, "{\"execute\": \"stop\"}\n");
	server_run(&f);
	ck_assert_ptr_nonnull(strstr(peer_take(a), "still being built"));
	close(a);
	close(b);
	server_teardown(&f);
}
END_TEST

START_TEST(test_gone_in_the_middle_of_a_line)
{
	struct server_fixture f;
	int a, b;

	server_setup(&f);
	a = server_join(&f);
	b = server_join(&f);
	peer_put(b, "{\"execute\": \"quit");
	server_run(&f);
	close(b);
	server_run(&f);
	ck_assert_int_eq(f.m.state, MACHINE_RUNNING);
	/* And one that leaves its answers unread. */
	b = server_join(&f);
	peer_put(b, CMD_NAME CMD_NAME CMD_NAME);
	close(b);
	server_run(&f);
	peer_put(a, CMD_NAME);
	server_run(&f);
	ck_assert_str_eq(peer_take(a), ANSWER_NAME);
	close(a);
	server_teardown(&f);
}
END_TEST

/* As `printf ... | nc -N`: all is sent, then the client only listens. */
START_TEST(test_half_closed)
{
	struct server_fixture f;
	int fd;

	server_setup(&f);
	fd = server_dial(&f);
	peer_put(fd, CMD_HELLO CMD_NAME);
	shutdown(fd, SHUT_WR);
	server_run(&f);
	ck_assert_ptr_nonnull(strstr(peer_take(fd), "{\"return\": {}}\r\n" ANSWER_NAME));
	ck_assert(peer_closed(fd));
	close(fd);
	server_teardown(&f);
}
END_TEST

START_TEST(test_quit_is_answered)
{
	struct server_fixture f;
	const char *text;
	int fd;

	server_setup(&f);
	f.m.loop = f.loop;
	fd = server_join(&f);
	peer_put(fd, "{\"execute\": \"quit\", \"id\": 9}\n");
	loop_run(f.loop); /* ends by itself */
	ctl_server_destroy(f.s);
	f.s = NULL;
	text = peer_take(fd);
	ck_assert_ptr_nonnull(strstr(text, "\"SHUTDOWN\", \"data\": {\"guest\": false, "
					   "\"reason\": \"host-qmp-quit\"}}\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "{\"return\": {}, \"id\": 9}\r\n"));
	ck_assert(peer_closed(fd));
	ck_assert_ptr_null(f.m.listener);
	close(fd);
	server_teardown(&f);
}
END_TEST

START_TEST(test_name_is_taken_and_freed)
{
	struct server_fixture f;
	struct err err;
	struct stat st;
	char path[RUNDIR_PATH_MAX];

	server_setup(&f);
	ck_assert_ptr_null(ctl_server_create(f.loop, &f.d, "vm", &err));
	ck_assert_str_eq(err.msg, "a VM named 'vm' is running");
	ck_assert_int_eq(rundir_socket(&f.d, "vm", path, &err), 0);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ctl_server_destroy(f.s);
	f.s = ctl_server_create(f.loop, &f.d, "vm", &err);
	ck_assert_ptr_nonnull(f.s);
	ctl_server_destroy(NULL);
	server_teardown(&f);
}
END_TEST

UNIT_MAIN("server", test_greeting_and_commands, test_sessions_are_separate,
	  test_events_reach_all, test_gone_in_the_middle_of_a_line, test_half_closed,
	  test_quit_is_answered, test_name_is_taken_and_freed)
