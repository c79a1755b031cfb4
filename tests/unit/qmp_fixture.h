/* SPDX-License-Identifier: Apache-2.0 */
/* One QMP session with a fake machine, a line at a time. */
#ifndef AEROSTAT_TESTS_QMP_FIXTURE_H
#define AEROSTAT_TESTS_QMP_FIXTURE_H

#include "tests/unit/ctl_fixture.h"
#include "tests/unit/fake_machine.h"
#include "vmm/base/size.h"
#include "vmm/ctl/qmp.h"

struct qmp_fixture {
	struct machine m;
	struct qmp_vm vm;
	struct qmp_session s;
};

/* VM "vm" of 512 MiB, running, with a balloon; capabilities are negotiated. */
static inline void qmp_fixture_setup(struct qmp_fixture *f)
{
	memset(f, 0, sizeof(*f));
	fake_machine_init(&f->m, "vm", 512 * MIB, true);
	f->vm = (struct qmp_vm){.name = "vm", .machine = &f->m};
	f->s.negotiated = true;
}

static inline json_t *qmp_ask(struct qmp_fixture *f, const char *line)
{
	json_t *answer;

	ck_assert_int_eq(qmp_line(&f->vm, &f->s, line, strlen(line), &answer), 0);
	return answer;
}

/* The answer to `line` is exactly this. */
#define assert_answer(f, line, want) assert_json(qmp_ask(f, line), want)

/* The command gives this. */
#define assert_return(f, command, args, want)                                                  \
	assert_answer(f, "{\"execute\": \"" command "\", \"arguments\": " args "}",            \
		      "{\"return\": " want "}")

/* The command fails with this class and a desc that contains `part`. */
#define assert_fails(f, command, args, class, part)                                            \
	assert_error(qmp_ask(f, "{\"execute\": \"" command "\", \"arguments\": " args "}"),    \
		     class, part, __LINE__)

static inline void assert_error(json_t *answer, const char *class, const char *part, int line)
{
	json_t *error = json_object_get(answer, "error");
	const char *got = json_string_value(json_object_get(error, "class"));
	const char *desc = json_string_value(json_object_get(error, "desc"));

	ck_assert_msg(got && desc, "line %d: no error but %s", line, json_dumps(answer, 0));
	ck_assert_msg(!strcmp(got, class), "line %d: class %s, not %s", line, got, class);
	ck_assert_msg(strstr(desc, part), "line %d: '%s' has no '%s'", line, desc, part);
	json_decref(answer);
}

#endif
