// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/config/vm_config.h"

static struct vm_config c;
static struct err err;

static void good(void)
{
	vm_config_init(&c);
	c.kernel = "vmlinuz";
}

static void refused(const char *says)
{
	ck_assert_int_eq(vm_config_check(&c, &err), -EINVAL);
	ck_assert_msg(strstr(err.msg, says) == err.msg, "%s", err.msg);
	good();
}

START_TEST(defaults)
{
	vm_config_init(&c);
	ck_assert_uint_eq(c.mem, 256 * MIB);
	ck_assert_uint_eq(c.cpus, 1);
	ck_assert_ptr_null(c.kernel);
	ck_assert_ptr_null(c.initrd);
	ck_assert_ptr_null(c.pidfile);
	ck_assert_ptr_null(c.dump_dtb);
	ck_assert_int_eq(c.console, CONSOLE_STDIO);
	ck_assert_int_eq(c.reclaim, RECLAIM_AUTO);
	ck_assert_int_eq(c.loglevel, LOG_WARN);
	ck_assert(!c.balloon.enabled && c.balloon.must_tell_host && c.balloon.stats &&
		  !c.balloon.deflate_on_oom && c.balloon.poison && c.balloon.hinting);
	ck_assert_uint_eq(c.balloon.initial, 0);
	ck_assert_uint_eq(c.balloon.stats_interval, 0);
	ck_assert(c.memory.backing == MEM_ANON && c.memory.thp == MEM_THP_DEFAULT &&
		  !c.memory.hugepage && !c.memory.prealloc && !c.memory.lock);
}
END_TEST

START_TEST(an_empty_name_becomes_one)
{
	char want[32];

	good();
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
	snprintf(want, sizeof(want), "vm-%d", (int)getpid());
	ck_assert_str_eq(c.name, want);
	good();
	strcpy(c.name, "web1");
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
	ck_assert_str_eq(c.name, "web1");
}
END_TEST

START_TEST(each_field_is_checked)
{
	good();
	c.kernel = NULL;
	refused("-k/--kernel");
	c.kernel = "";
	refused("-k/--kernel");
	c.initrd = "";
	refused("-i/--initrd");
	c.pidfile = "";
	refused("--pidfile");
	good();
	c.dump_dtb = "";
	refused("--dump-dtb");
	c.mem = VM_MEM_MIN - 4096;
	refused("-m/--mem");
	c.mem = VM_MEM_MIN + 1;
	refused("-m/--mem");
	c.mem = 0;
	refused("-m/--mem");
	c.cpus = 0;
	refused("-c/--cpus");
	c.cpus = VM_CPUS_MAX + 1;
	refused("-c/--cpus");
	strcpy(c.name, "a/b");
	refused("--name");
	c.mem = VM_MEM_MIN;
	c.cpus = VM_CPUS_MAX;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
}
END_TEST

START_TEST(the_command_line_has_a_limit)
{
	char params[VM_CMDLINE_MAX + 2];

	memset(params, 'x', sizeof(params));
	params[VM_CMDLINE_MAX] = '\0';
	good();
	c.params = params;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
	params[VM_CMDLINE_MAX] = 'x';
	params[VM_CMDLINE_MAX + 1] = '\0';
	refused("-p/--params");
}
END_TEST

START_TEST(the_balloon_is_checked_when_there_is_one)
{
	good();
	c.balloon.initial = c.mem;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
	c.balloon.enabled = true;
	refused("--balloon: initial: give less");
	c.balloon.enabled = true;
	c.balloon.initial = 4097;
	refused("--balloon: initial");
	c.balloon.enabled = true;
	c.balloon.stats = false;
	c.balloon.stats_interval = 1;
	refused("--balloon: stats-interval");
	c.balloon.enabled = true;
	c.balloon.reporting = REPORTING_OFF;
	c.balloon.reporting_min = 1;
	refused("--balloon: reporting-min needs reporting; give reporting=on");
	c.balloon.enabled = true;
	c.balloon.reporting_rate = MIB;
	c.memory.prealloc = true;
	refused("--balloon: reporting-rate needs reporting");
	c.balloon.enabled = true;
	c.balloon.reporting_min = 1;
	c.balloon.reporting_rate = MIB;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
	/* One offers something else than the other: neither needs the other. */
	c.balloon.enabled = true;
	c.balloon.poison = false;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
	ck_assert(c.balloon.hinting);
	c.balloon.enabled = true;
	c.balloon.initial = c.mem - 4096;
	c.balloon.stats_interval = 1;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
}
END_TEST

