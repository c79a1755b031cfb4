// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/commands.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "vmm/ctl/stat.h"

#define ARGS_MAX 2

enum arg_type { ARG_INTEGER, ARG_LIST };

struct arg_spec {
	const char *name; /* NULL: the command has no more arguments */
	enum arg_type type;
	bool required;
	int64_t min, max; /* of an integer */
};

struct command_spec {
	const char *name;
	json_t *(*run)(struct qmp_call *c, json_t *args);
	bool needs_machine;
	struct arg_spec args[ARGS_MAX];
};

static json_t *run_capabilities(struct qmp_call *c, json_t *args)
{
	if (json_array_size(json_object_get(args, "enable")))
		return qmp_fail(c, QMP_GENERIC, "'enable': no capability is offered");
	c->session->negotiated = true;
	return json_object();
}

static json_t *run_query_status(struct qmp_call *c, json_t *args)
{
	const char *status = qmp_status(c->vm);

	(void)args;
	return json_pack("{s:s, s:b, s:b}", "status", status, "running",
			 !strcmp(status, "running"), "singlestep", false);
}

static json_t *run_query_name(struct qmp_call *c, json_t *args)
{
	(void)args;
	return json_pack("{s:s}", "name", c->vm->name);
}

static json_t *run_query_version(struct qmp_call *c, json_t *args)
{
	(void)c;
	(void)args;
	return qmp_version();
}

static json_t *run_query_commands(struct qmp_call *c, json_t *args);

/* What machine.h's functions return, as an answer. */
static json_t *machine_answer(struct qmp_call *c, int rc, const char *what)
{
	if (rc == -ESHUTDOWN)
		return qmp_fail(c, QMP_GENERIC, "VM '%s' has ended", c->vm->name);
	if (rc)
		return qmp_fail(c, QMP_GENERIC, "cannot %s: %s", what, strerror(-rc));
	return json_object();
}

static json_t *run_stop(struct qmp_call *c, json_t *args)
{
	(void)args;
	return machine_answer(c, machine_pause(c->vm->machine), "pause");
}

static json_t *run_cont(struct qmp_call *c, json_t *args)
{
	(void)args;
	return machine_answer(c, machine_resume(c->vm->machine), "resume");
}

static json_t *run_powerdown(struct qmp_call *c, json_t *args)
{
	int rc = machine_powerdown(c->vm->machine);

	(void)args;
	if (rc == -EOPNOTSUPP)
		return qmp_fail(c, QMP_GENERIC,
				"VM '%s' has no power button; power it off from inside, or end "
				"it (aerostat stop --force)",
				c->vm->name);
	return machine_answer(c, rc, "press the power button");
}

static json_t *run_quit(struct qmp_call *c, json_t *args)
{
	(void)args;
	c->vm->quit = true;
	machine_quit(c->vm->machine);
	return json_object();
}

static json_t *run_stat(struct qmp_call *c, json_t *args)
{
	(void)args;
	return stat_vm(c->vm);
}

