// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/commands.h"

#include <errno.h>
#include <string.h>

#include "vmm/ctl/stat.h"
#include "vmm/mem/gmem.h"

struct balloon *qmp_balloon_of(struct qmp_call *c)
{
	struct balloon *b = machine_balloon(c->vm->machine);

	if (!b)
		qmp_fail(c, QMP_DEVICE_NOT_ACTIVE, "VM '%s' has no balloon", c->vm->name);
	return b;
}

static uint64_t ram(const struct qmp_call *c)
{
	return machine_config(c->vm->machine)->mem;
}

/* balloon.h's errors, as an answer. */
static json_t *fail(struct qmp_call *c, int rc)
{
	switch (rc) {
	case -ENOTCONN:
		return qmp_fail(c, QMP_DEVICE_NOT_ACTIVE, BALLOON_NO_DRIVER);
	case -EIO:
		return qmp_fail(c, QMP_GENERIC,
				"the balloon is out of order until the guest resets it: its "
				"driver broke the rules");
	case -EOPNOTSUPP:
		return qmp_fail(c, QMP_GENERIC, "the guest's balloon driver has no statistics");
	case -ERANGE:
		return qmp_fail(c, QMP_GENERIC,
				"the balloon cannot take all of the VM's memory: it must "
				"stay below %llu bytes",
				(unsigned long long)ram(c));
	default:
		return qmp_fail(c, QMP_GENERIC, "the balloon failed: %s", strerror(-rc));
	}
}

/* Whole pages, the part of one goes to the guest. -> 0 or a negative errno. */
static int set_target(struct qmp_call *c, struct balloon *b, uint64_t *bytes)
{
	*bytes -= *bytes % GMEM_PAGE_SIZE;
	if (*bytes >= ram(c))
		return -ERANGE;
	return balloon_set_target(b, *bytes);
}

json_t *qmp_balloon(struct qmp_call *c, json_t *args)
{
	uint64_t keep = (uint64_t)json_integer_value(json_object_get(args, "value"));
	struct balloon *b = qmp_balloon_of(c);
	uint64_t take;
	int rc;

	if (!b)
		return NULL;
	/* A guest can't keep more than it has; QEMU clamps here too. */
	take = keep < ram(c) ? ram(c) - keep : 0;
	rc = set_target(c, b, &take);
	return rc ? fail(c, rc) : json_object();
}

json_t *qmp_query_balloon(struct qmp_call *c, json_t *args)
{
	struct balloon *b = qmp_balloon_of(c);
	struct balloon_status st;

	(void)args;
	if (!b)
		return NULL;
	balloon_query(b, &st);
	return json_pack("{s:o}", "actual", stat_number(ram(c) - st.actual));
}

/* The target after a change by `delta`, which ends at 0 and stops short of wrapping. */
static uint64_t changed(uint64_t target, int64_t delta)
{
	uint64_t size = delta < 0 ? -(uint64_t)delta : (uint64_t)delta;

	if (delta < 0)
		return size < target ? target - size : 0;
	return size <= UINT64_MAX - target ? target + size : UINT64_MAX;
}

json_t *qmp_balloon_target(struct qmp_call *c, json_t *args)
{
	const json_t *target = json_object_get(args, "target");
	const json_t *relative = json_object_get(args, "relative");
	struct balloon *b = qmp_balloon_of(c);
	struct balloon_status st;
	uint64_t bytes;
	int rc;

	if (!b)
		return NULL;
	if (!target == !relative)
		return qmp_fail(c, QMP_GENERIC, "give one of 'target' and 'relative'");
	if (target) {
		bytes = (uint64_t)json_integer_value(target);
	} else {
		balloon_query(b, &st);
		bytes = changed(st.target, json_integer_value(relative));
	}
	rc = set_target(c, b, &bytes);
	return rc ? fail(c, rc) : json_pack("{s:o}", "target_bytes", stat_number(bytes));
}

json_t *qmp_balloon_stats(struct qmp_call *c, json_t *args)
{
	const json_t *max_age = json_object_get(args, "max_age_ms");
	struct balloon *b = qmp_balloon_of(c);
	struct balloon_stats s;
	uint64_t age_ms = 0, seq = 0;
	bool have, fresh;
	int rc;

	if (!b)
		return NULL;
	have = !balloon_stats_get(b, &s, &age_ms, &seq);
	fresh = have && max_age && age_ms <= (uint64_t)json_integer_value(max_age);
	if (!fresh) {
		rc = balloon_stats_request(b);
		if (rc && rc != -EINPROGRESS)
			return fail(c, rc);
	}
	return json_pack("{s:b, s:o, s:o}", "fresh", fresh, "seq", stat_number(have ? seq : 0),
			 "statistics", have ? stat_statistics(&s, age_ms, seq) : json_null());
}

json_t *qmp_stats_interval(struct qmp_call *c, json_t *args)
{
	json_int_t seconds = json_integer_value(json_object_get(args, "seconds"));
	int rc;

	if (!qmp_balloon_of(c))
		return NULL;
	rc = machine_set_stats_interval(c->vm->machine, (uint32_t)seconds);
	return rc ? fail(c, rc) : json_object();
}

json_t *qmp_audit(struct qmp_call *c, json_t *args)
{
	struct balloon *b = qmp_balloon_of(c);
	struct audit a;
	int rc;

	(void)args;
	if (!b)
		return NULL;
	rc = balloon_audit(b, &a);
	if (rc)
		return fail(c, rc);
	return json_pack("{s:o, s:o, s:s}", "discarded_bytes",
			 stat_number(a.pages * GMEM_PAGE_SIZE), "resident_bytes",
			 stat_number(a.resident * GMEM_PAGE_SIZE), "method",
			 gmem_method_name(a.method));
}
