// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/trim.h"

#include <errno.h>

#include "vmm/ctl/commands.h"
#include "vmm/ctl/stat.h"

json_t *qmp_trim(struct qmp_call *c, json_t *args)
{
	struct trim_info t;
	struct err err;
	int rc;

	(void)args;
	if (!qmp_balloon_of(c))
		return NULL;
	rc = machine_trim(c->vm->machine, &err);
	if (rc == -ENOTCONN)
		return qmp_fail(c, QMP_DEVICE_NOT_ACTIVE, BALLOON_NO_DRIVER);
	if (rc)
		return qmp_fail(c, QMP_GENERIC, "%s", err.msg);
	machine_trim_query(c->vm->machine, &t);
	return json_pack("{s:o}", "seq", stat_number(t.seq));
}

json_t *qmp_trim_cancel(struct qmp_call *c, json_t *args)
{
	const json_t *seq = json_object_get(args, "seq");
	struct trim_info t;

	if (!qmp_balloon_of(c))
		return NULL;
	/* Who gave up on one trim must not end the next, which another client began. */
	machine_trim_query(c->vm->machine, &t);
	if (seq && (uint64_t)json_integer_value(seq) != t.seq)
		return qmp_fail(c, QMP_GENERIC, "trim %lld is not under way",
				(long long)json_integer_value(seq));
	if (machine_trim_cancel(c->vm->machine))
		return qmp_fail(c, QMP_GENERIC, "no trim is under way");
	return json_object();
}

json_t *qmp_query_trim(struct qmp_call *c, json_t *args)
{
	struct trim_info t;

	(void)args;
	if (!qmp_balloon_of(c))
		return NULL;
	machine_trim_query(c->vm->machine, &t);
	return stat_trim(&t);
}
