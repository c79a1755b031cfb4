// SPDX-License-Identifier: Apache-2.0
/*
 * The control protocol: bytes of a client, cut anywhere, with a machine that changes under it.
 * Whatever comes in, what goes out is whole lines of JSON of the known shapes.
 *
 * Input: {u8 op, u8 length, bytes}... An op picks what happens before the bytes are fed; from
 * 0x80 on the bytes are the arguments of a command that the op names.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/fake_machine.h"
#include "vmm/base/size.h"
#include "vmm/ctl/conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_event(void *opaque, enum machine_event ev)
{
	struct conn *c = opaque;
	json_t *msg;

	if (!c->session.negotiated)
		return;
	msg = qmp_event(c->vm, ev);
	assert(msg);
	conn_send(c, msg);
	json_decref(msg);
}

/* Every line that waits is one object: an answer or an event. */
static void check_output(struct conn *c)
{
	while (c->out.len) {
		const char *end = memchr(c->out.data, '\n', c->out.len);
		size_t len;
		json_t *msg;

		assert(end && c->out.len <= CONN_OUT_MAX);
		len = (size_t)(end - c->out.data) + 1;
		assert(len >= 2 && end[-1] == '\r');
		msg = json_loadb(c->out.data, len, 0, NULL);
		assert(json_is_object(msg));
		assert(!!json_object_get(msg, "return") + !!json_object_get(msg, "error") +
			       !!json_object_get(msg, "event") ==
		       1);
		json_decref(msg);
		conn_sent(c, len);
	}
}

/* What the control protocol must keep true, whatever was asked. */
static void check_machine(const struct machine *m)
{
	assert(m->balloon.st.target < m->cfg.mem);
	assert(m->balloon.st.target % 4096 == 0);
	assert(m->trim.state == TRIM_NONE || m->trim.seq);
}

static void change(struct machine *m, struct qmp_vm *vm, struct conn *c, uint8_t op)
{
	switch (op) {
	case 1:
		m->balloon.st.driver = !m->balloon.st.driver;
		break;
	case 2:
		m->cfg.balloon.enabled = !m->cfg.balloon.enabled;
		break;
	case 3:
		vm->machine = vm->machine ? NULL : m;
		break;
	case 4:
		fake_machine_answer_stats(m, UINT64_MAX);
		break;
	case 5:
		c->session.negotiated = true;
		break;
	case 6:
		m->balloon.st.needs_reset = !m->balloon.st.needs_reset;
		break;
	case 7:
		m->state = MACHINE_RUNNING;
		break;
	case 8:
		m->balloon.st.actual = m->balloon.st.target;
		if (vm->machine)
			fake_machine_emit(m, MACHINE_EV_BALLOON);
		break;
	case 10:
		if (trim_active(m->trim.state))
			m->trim.state++;
		break;
	case 11:
		m->trim_rc = m->trim_rc ? 0 : -EIO;
		break;
	default:
		break;
	}
}

static const char *const heads[] = {
	"{\"execute\": \"balloon\", \"arguments\": {\"value\": ",
	"{\"execute\": \"x-aerostat-balloon\", \"arguments\": {\"target\": ",
	"{\"execute\": \"x-aerostat-balloon\", \"arguments\": {\"relative\": ",
	"{\"execute\": \"x-aerostat-balloon-stats\", \"arguments\": {\"max_age_ms\": ",
	"{\"execute\": \"x-aerostat-set-stats-interval\", \"arguments\": {\"seconds\": ",
	"{\"execute\": \"x-aerostat-stat\", \"id\": {\"i\": ",
	"{\"execute\": \"query-balloon\", \"id\": {\"i\": ",
	"{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": ",
	"{\"execute\": \"stop\", \"id\": {\"i\": ",
	"{\"execute\": \"cont\", \"id\": {\"i\": ",
	"{\"execute\": \"x-aerostat-trim\", \"id\": {\"i\": ",
	"{\"execute\": \"x-aerostat-trim-cancel\", \"arguments\": {\"seq\": ",
	"{\"execute\": \"x-aerostat-query-trim\", \"id\": {\"i\": ",
};

static void feed(struct conn *c, uint8_t op, const char *bytes, size_t len)
{
	const char *head = heads[op % (sizeof(heads) / sizeof(heads[0]))];

	if (op & 0x80)
		conn_input(c, head, strlen(head));
	conn_input(c, bytes, len);
	if (op & 0x80)
		conn_input(c, "}}\n", 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine m;
	struct qmp_vm vm = {.name = "fuzz", .machine = &m};
	struct conn c;

	fake_machine_init(&m, "fuzz", 512 * MIB, true);
	conn_init(&c, &vm);
	machine_listen(&m, on_event, &c);
	while (size >= 2) {
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		change(&m, &vm, &c, data[0]);
		feed(&c, data[0], (const char *)data + 2, len);
		/* The cap on what waits is reached only when nobody reads. */
		if (data[0] != 9)
			check_output(&c);
		check_machine(&m);
		data += 2 + len;
		size -= 2 + len;
	}
	check_output(&c);
	conn_free(&c);
	return 0;
}
