// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/qmp.h"

#include <errno.h>
#include <time.h>

#include "tests/unit/qmp_fixture.h"
#include "tests/unit/unit.h"

START_TEST(test_greeting)
{
	json_t *g = qmp_greeting();
	int major = -1, minor = -1, micro = -1;
	const char *package = NULL;
	size_t n = 9;
	char want[64];

	ck_assert_int_eq(json_unpack(g, "{s:{s:{s:{s:i, s:i, s:i}, s:s}}}", "QMP", "version",
				     "qemu", "major", &major, "minor", &minor, "micro", &micro,
				     "package", &package),
			 0);
	snprintf(want, sizeof(want), "aerostat-%d.%d.%d", major, minor, micro);
	ck_assert_str_eq(package, want);
	n = json_array_size(json_object_get(json_object_get(g, "QMP"), "capabilities"));
	ck_assert_uint_eq(n, 0);
	ck_assert(json_is_array(json_object_get(json_object_get(g, "QMP"), "capabilities")));
	json_decref(g);
}
END_TEST

START_TEST(test_negotiation_comes_first)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	f.s.negotiated = false;
	assert_fails(&f, "query-status", "{}", "CommandNotFound", "qmp_capabilities");
	assert_fails(&f, "quit", "{}", "CommandNotFound", "qmp_capabilities");
	assert_fails(&f, "no-such", "{}", "CommandNotFound", "qmp_capabilities");
	ck_assert_int_eq(f.m.state, MACHINE_RUNNING);
	assert_fails(&f, "qmp_capabilities", "{\"enable\": [\"oob\"]}", "GenericError",
		     "enable");
	assert_fails(&f, "qmp_capabilities", "{\"enable\": \"oob\"}", "GenericError", "list");
	ck_assert(!f.s.negotiated);
	assert_return(&f, "qmp_capabilities", "{\"enable\": []}", "{}");
	ck_assert(f.s.negotiated);
	assert_fails(&f, "qmp_capabilities", "{}", "CommandNotFound", "already");
	assert_return(&f, "query-name", "{}", "{\"name\": \"vm\"}");
}
END_TEST

START_TEST(test_id_is_echoed)
{
	static const char *const ids[] = {
		"1",	"\"x\"", "null", "[1, {\"a\": 2.5}]", "{\"k\": \"\\u00e9\"}",
		"true", "-1.5"};
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		char line[128], want[128];

		snprintf(line, sizeof(line), "{\"id\": %s, \"execute\": \"query-name\"}",
			 ids[i]);
		snprintf(want, sizeof(want), "{\"return\": {\"name\": \"vm\"}, \"id\": %s}",
			 ids[i]);
		assert_answer(&f, line, want);
	}
	assert_answer(&f, "{\"id\": 7, \"execute\": \"nope\"}",
		      "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"there is no "
		      "command 'nope'\"}, \"id\": 7}");
	assert_answer(&f, "{\"id\": 8}",
		      "{\"error\": {\"class\": \"GenericError\", \"desc\": \"the request needs "
		      "'execute' with the name of a command\"}, \"id\": 8}");
}
END_TEST

START_TEST(test_malformed_requests)
{
	static const struct {
		const char *line, *part;
	} bad[] = {
		{"hello", "not JSON"},
		{"{", "not JSON"},
		{"{} {}", "not JSON"},
		{"{\"execute\": \"quit\", \"execute\": \"stop\"}", "not JSON"},
		{"{'execute': 'quit'}", "not JSON"},
		{"[]", "object"},
		{"7", "object"},
		{"null", "object"},
		{"{}", "execute"},
		{"{\"execute\": 7}", "execute"},
		{"{\"execute\": null}", "execute"},
		{"{\"execute\": \"quit\", \"arguments\": []}", "arguments"},
		{"{\"execute\": \"quit\", \"arguments\": null}", "arguments"},
		{"{\"execute\": \"quit\", \"extra\": 1}", "'extra'"},
		{"{\"exec-oob\": \"quit\"}", "'exec-oob'"},
		{"{\"execute\": \"quit\\u0000\"}", "not JSON"},
		{"{\"execute\": \"quit\", \"id\": 99999999999999999999}", "not JSON"},
		{"\xff\xfe{\"execute\": \"quit\"}", "not JSON"},
		{"{\"execute\": \"\xc3\x28\"}", "not JSON"},
	};
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_error(qmp_ask(&f, bad[i].line), "GenericError", bad[i].part, (int)i);
	ck_assert_int_eq(f.m.state, MACHINE_RUNNING);
}
END_TEST

