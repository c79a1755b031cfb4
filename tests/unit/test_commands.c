// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/commands.h"

#include <errno.h>

#include "tests/unit/qmp_fixture.h"
#include "tests/unit/unit.h"

START_TEST(test_run_state)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	assert_return(&f, "query-status", "{}",
		      "{\"status\": \"running\", \"running\": true, \"singlestep\": false}");
	assert_return(&f, "stop", "{}", "{}");
	ck_assert_int_eq(f.m.state, MACHINE_PAUSED);
	assert_return(&f, "query-status", "{}",
		      "{\"status\": \"paused\", \"running\": false, \"singlestep\": false}");
	assert_return(&f, "stop", "{}", "{}");
	assert_return(&f, "cont", "{}", "{}");
	ck_assert_int_eq(f.m.state, MACHINE_RUNNING);
	assert_return(&f, "system_powerdown", "{}", "{}");
	f.m.no_button = true;
	assert_fails(&f, "system_powerdown", "{}", "GenericError",
		     "VM 'vm' has no power button");
	assert_return(&f, "quit", "{}", "{}");
	ck_assert_int_eq(f.m.state, MACHINE_ENDED);
	ck_assert(f.vm.quit);
	assert_fails(&f, "stop", "{}", "GenericError", "'vm' has ended");
	assert_fails(&f, "cont", "{}", "GenericError", "'vm' has ended");
	assert_fails(&f, "system_powerdown", "{}", "GenericError", "'vm' has ended");
	assert_return(&f, "query-status", "{}",
		      "{\"status\": \"shutdown\", \"running\": false, \"singlestep\": false}");
	assert_return(&f, "quit", "{}", "{}");
}
END_TEST

START_TEST(test_host_failure_is_told)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	f.m.pause_rc = -EINTR;
	assert_fails(&f, "stop", "{}", "GenericError", "cannot pause: Interrupted");
}
END_TEST

START_TEST(test_identity)
{
	struct qmp_fixture f;
	json_t *answer, *greeting = qmp_greeting();

	qmp_fixture_setup(&f);
	assert_return(&f, "query-name", "{}", "{\"name\": \"vm\"}");
	answer = qmp_ask(&f, "{\"execute\": \"query-version\"}");
	ck_assert(json_equal(json_object_get(answer, "return"),
			     json_object_get(json_object_get(greeting, "QMP"), "version")));
	json_decref(answer);
	json_decref(greeting);
}
END_TEST

/* Every command that is listed is known, and refuses an argument it doesn't have. */
START_TEST(test_query_commands)
{
	struct qmp_fixture f;
	json_t *answer, *item;
	size_t i;
	bool own = false;

	qmp_fixture_setup(&f);
	answer = qmp_ask(&f, "{\"execute\": \"query-commands\"}");
	ck_assert_uint_ge(json_array_size(json_object_get(answer, "return")), 15);
	json_array_foreach(json_object_get(answer, "return"), i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		char line[128];

		if (!strcmp(name, "qmp_capabilities")) /* not twice */
			continue;
		own |= !strcmp(name, "x-aerostat-stat");
		snprintf(line, sizeof(line),
			 "{\"execute\": \"%s\", \"arguments\": {\"bogus\": 1}}", name);
		assert_error(qmp_ask(&f, line), "GenericError", "'bogus'", (int)i);
	}
	ck_assert(own);
	ck_assert_int_eq(f.m.state, MACHINE_RUNNING);
	json_decref(answer);
}
END_TEST

START_TEST(test_argument_types)
{
	static const char *const not_sizes[] = {"\"1\"", "1.0", "true", "null", "[]", "{}"};
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	for (size_t i = 0; i < sizeof(not_sizes) / sizeof(not_sizes[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line),
			 "{\"execute\": \"balloon\", \"arguments\": {\"value\": %s}}",
			 not_sizes[i]);
		assert_error(qmp_ask(&f, line), "GenericError",
			     "'value' must be an integer of at least 1", (int)i);
	}
	assert_fails(&f, "balloon", "{}", "GenericError", "'value' is missing");
	assert_fails(&f, "x-aerostat-set-stats-interval", "{\"seconds\": 4294967296}",
		     "GenericError", "'seconds' must be an integer from 0 to 4294967295");
	assert_fails(&f, "x-aerostat-set-stats-interval", "{\"seconds\": -1}", "GenericError",
		     "from 0");
	assert_fails(&f, "x-aerostat-balloon", "{\"relative\": \"1\"}", "GenericError",
		     "'relative' must be an integer");
	ck_assert_uint_eq(f.m.balloon.st.target, 0);
}
END_TEST

START_TEST(test_before_there_is_a_machine)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	f.vm.machine = NULL;
	assert_return(&f, "query-status", "{}",
		      "{\"status\": \"prelaunch\", \"running\": false, \"singlestep\": false}");
	assert_return(&f, "query-name", "{}", "{\"name\": \"vm\"}");
	assert_fails(&f, "stop", "{}", "GenericError", "still being built");
	assert_fails(&f, "quit", "{}", "GenericError", "still being built");
	assert_fails(&f, "balloon", "{\"value\": 4096}", "GenericError", "still being built");
	assert_fails(&f, "query-balloon", "{}", "GenericError", "still being built");
	assert_fails(&f, "x-aerostat-stat", "{}", "GenericError", "still being built");
}
END_TEST

UNIT_MAIN("commands", test_run_state, test_host_failure_is_told, test_identity,
	  test_query_commands, test_argument_types, test_before_there_is_a_machine)