START_TEST(the_keys_of_memory_fit_each_other)
{
	good();
	c.memory.hugepage = 2 * MIB;
	refused("-m/--mem: hugepage is for backing=hugetlb");
	c.memory.backing = MEM_MEMFD;
	c.memory.hugepage = GIB;
	refused("-m/--mem: hugepage is for backing=hugetlb");
	c.memory.backing = MEM_HUGETLB;
	c.memory.hugepage = 4 * MIB;
	refused("-m/--mem: hugepage: 4.0 MiB; give 2M or 1G");
	c.memory.backing = MEM_HUGETLB;
	c.memory.thp = MEM_THP_OFF;
	refused("-m/--mem: thp is for backing=anon or memfd");
	c.memory.backing = MEM_HUGETLB;
	c.mem = 65 * MIB;
	refused("-m/--mem: size: 65.0 MiB; give a multiple of 2.0 MiB");
	c.memory.backing = MEM_HUGETLB;
	c.memory.hugepage = GIB;
	refused("-m/--mem: size: 256.0 MiB; give a multiple of 1.0 GiB");
	c.memory.backing = MEM_HUGETLB;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
	ck_assert_uint_eq(c.memory.hugepage, 2 * MIB);
	good();
	c.memory = (struct mem_config){
		.backing = MEM_MEMFD, .thp = MEM_THP_ON, .prealloc = true, .lock = true};
	c.balloon.enabled = true;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
}
END_TEST

static enum reporting_kind reporting(enum reporting_kind said, enum mem_backing backing,
				     bool prealloc)
{
	good();
	c.balloon.enabled = true;
	c.balloon.reporting = said;
	c.memory.backing = backing;
	c.memory.prealloc = prealloc;
	ck_assert_int_eq(vm_config_check(&c, &err), 0);
	return c.balloon.reporting;
}

START_TEST(reserved_memory_is_not_given_away_unasked)
{
	good();
	ck_assert_int_eq(c.balloon.reporting, REPORTING_AUTO);
	ck_assert_int_eq(reporting(REPORTING_AUTO, MEM_ANON, false), REPORTING_ON);
	ck_assert_int_eq(reporting(REPORTING_AUTO, MEM_MEMFD, false), REPORTING_ON);
	ck_assert_int_eq(reporting(REPORTING_AUTO, MEM_ANON, true), REPORTING_OFF);
	ck_assert_int_eq(reporting(REPORTING_AUTO, MEM_MEMFD, true), REPORTING_OFF);
	ck_assert_int_eq(reporting(REPORTING_AUTO, MEM_HUGETLB, false), REPORTING_OFF);
	ck_assert_int_eq(reporting(REPORTING_ON, MEM_HUGETLB, true), REPORTING_ON);
	ck_assert_int_eq(reporting(REPORTING_OFF, MEM_ANON, false), REPORTING_OFF);
}
END_TEST

START_TEST(names)
{
	static const char *const ok[] = {"a", "0", "_", "web-1", "a.b_c-", "Z9"};
	static const char *const bad[] = {"",	 ".",	"..",	      "-a",    ".a",  "a/b",
					  "a b", "a\n", "b\xc3\xa4r", "a\x80", "a:b", "*"};
	char name[VM_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++)
		ck_assert_msg(vm_name_valid(ok[i]), "%s", ok[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!vm_name_valid(bad[i]), "%s", bad[i]);
	memset(name, 'x', sizeof(name));
	name[VM_NAME_MAX] = '\0';
	ck_assert(vm_name_valid(name));
	name[VM_NAME_MAX] = 'x';
	name[VM_NAME_MAX + 1] = '\0';
	ck_assert(!vm_name_valid(name));
}
END_TEST

UNIT_MAIN("vm_config", defaults, an_empty_name_becomes_one, each_field_is_checked,
	  the_command_line_has_a_limit, the_balloon_is_checked_when_there_is_one,
	  the_keys_of_memory_fit_each_other, reserved_memory_is_not_given_away_unasked, names)
