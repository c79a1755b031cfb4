// SPDX-License-Identifier: Apache-2.0
/* Whatever this host can do, the three ways to tell must agree. */
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"

static struct fake_run r;

START_TEST(status_text_and_json_agree)
{
	json_t *j, *check;
	bool all = true;
	size_t i;

	FAKE_RUN(&r, &cmd_doctor, "--json");
	ck_assert_str_eq(r.err, "");
	j = json_loads(r.out, 0, NULL);
	ck_assert_uint_ge(json_array_size(json_object_get(j, "checks")), 3);
	json_array_foreach(json_object_get(j, "checks"), i, check)
	{
		ck_assert_ptr_nonnull(json_string_value(json_object_get(check, "check")));
		ck_assert_ptr_nonnull(json_string_value(json_object_get(check, "detail")));
		all = all && json_is_true(json_object_get(check, "ok"));
	}
	ck_assert_int_eq(json_is_true(json_object_get(j, "ok")), all);
	ck_assert_int_eq(r.status, all ? 0 : 1);
	json_decref(j);
	FAKE_RUN(&r, &cmd_doctor, NULL);
	ck_assert_int_eq(r.status, all ? 0 : 1);
	ck_assert_int_eq(!strstr(r.out, "FAILED"), all);
	ck_assert_int_eq(!strstr(r.out, "This host can run VMs.\n"), !all);
}
END_TEST

UNIT_MAIN("cmd_doctor", status_text_and_json_agree)