START_TEST(test_nul_and_blank_lines)
{
	struct qmp_fixture f;
	json_t *answer;

	qmp_fixture_setup(&f);
	ck_assert_int_eq(qmp_line(&f.vm, &f.s, "", 0, &answer), 0);
	ck_assert_ptr_null(answer);
	ck_assert_int_eq(qmp_line(&f.vm, &f.s, " \t\r ", 4, &answer), 0);
	ck_assert_ptr_null(answer);
	ck_assert_int_eq(qmp_line(&f.vm, &f.s, "\0\0", 2, &answer), 0);
	assert_error(answer, "GenericError", "not JSON", __LINE__);
}
END_TEST

START_TEST(test_depth_is_bounded)
{
	struct qmp_fixture f;
	char line[60000];
	char *p;
	json_t *answer;
	char *text;

	qmp_fixture_setup(&f);
	memset(line, '[', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	assert_error(qmp_ask(&f, line), "GenericError", "not JSON", __LINE__);

	/* As deep as is taken can be answered too. */
	p = line + sprintf(line, "{\"execute\": \"query-name\", \"id\": ");
	memset(p, '[', 2000);
	memset(p + 2000, ']', 2000);
	strcpy(p + 4000, "}");
	answer = qmp_ask(&f, line);
	ck_assert_ptr_nonnull(json_object_get(answer, "return"));
	text = json_dumps(answer, 0);
	ck_assert_ptr_nonnull(text);
	free(text);
	json_decref(answer);
}
END_TEST

/* A desc that is cut inside a character must still be an answer. */
START_TEST(test_desc_of_long_foreign_text)
{
	struct qmp_fixture f;
	char line[1024];
	char *p;

	qmp_fixture_setup(&f);
	for (int pad = 0; pad < 3; pad++) {
		p = line + sprintf(line, "{\"execute\": \"%.*s", pad, "xx");
		for (int i = 0; i < 250; i++)
			p = stpcpy(p, "\u00e9");
		strcpy(p, "\"}");
		assert_error(qmp_ask(&f, line), "CommandNotFound", "no command", pad);
	}
}
END_TEST

START_TEST(test_status_names)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	f.vm.machine = NULL;
	ck_assert_str_eq(qmp_status(&f.vm), "prelaunch");
	f.vm.machine = &f.m;
	f.m.state = MACHINE_CREATED;
	ck_assert_str_eq(qmp_status(&f.vm), "prelaunch");
	f.m.state = MACHINE_RUNNING;
	ck_assert_str_eq(qmp_status(&f.vm), "running");
	f.m.state = MACHINE_PAUSED;
	ck_assert_str_eq(qmp_status(&f.vm), "paused");
	f.m.state = MACHINE_ENDED;
	f.m.exit_status = MACHINE_EXIT_OK;
	ck_assert_str_eq(qmp_status(&f.vm), "shutdown");
	f.m.exit_status = MACHINE_EXIT_TRIPLE_FAULT;
	ck_assert_str_eq(qmp_status(&f.vm), "guest-panicked");
	f.m.exit_status = MACHINE_EXIT_KVM;
	ck_assert_str_eq(qmp_status(&f.vm), "internal-error");
	f.m.exit_status = MACHINE_EXIT_HOST;
	ck_assert_str_eq(qmp_status(&f.vm), "internal-error");
}
END_TEST

