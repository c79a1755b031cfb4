// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/fake_ctl.h"
#include "vmm/base/size.h"

static struct fake_run r;

static void vms(void)
{
	fake_vms[0] = (struct fake_vm){.name = "dead", .connect_rc = -ECONNREFUSED};
	fake_vms[1] = (struct fake_vm){.name = "plain", .ram = 64 * MIB, .paused = true};
	fake_vms[2] = (struct fake_vm){.name = "web1",
				       .ram = GIB,
				       .balloon = true,
				       .driver = true,
				       .target = 256 * MIB,
				       .step = GIB};
}

START_TEST(a_table_of_the_living)
{
	vms();
	FAKE_RUN(&r, &cmd_list, NULL);
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.err, "");
	ck_assert_str_eq(
		r.out, "NAME   PID   STATE    MEMORY    RESIDENT   BALLOON\n"
		       "plain  4711  paused   64.0 MiB  64.0 MiB   none\n"
		       "web1   4711  running  1.0 GiB   768.0 MiB  reached, holds 256.0 MiB of "
		       "256.0 MiB asked for\n");
}
END_TEST

START_TEST(json_has_what_the_vm_says)
{
	json_t *j, *b;

	vms();
	FAKE_RUN(&r, &cmd_list, "--json");
	ck_assert_int_eq(r.status, 0);
	j = json_loads(r.out, 0, NULL);
	ck_assert_uint_eq(json_array_size(j), 2);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(j, 0), "name")),
			 "plain");
	b = json_object_get(json_array_get(j, 1), "balloon");
	ck_assert_int_eq(json_integer_value(json_object_get(b, "actual_bytes")), 256 * MIB);
	json_decref(j);
}
END_TEST

START_TEST(one_that_hangs_is_told_beside_the_table)
{
	vms();
	fake_vms[0].connect_rc = -ETIMEDOUT;
	FAKE_RUN(&r, &cmd_list, NULL);
	ck_assert_int_eq(r.status, 1);
	ck_assert(fake_lines(r.err, 1));
	ck_assert(fake_lines(r.out, 3));
}
END_TEST

UNIT_MAIN("cmd_list", a_table_of_the_living, json_has_what_the_vm_says,
	  one_that_hangs_is_told_beside_the_table)
