// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "tests/unit/kvm_guest.h"
#include "tests/unit/tiny_kernel.h"
#include "tests/unit/unit.h"

static const uint8_t idle[] = {0xeb, 0xfe};

static struct machine *create(struct vm_config *cfg, struct loop *loop, struct err *err)
{
	cfg->console = CONSOLE_NONE;
	return machine_create(cfg, loop, err);
}

START_TEST(a_missing_image_names_its_option_and_leaves_nothing)
{
	struct loop *loop = loop_create();
	struct vm_config cfg;
	struct err err;

	vm_config_init(&cfg);
	cfg.kernel = "/nonexistent/vmlinuz";
	ck_assert_ptr_null(create(&cfg, loop, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "--kernel '/nonexistent/vmlinuz'"));

	cfg.kernel = "/dev/null";
	cfg.initrd = "/nonexistent/initrd";
	ck_assert_ptr_null(create(&cfg, loop, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "--initrd '/nonexistent/initrd'"));
	loop_destroy(loop);
}
END_TEST

START_TEST(memory_beyond_the_host_is_refused)
{
	struct loop *loop = loop_create();
	struct vm_config cfg;
	struct err err;

	vm_config_init(&cfg);
	cfg.kernel = "/dev/null";
	cfg.mem = 1ull << 60;
	ck_assert_ptr_null(create(&cfg, loop, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "-m"));
	loop_destroy(loop);
}
END_TEST

START_TEST(a_file_that_is_no_kernel_fails_at_start)
{
	struct loop *loop = loop_create();
	struct machine *m;
	struct vm_config cfg;
	struct err err;

	vm_config_init(&cfg);
	cfg.kernel = "/proc/self/exe";
	m = create(&cfg, loop, &err);
	ck_assert_ptr_nonnull(m);
	ck_assert_int_lt(machine_start(m, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "/proc/self/exe"));
	ck_assert_int_eq(machine_state(m), MACHINE_CREATED);
	machine_destroy(m);
	loop_destroy(loop);
}
END_TEST

START_TEST(query_tells_what_was_asked_for)
{
	struct tiny_machine t;
	struct machine_info info;

	tiny_create(&t, 3, false, idle, sizeof(idle));
	machine_query(t.m, &info);
	ck_assert_int_eq(info.state, MACHINE_CREATED);
	ck_assert_uint_eq(info.mem, 32 * MIB);
	ck_assert_uint_eq(info.cpus, 3);
	ck_assert_uint_eq(info.uptime_ms, 0);
	ck_assert_uint_le(info.resident, 32 * MIB);
	ck_assert_uint_gt(info.overhead, 0);
	ck_assert_ptr_eq(machine_config(t.m), &t.cfg);
	ck_assert_ptr_null(machine_balloon(t.m));
	ck_assert_int_eq(machine_set_stats_interval(t.m, 1), -ENODEV);
	tiny_destroy(&t);
	machine_destroy(NULL);
}
END_TEST

START_TEST(memory_is_made_of_what_was_asked_for)
{
	struct loop *loop = loop_create();
	struct machine_info info;
	struct vm_config cfg;
	struct machine *m;
	struct err err;

	vm_config_init(&cfg);
	cfg.kernel = "/dev/null";
	cfg.memory = (struct mem_config){
		.backing = MEM_MEMFD, .thp = MEM_THP_OFF, .prealloc = true, .lock = true};
	m = create(&cfg, loop, &err);
	ck_assert_msg(m != NULL, "%s", err.msg);
	machine_query(m, &info);
	ck_assert_str_eq(info.memory.backing, "memfd");
	ck_assert_str_eq(info.memory.thp, "off");
	ck_assert(info.memory.prealloc && info.memory.lock);
	ck_assert_uint_eq(info.resident, cfg.mem);
	ck_assert_uint_lt(info.overhead, cfg.mem);
	machine_destroy(m);

	/* More than any pool has. */
	cfg.memory = (struct mem_config){.backing = MEM_HUGETLB, .hugepage = GIB};
	cfg.mem = 2048 * GIB;
	ck_assert_ptr_null(create(&cfg, loop, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "-m/--mem: backing=hugetlb"));
	loop_destroy(loop);
}
END_TEST

START_TEST(the_stats_interval_reaches_the_balloon)
{
	struct tiny_machine t;

	tiny_create(&t, 1, true, idle, sizeof(idle));
	ck_assert_ptr_nonnull(machine_balloon(t.m));
	ck_assert_int_eq(machine_set_stats_interval(t.m, 7), 0);
	ck_assert_uint_eq(balloon_stats_interval(machine_balloon(t.m)), 7);
	tiny_destroy(&t);
}
END_TEST

UNIT_MAIN_KVM("machine", a_missing_image_names_its_option_and_leaves_nothing,
	      memory_beyond_the_host_is_refused, a_file_that_is_no_kernel_fails_at_start,
	      query_tells_what_was_asked_for, memory_is_made_of_what_was_asked_for,
	      the_stats_interval_reaches_the_balloon)