/* The event without its timestamp, which is checked. */
static json_t *event(struct qmp_fixture *f, enum machine_event ev)
{
	json_t *e = qmp_event(&f->vm, ev);
	json_int_t s = 0, us = -1;

	ck_assert_int_eq(json_unpack(e, "{s:{s:I, s:I}}", "timestamp", "seconds", &s,
				     "microseconds", &us),
			 0);
	ck_assert_int_le(llabs(s - (json_int_t)time(NULL)), 2);
	ck_assert(us >= 0 && us < 1000000);
	json_object_del(e, "timestamp");
	return e;
}

START_TEST(test_events)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	f.m.balloon.st.actual = 100 * MIB;
	assert_json(event(&f, MACHINE_EV_STOP), "{\"event\": \"STOP\"}");
	assert_json(event(&f, MACHINE_EV_RESUME), "{\"event\": \"RESUME\"}");
	assert_json(event(&f, MACHINE_EV_POWERDOWN), "{\"event\": \"POWERDOWN\"}");
	assert_json(event(&f, MACHINE_EV_RESET), "{\"event\": \"RESET\", \"data\": {\"guest\": "
						 "true, \"reason\": \"guest-reset\"}}");
	assert_json(event(&f, MACHINE_EV_BALLOON),
		    "{\"event\": \"BALLOON_CHANGE\", \"data\": {\"actual\": 432013312}}");
	assert_json(event(&f, MACHINE_EV_SHUTDOWN),
		    "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
		    "\"guest-shutdown\"}}");
	f.m.exit_status = MACHINE_EXIT_TRIPLE_FAULT;
	assert_json(event(&f, MACHINE_EV_CRASH),
		    "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
		    "\"guest-panic\"}}");
	f.m.exit_status = MACHINE_EXIT_KVM;
	assert_json(event(&f, MACHINE_EV_CRASH),
		    "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": "
		    "\"host-error\"}}");
	f.m.exit_status = MACHINE_EXIT_OK;
	assert_json(event(&f, MACHINE_EV_QUIT),
		    "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": "
		    "\"host-signal\"}}");
	assert_return(&f, "quit", "{}", "{}");
	assert_json(event(&f, MACHINE_EV_QUIT),
		    "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \"reason\": "
		    "\"host-qmp-quit\"}}");
}
END_TEST

static unsigned allocs_left;

static void *failing_malloc(size_t size)
{
	return allocs_left && --allocs_left ? malloc(size) : NULL;
}

/* Fail each allocation of JSON in turn, one and all after it: no crash, and nothing leaks. */
START_TEST(test_out_of_memory)
{
	static const char *const lines[] = {
		"{\"execute\": \"query-commands\", \"id\": [1]}",
		"{\"execute\": \"x-aerostat-stat\"}",
		"{\"execute\": \"x-aerostat-balloon-stats\", \"arguments\": {}}",
		"{\"execute\": \"x-aerostat-balloon\", \"arguments\": {\"relative\": 1}}",
		"{\"execute\": \"query-status\"}",
		"{\"execute\": \"balloon\"}",
	};
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	fake_machine_answer_stats(&f.m, 1);
	json_decref(json_object()); /* what jansson keeps is made now */
	json_set_alloc_funcs(failing_malloc, free);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		unsigned n = 0;
		bool complete = false;

		while (!complete) {
			json_t *answer;
			int rc;

			allocs_left = ++n;
			rc = qmp_line(&f.vm, &f.s, lines[i], strlen(lines[i]), &answer);
			ck_assert(rc == -ENOMEM ? !answer : answer != NULL);
			complete = allocs_left > 0;
			json_decref(answer);
			ck_assert_uint_lt(n, 10000);
		}
		ck_assert_uint_gt(n, 5);
	}
	for (unsigned n = 1; n < 40; n++) {
		allocs_left = n;
		json_decref(qmp_event(&f.vm, MACHINE_EV_BALLOON));
		allocs_left = n;
		json_decref(qmp_greeting());
	}
	json_set_alloc_funcs(malloc, free);
}
END_TEST

UNIT_MAIN("qmp", test_greeting, test_negotiation_comes_first, test_id_is_echoed,
	  test_malformed_requests, test_nul_and_blank_lines, test_depth_is_bounded,
	  test_desc_of_long_foreign_text, test_status_names, test_events, test_out_of_memory)
