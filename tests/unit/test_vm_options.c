// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#include "vmm/config/vm_options.h"

static struct vm_config c;
static struct options_found found;
static struct err err;

static int parse_words(const char *const *words)
{
	int n = 0;

	while (words[n])
		n++;
	vm_config_init(&c);
	return options_parse(&vm_options, n, (char *const *)words, &c, &found, &err);
}

#define PARSE(...) parse_words((const char *const[]){__VA_ARGS__, NULL})

START_TEST(everything_reaches_its_field)
{
	ck_assert_int_eq(PARSE("-k", "vmlinuz", "-i", "initrd", "-p", "quiet", "-m", "512",
			       "-c", "4", "--name", "web1", "--console", "none", "--pidfile",
			       "pid", "--loglevel", "debug"),
			 0);
	ck_assert_str_eq(c.kernel, "vmlinuz");
	ck_assert_str_eq(c.initrd, "initrd");
	ck_assert_str_eq(c.params, "quiet");
	ck_assert_uint_eq(c.mem, 512 * MIB);
	ck_assert_uint_eq(c.cpus, 4);
	ck_assert_str_eq(c.name, "web1");
	ck_assert_int_eq(c.console, CONSOLE_NONE);
	ck_assert_str_eq(c.pidfile, "pid");
	ck_assert_int_eq(c.loglevel, LOG_DEBUG);
	ck_assert(!options_given(&vm_options, &found, "balloon"));
}
END_TEST

START_TEST(words_match_their_enums)
{
	static const char *const levels[] = {[LOG_ERROR] = "error",
					     [LOG_WARN] = "warn",
					     [LOG_INFO] = "info",
					     [LOG_DEBUG] = "debug"};

	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		ck_assert_int_eq(PARSE("--loglevel", levels[i]), 0);
		ck_assert_int_eq(c.loglevel, i);
	}
	ck_assert_int_eq(PARSE("--console", "stdio"), 0);
	ck_assert_int_eq(c.console, CONSOLE_STDIO);
}
END_TEST

START_TEST(balloon_keys_reach_their_fields)
{
	ck_assert_int_eq(PARSE("--balloon"), 0);
	ck_assert(options_given(&vm_options, &found, "balloon"));
	ck_assert(c.balloon.must_tell_host && c.balloon.stats);
	ck_assert_int_eq(c.balloon.reporting, REPORTING_AUTO);
	ck_assert(c.balloon.poison);
	ck_assert_uint_eq(c.balloon.reporting_min, 0);
	ck_assert_uint_eq(c.balloon.reporting_rate, 0);
	ck_assert_int_eq(PARSE("--balloon=initial=64M,must-tell-host=off,stats=off,"
			       "deflate-on-oom=on,stats-interval=5"),
			 0);
	ck_assert_uint_eq(c.balloon.initial, 64 * MIB);
	ck_assert(!c.balloon.must_tell_host && !c.balloon.stats && c.balloon.deflate_on_oom);
	ck_assert_uint_eq(c.balloon.stats_interval, 5);
	ck_assert_int_eq(PARSE("--balloon=reporting-min=4M,reporting-rate=256,poison=off"), 0);
	ck_assert_uint_eq(c.balloon.reporting_min, 4 * MIB);
	ck_assert_uint_eq(c.balloon.reporting_rate, 256 * MIB);
	ck_assert(!c.balloon.poison);
	ck_assert(c.balloon.hinting);
	ck_assert_int_eq(PARSE("--balloon=hinting=off"), 0);
	ck_assert(!c.balloon.hinting);
	ck_assert(c.balloon.poison);
	ck_assert_int_eq(PARSE("--balloon=poison=off,hinting=on"), 0);
	ck_assert(c.balloon.hinting);
	ck_assert(!c.balloon.poison);
	ck_assert_int_eq(PARSE("--balloon=reporting=off"), 0);
	ck_assert_int_eq(c.balloon.reporting, REPORTING_OFF);
	ck_assert(c.balloon.poison);
	ck_assert_int_eq(PARSE("--balloon=reporting=on"), 0);
	ck_assert_int_eq(c.balloon.reporting, REPORTING_ON);
	ck_assert_int_eq(PARSE("--balloon=reporting=auto"), 0);
	ck_assert_int_eq(c.balloon.reporting, REPORTING_AUTO);
	ck_assert_int_eq(PARSE("--balloon=reporting-rate=1023K"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "--balloon: reporting-rate"));
	ck_assert_ptr_nonnull(strstr(err.msg, "at least 1M"));
	ck_assert_int_eq(PARSE("--balloon=reporting-min=2G"), -EINVAL);
	ck_assert_int_eq(PARSE("--balloon=initial=64"), 0);
	ck_assert_uint_eq(c.balloon.initial, 64 * MIB);
}
END_TEST

