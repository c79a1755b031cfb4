// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <string.h>

#include "tests/unit/fake_ctl.h"
#include "vmm/base/size.h"

static struct fake_run r;

static void one_vm(void)
{
	fake_vms[0] = (struct fake_vm){.name = "one",
				       .balloon = true,
				       .driver = true,
				       .ram = 256 * MIB,
				       .target = 64 * MIB,
				       .step = GIB};
}

static void has(const char *line)
{
	ck_assert_msg(strstr(r.out, line) != NULL, "no '%s' in:\n%s", line, r.out);
}

START_TEST(text_for_people)
{
	one_vm();
	FAKE_RUN(&r, &cmd_stat, "-n", "one");
	ck_assert_int_eq(r.status, 0);
	ck_assert_str_eq(r.err, "");
	has("name            one\n");
	has("state           running\n");
	has("memory          256.0 MiB\n");
	has("  resident      192.0 MiB,");
	has("  backing       memfd in pages of 4.0 KiB, without transparent huge pages\n");
	has("  note          it is cold\n");
	has("balloon         reached, holds 64.0 MiB of 64.0 MiB asked for\n");
	has("  last progress 1.5 s ago\n");
	has("  returned      64.0 MiB in all, by 11 discards,");
	has(" 9 violations\n");
	ck_assert_ptr_null(strstr(r.out, "guest memory"));
	ck_assert_uint_eq(fake_vms[0].statistics, 0);
}
END_TEST

START_TEST(memory_asks_for_fresh_statistics)
{
	one_vm();
	fake_vms[0].seq = 5;
	fake_vms[0].answers_late = 3;
	FAKE_RUN(&r, &cmd_stat, "-n", "one", "-m");
	ck_assert_int_eq(r.status, 0);
	has("guest memory    0.0 s old\n");
	has("  free                96.0 MiB\n");
	has("  major-faults        42\n");
	ck_assert_uint_ge(fake_vms[0].statistics, 4);
}
END_TEST

START_TEST(old_statistics_are_called_old)
{
	one_vm();
	fake_vms[0].seq = 5;
	fake_vms[0].answers_late = 1000000;
	FAKE_RUN(&r, &cmd_stat, "-n", "one", "-m", "--timeout", "1");
	ck_assert_int_eq(r.status, 0);
	has("guest memory    0.0 s old; the guest did not answer in time\n");
	has("  free ");
	fake_vms[0].seq = 0;
	FAKE_RUN(&r, &cmd_stat, "-n", "one", "-m", "--timeout", "1");
	has("guest memory    no statistics yet\n");
}
END_TEST

START_TEST(memory_of_a_guest_without_driver_fails_at_once)
{
	one_vm();
	fake_vms[0].driver = false;
	FAKE_RUN(&r, &cmd_stat, "-n", "one", "-m");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err, "aerostat: stat: one: the guest has no balloon driver\n");
	FAKE_RUN(&r, &cmd_stat, "-n", "one");
	ck_assert_int_eq(r.status, 0);
	has("balloon         no driver, 64.0 MiB asked for\n");
}
END_TEST

START_TEST(json_is_an_object_or_an_array)
{
	json_t *j;

	one_vm();
	FAKE_RUN(&r, &cmd_stat, "-n", "one", "--json");
	j = json_loads(r.out, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(j, "name")), "one");
	json_decref(j);
	FAKE_RUN(&r, &cmd_stat, "--all", "--json");
	j = json_loads(r.out, 0, NULL);
	ck_assert_uint_eq(json_array_size(j), 1);
	json_decref(j);
	FAKE_RUN(&r, &cmd_stat, "-n", "two", "--json");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.out, "");
}
END_TEST

START_TEST(watching_a_vm_ends_with_it)
{
	FAKE_RUN(&r, &cmd_stat, "-n", "gone", "--watch=1");
	ck_assert_int_eq(r.status, 1);
	ck_assert_str_eq(r.err, "aerostat: stat: no VM named 'gone'\n");
}
END_TEST

START_TEST(several_are_set_apart)
{
	one_vm();
	fake_vms[1] = fake_vms[0];
	fake_vms[1].name = "two";
	FAKE_RUN(&r, &cmd_stat, "--all");
	ck_assert_int_eq(strncmp(r.out, "name ", 5), 0);
	has("\n\nname            two\n");
}
END_TEST

UNIT_MAIN("cmd_stat", text_for_people, memory_asks_for_fresh_statistics,
	  old_statistics_are_called_old, memory_of_a_guest_without_driver_fails_at_once,
	  json_is_an_object_or_an_array, watching_a_vm_ends_with_it, several_are_set_apart)
