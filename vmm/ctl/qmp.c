// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/qmp.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmm/ctl/commands.h"

json_t *qmp_fail(struct qmp_call *c, const char *class, const char *fmt, ...)
{
	va_list ap;

	c->error.class = class;
	va_start(ap, fmt);
	vsnprintf(c->error.desc.msg, sizeof(c->error.desc.msg), fmt, ap);
	va_end(ap);
	return NULL;
}

json_t *qmp_version(void)
{
	int major = 0, minor = 0, micro = 0;

	sscanf(AEROSTAT_VERSION, "%d.%d.%d", &major, &minor, &micro);
	return json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "major", major, "minor", minor,
			 "micro", micro, "package", "aerostat-" AEROSTAT_VERSION);
}

json_t *qmp_greeting(void)
{
	return json_pack("{s:{s:o, s:[]}}", "QMP", "version", qmp_version(), "capabilities");
}

/* desc may quote what a client sent, cut anywhere: JSON takes only whole UTF-8 characters. */
static json_t *error_json(const struct qmp_call *c)
{
	char ascii[sizeof(c->error.desc.msg)];
	json_t *desc = json_string(c->error.desc.msg);

	if (!desc) {
		snprintf(ascii, sizeof(ascii), "%s", c->error.desc.msg);
		for (char *p = ascii; *p; p++)
			if (!isascii((unsigned char)*p))
				*p = '?';
		desc = json_string(ascii);
	}
	return json_pack("{s:s, s:o}", "class", c->error.class, "desc", desc);
}

/* The members of a request. NULL and c->error when it is malformed. */
static json_t *check_request(struct qmp_call *c, json_t *req)
{
	const char *key;
	json_t *value;

	if (!json_is_object(req))
		return qmp_fail(c, QMP_GENERIC, "a request is a JSON object");
	json_object_foreach(req, key, value)
	{
		if (strcmp(key, "execute") && strcmp(key, "arguments") && strcmp(key, "id"))
			return qmp_fail(c, QMP_GENERIC,
					"'%s' is not a member of a request: it has 'execute', "
					"'arguments' and 'id'",
					key);
	}
	if (!json_is_string(json_object_get(req, "execute")))
		return qmp_fail(c, QMP_GENERIC,
				"the request needs 'execute' with the name of a command");
	value = json_object_get(req, "arguments");
	if (value && !json_is_object(value))
		return qmp_fail(c, QMP_GENERIC, "'arguments' must be an object");
	return req;
}

static json_t *execute(struct qmp_call *c, json_t *req)
{
	json_t *args = json_incref(json_object_get(req, "arguments"));
	json_t *ret;

	if (!args)
		args = json_object();
	ret = args ? qmp_execute(c, json_string_value(json_object_get(req, "execute")), args)
		   : NULL;
	json_decref(args);
	return ret;
}

static json_t *parse(struct qmp_call *c, const char *line, size_t len)
{
	json_error_t why;
	json_t *req = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);

	if (!req)
		qmp_fail(c, QMP_GENERIC, "not JSON: %s (at byte %d)", why.text, why.position);
	return req;
}

static bool blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!memchr(" \t\r", line[i], 3))
			return false;
	return true;
}

int qmp_line(struct qmp_vm *vm, struct qmp_session *s, const char *line, size_t len,
	     json_t **answer)
{
	struct qmp_call c = {
		.vm = vm,
		.session = s,
		.error = {QMP_GENERIC, {"out of memory"}},
	};
	json_t *req, *ret = NULL, *id;
	int rc = 0;

	*answer = NULL;
	if (blank(line, len))
		return 0;
	req = parse(&c, line, len);
	if (req && check_request(&c, req))
		ret = execute(&c, req);
	*answer = ret ? json_pack("{s:o}", "return", ret)
		      : json_pack("{s:o}", "error", error_json(&c));
	id = json_object_get(req, "id");
	if (!*answer || (id && json_object_set(*answer, "id", id)))
		rc = -ENOMEM;
	if (rc) {
		json_decref(*answer);
		*answer = NULL;
	}
	json_decref(req);
	return rc;
}

const char *qmp_status(const struct qmp_vm *vm)
{
	switch (vm->machine ? machine_state(vm->machine) : MACHINE_CREATED) {
	case MACHINE_CREATED:
		return "prelaunch";
	case MACHINE_RUNNING:
		return "running";
	case MACHINE_PAUSED:
		return "paused";
	case MACHINE_ENDED:
		break;
	}
	switch (machine_exit_status(vm->machine)) {
	case MACHINE_EXIT_OK:
		return "shutdown";
	case MACHINE_EXIT_TRIPLE_FAULT:
		return "guest-panicked";
	default:
		return "internal-error";
	}
}

static json_t *balloon_change(const struct qmp_vm *vm)
{
	struct balloon *b = machine_balloon(vm->machine);
	uint64_t mem = machine_config(vm->machine)->mem;
	struct balloon_status st = {0};

	if (b)
		balloon_query(b, &st);
	return json_pack("{s:I}", "actual", (json_int_t)(mem - st.actual));
}

static json_t *shutdown_data(const struct qmp_vm *vm, enum machine_event ev)
{
	bool guest = true;
	const char *reason = "guest-shutdown";

	if (ev == MACHINE_EV_CRASH) {
		guest = machine_exit_status(vm->machine) == MACHINE_EXIT_TRIPLE_FAULT;
		reason = guest ? "guest-panic" : "host-error";
	} else if (ev == MACHINE_EV_QUIT) {
		guest = false;
		reason = vm->quit ? "host-qmp-quit" : "host-signal";
	}
	return json_pack("{s:b, s:s}", "guest", guest, "reason", reason);
}

static json_t *event_data(const struct qmp_vm *vm, enum machine_event ev, const char **name)
{
	switch (ev) {
	case MACHINE_EV_STOP:
		*name = "STOP";
		break;
	case MACHINE_EV_RESUME:
		*name = "RESUME";
		break;
	case MACHINE_EV_POWERDOWN:
		*name = "POWERDOWN";
		break;
	case MACHINE_EV_RESET:
		*name = "RESET";
		return json_pack("{s:b, s:s}", "guest", true, "reason", "guest-reset");
	case MACHINE_EV_SHUTDOWN:
	case MACHINE_EV_QUIT:
	case MACHINE_EV_CRASH:
		*name = "SHUTDOWN";
		return shutdown_data(vm, ev);
	case MACHINE_EV_BALLOON:
		*name = "BALLOON_CHANGE";
		return balloon_change(vm);
	}
	return NULL;
}

json_t *qmp_event(const struct qmp_vm *vm, enum machine_event ev)
{
	struct timespec ts;
	const char *name = NULL;
	json_t *data = event_data(vm, ev, &name);

	assert(name);
	clock_gettime(CLOCK_REALTIME, &ts);
	/* An event without data has no "data" at all ("o*" leaves it out). */
	return json_pack("{s:{s:I, s:I}, s:s, s:o*}", "timestamp", "seconds",
			 (json_int_t)ts.tv_sec, "microseconds", (json_int_t)(ts.tv_nsec / 1000),
			 "event", name, "data", data);
}