START_TEST(memory_is_a_size_or_keys)
{
	ck_assert_int_eq(PARSE("-m", "1G"), 0);
	ck_assert_uint_eq(c.mem, GIB);
	ck_assert_int_eq(PARSE("--mem=2G"), 0);
	ck_assert_uint_eq(c.mem, 2 * GIB);
	ck_assert_int_eq(PARSE("-m64,backing=memfd"), 0);
	ck_assert_uint_eq(c.mem, 64 * MIB);
	ck_assert_int_eq(c.memory.backing, MEM_MEMFD);
	ck_assert_int_eq(PARSE("--mem", "backing=hugetlb,hugepage=1G,size=4G,thp=off,"
					"prealloc=on,lock=on"),
			 0);
	ck_assert_uint_eq(c.mem, 4 * GIB);
	ck_assert_int_eq(c.memory.backing, MEM_HUGETLB);
	ck_assert_uint_eq(c.memory.hugepage, GIB);
	ck_assert_int_eq(c.memory.thp, MEM_THP_OFF);
	ck_assert(c.memory.prealloc && c.memory.lock);
	/* One after the other adds up. */
	ck_assert_int_eq(PARSE("-m", "1G", "-m", "thp=on"), 0);
	ck_assert_uint_eq(c.mem, GIB);
	ck_assert_int_eq(c.memory.thp, MEM_THP_ON);
	ck_assert_int_eq(PARSE("-m", "backing=anon,thp=default"), 0);
	ck_assert_uint_eq(c.mem, VM_MEM_DEFAULT);
	ck_assert_int_eq(c.memory.backing, MEM_ANON);
	ck_assert_int_eq(c.memory.thp, MEM_THP_DEFAULT);

	ck_assert_int_eq(PARSE("-m", "1G,size=2G"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "'size' is given twice"));
	ck_assert_int_eq(PARSE("-m", "backing=memfd,1G"), -EINVAL);
	ck_assert_int_eq(PARSE("-m", "backing=file"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "anon, memfd or hugetlb"));
	ck_assert_int_eq(PARSE("-m", "1X"), -EINVAL);
	ck_assert_str_eq(err.msg, "-m/--mem: '1X' is not accepted; give a size such as 512M or "
				  "2G (a bare number is MiB)");
}
END_TEST

/* No message may be so long that what is accepted is cut off. */
START_TEST(lists_of_keys_fit_their_messages)
{
	ck_assert_int_eq(PARSE("--balloon=1234567890123456789012345678901234567890"), -EINVAL);
	ck_assert_str_eq(err.msg, "--balloon: '1234567890123456789012345678901234567890' is "
				  "not accepted; give a comma-separated list of KEY=VALUE; the "
				  "keys are initial, must-tell-host, stats, deflate-on-oom, "
				  "stats-interval, deflate, backlog, reporting, reporting-min, "
				  "reporting-rate, hinting, poison");
	ck_assert_int_eq(PARSE("-m", "1234567890123456789012345678901234567890=1"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "give SIZE, or a comma-separated list of "
					      "KEY=VALUE; the keys are size, backing, "));
	ck_assert_ptr_nonnull(strstr(err.msg, ", lock"));
	/* One that is known tells what it accepts. */
	ck_assert_int_eq(PARSE("--balloon=stats=on,hinting"), -EINVAL);
	ck_assert_str_eq(err.msg, "--balloon: hinting needs a value: on or off");
	ck_assert_int_eq(PARSE("--balloon=hinting=1"), -EINVAL);
	ck_assert_str_eq(err.msg, "--balloon: hinting: '1' is not accepted; give on or off");
}
END_TEST

static const char *line(const char *params, enum console_kind console)
{
	static char out[VM_CMDLINE_MAX + 1];

	ck_assert_int_eq(vm_cmdline(params, console, out, &err), 0);
	return out;
}

START_TEST(a_console_is_added_when_none_is_named)
{
	ck_assert_str_eq(line(NULL, CONSOLE_STDIO), "console=ttyS0");
	ck_assert_str_eq(line("", CONSOLE_STDIO), "console=ttyS0");
	ck_assert_str_eq(line("quiet", CONSOLE_STDIO), "console=ttyS0 quiet");
	ck_assert_str_eq(line("console=hvc0", CONSOLE_STDIO), "console=hvc0");
	ck_assert_str_eq(line("quiet console=", CONSOLE_STDIO), "quiet console=");
	ck_assert_str_eq(line("quiet\tconsole=hvc0", CONSOLE_STDIO), "quiet\tconsole=hvc0");
	ck_assert_str_eq(line("netconsole=x", CONSOLE_STDIO), "console=ttyS0 netconsole=x");
	ck_assert_str_eq(line("netconsole=x console=hvc0", CONSOLE_STDIO),
			 "netconsole=x console=hvc0");
	ck_assert_str_eq(line("quiet", CONSOLE_NONE), "quiet");
	ck_assert_str_eq(line(NULL, CONSOLE_NONE), "");
}
END_TEST

START_TEST(what_is_added_counts_too)
{
	char params[VM_CMDLINE_MAX + 1], out[VM_CMDLINE_MAX + 1];
	size_t fits = VM_CMDLINE_MAX - strlen("console=ttyS0 ");

	memset(params, 'x', sizeof(params));
	params[fits] = '\0';
	ck_assert_int_eq(vm_cmdline(params, CONSOLE_STDIO, out, &err), 0);
	ck_assert_uint_eq(strlen(out), VM_CMDLINE_MAX);
	params[fits] = 'x';
	params[fits + 1] = '\0';
	ck_assert_int_eq(vm_cmdline(params, CONSOLE_STDIO, out, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "-p/--params"));
	ck_assert_int_eq(vm_cmdline(params, CONSOLE_NONE, out, &err), 0);
}
END_TEST

UNIT_MAIN("vm_options", everything_reaches_its_field, words_match_their_enums,
	  balloon_keys_reach_their_fields, memory_is_a_size_or_keys,
	  lists_of_keys_fit_their_messages, a_console_is_added_when_none_is_named,
	  what_is_added_counts_too)