static const struct command_spec commands[] = {
	{"qmp_capabilities", run_capabilities, false, {{"enable", ARG_LIST, false, 0, 0}}},
	{"query-status", run_query_status, false, {{0}}},
	{"query-name", run_query_name, false, {{0}}},
	{"query-version", run_query_version, false, {{0}}},
	{"query-commands", run_query_commands, false, {{0}}},
	{"stop", run_stop, true, {{0}}},
	{"cont", run_cont, true, {{0}}},
	{"system_powerdown", run_powerdown, true, {{0}}},
	{"quit", run_quit, true, {{0}}},
	{"balloon", qmp_balloon, true, {{"value", ARG_INTEGER, true, 1, INT64_MAX}}},
	{"query-balloon", qmp_query_balloon, true, {{0}}},
	{"x-aerostat-stat", run_stat, true, {{0}}},
	{"x-aerostat-balloon",
	 qmp_balloon_target,
	 true,
	 {{"target", ARG_INTEGER, false, 0, INT64_MAX},
	  {"relative", ARG_INTEGER, false, INT64_MIN, INT64_MAX}}},
	{"x-aerostat-balloon-stats",
	 qmp_balloon_stats,
	 true,
	 {{"max_age_ms", ARG_INTEGER, false, 0, INT64_MAX}}},
	{"x-aerostat-set-stats-interval",
	 qmp_stats_interval,
	 true,
	 {{"seconds", ARG_INTEGER, true, 0, UINT32_MAX}}},
	{"x-aerostat-audit", qmp_audit, true, {{0}}},
	{"x-aerostat-trim", qmp_trim, true, {{0}}},
	{"x-aerostat-trim-cancel",
	 qmp_trim_cancel,
	 true,
	 {{"seq", ARG_INTEGER, false, 1, INT64_MAX}}},
	{"x-aerostat-query-trim", qmp_query_trim, true, {{0}}},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static json_t *run_query_commands(struct qmp_call *c, json_t *args)
{
	json_t *list = json_array();

	(void)c;
	(void)args;
	for (size_t i = 0; i < NCOMMANDS; i++) {
		if (json_array_append_new(list, json_pack("{s:s}", "name", commands[i].name))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static const struct arg_spec *find_arg(const struct command_spec *cmd, const char *name)
{
	for (size_t i = 0; i < ARGS_MAX && cmd->args[i].name; i++)
		if (!strcmp(cmd->args[i].name, name))
			return &cmd->args[i];
	return NULL;
}

static bool check_arg(struct qmp_call *c, const struct arg_spec *spec, const json_t *value)
{
	json_int_t v = json_integer_value(value);

	if (spec->type == ARG_LIST && !json_is_array(value)) {
		qmp_fail(c, QMP_GENERIC, "argument '%s' must be a list", spec->name);
		return false;
	}
	if (spec->type != ARG_INTEGER ||
	    (json_is_integer(value) && v >= spec->min && v <= spec->max))
		return true;
	if (spec->min == INT64_MIN)
		qmp_fail(c, QMP_GENERIC, "argument '%s' must be an integer", spec->name);
	else if (spec->max == INT64_MAX)
		qmp_fail(c, QMP_GENERIC, "argument '%s' must be an integer of at least %lld",
			 spec->name, (long long)spec->min);
	else
		qmp_fail(c, QMP_GENERIC, "argument '%s' must be an integer from %lld to %lld",
			 spec->name, (long long)spec->min, (long long)spec->max);
	return false;
}

static bool check_args(struct qmp_call *c, const struct command_spec *cmd, json_t *args)
{
	const char *key;
	json_t *value;

	json_object_foreach(args, key, value)
	{
		const struct arg_spec *spec = find_arg(cmd, key);

		if (!spec) {
			qmp_fail(c, QMP_GENERIC, "'%s' has no argument '%s'", cmd->name, key);
			return false;
		}
		if (!check_arg(c, spec, value))
			return false;
	}
	for (size_t i = 0; i < ARGS_MAX && cmd->args[i].name; i++) {
		if (cmd->args[i].required && !json_object_get(args, cmd->args[i].name)) {
			qmp_fail(c, QMP_GENERIC, "argument '%s' is missing", cmd->args[i].name);
			return false;
		}
	}
	return true;
}

json_t *qmp_execute(struct qmp_call *c, const char *name, json_t *args)
{
	const struct command_spec *cmd = NULL;
	bool hello = !strcmp(name, "qmp_capabilities");

	if (!c->session->negotiated && !hello)
		return qmp_fail(c, QMP_COMMAND_NOT_FOUND,
				"'%s' must wait: 'qmp_capabilities' comes first", name);
	if (c->session->negotiated && hello)
		return qmp_fail(c, QMP_COMMAND_NOT_FOUND,
				"capabilities have been negotiated already");
	for (size_t i = 0; i < NCOMMANDS && !cmd; i++)
		if (!strcmp(commands[i].name, name))
			cmd = &commands[i];
	if (!cmd)
		return qmp_fail(c, QMP_COMMAND_NOT_FOUND, "there is no command '%s'", name);
	if (!check_args(c, cmd, args))
		return NULL;
	if (cmd->needs_machine && !c->vm->machine)
		return qmp_fail(c, QMP_GENERIC, "VM '%s' is still being built", c->vm->name);
	return cmd->run(c, args);
}
