// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/vm_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* In the order of their enums: console_kind, log_level, and so on. */
static const char *const consoles[] = {"stdio", "none", NULL};
static const char *const reclaims[] = {"auto", "uring", "thread", "sync", "none", NULL};
static const char *const reportings[] = {"off", "on", "auto", NULL};
static const char *const deflates[] = {"lazy", "populate", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const backings[] = {"anon", "memfd", "hugetlb", NULL};
static const char *const thps[] = {"default", "on", "off", NULL};

#define KEY(member) offsetof(struct balloon_config, member)

static const struct opt balloon_rows[] = {
	{.name = "initial",
	 .type = OPT_SIZE,
	 .offset = KEY(initial),
	 .arg = "SIZE",
	 .unit = MIB,
	 .help = "take SIZE from the guest from the start (default 0)"},
	{.name = "must-tell-host",
	 .type = OPT_SWITCH,
	 .offset = KEY(must_tell_host),
	 .arg = "on|off",
	 .help = "the guest asks before it uses a page again; off\n"
		 "makes inflating slower (default on)"},
	{.name = "stats",
	 .type = OPT_SWITCH,
	 .offset = KEY(stats),
	 .arg = "on|off",
	 .help = "offer memory statistics (default on)"},
	{.name = "deflate-on-oom",
	 .type = OPT_SWITCH,
	 .offset = KEY(deflate_on_oom),
	 .arg = "on|off",
	 .help = "a guest out of memory may take some back\n(default off)"},
	{.name = "stats-interval",
	 .type = OPT_UINT,
	 .offset = KEY(stats_interval),
	 .arg = "SECONDS",
	 .max = 86400,
	 .help = "ask for statistics this often; 0: only on demand\n(default 0)"},
	{.name = "deflate",
	 .type = OPT_CHOICE,
	 .offset = KEY(deflate),
	 .arg = "HOW",
	 .choices = deflates,
	 .help = "memory the guest takes back comes when it is touched\n"
		 "(lazy) or at once (populate; default lazy)"},
	{.name = "backlog",
	 .type = OPT_SIZE,
	 .offset = KEY(backlog),
	 .arg = "SIZE",
	 .unit = MIB,
	 .min = 8 * MIB,
	 .help = "at most this much waits to be given back\n"
		 "(default 1536M; with transparent huge pages, all)"},
	{.name = "reporting",
	 .type = OPT_CHOICE,
	 .offset = KEY(reporting),
	 .arg = "on|off",
	 .choices = reportings,
	 .help = "the guest reports free memory, which is taken until\n"
		 "the guest uses it again (default on; with hugetlb or\n"
		 "prealloc off)"},
	{.name = "reporting-min",
	 .type = OPT_SIZE,
	 .offset = KEY(reporting_min),
	 .arg = "SIZE",
	 .unit = MIB,
	 .max = GIB,
	 .help = "take no blocks smaller than this (default 0: all)"},
	{.name = "reporting-rate",
	 .type = OPT_SIZE,
	 .offset = KEY(reporting_rate),
	 .arg = "SIZE",
	 .unit = MIB,
	 .min = MIB,
	 .help = "take no more than this a second\n(default: no limit)"},
	{.name = "hinting",
	 .type = OPT_SWITCH,
	 .offset = KEY(hinting),
	 .arg = "on|off",
	 .help = "the guest can be asked what it has free right now,\n"
		 "for 'aerostat balloon --trim' (default on)"},
	{.name = "poison",
	 .type = OPT_SWITCH,
	 .offset = KEY(poison),
	 .arg = "on|off",
	 .help = "let the guest say what it fills free pages with: one\n"
		 "that does reports nothing without (default on)"},
};
static const struct opt_table balloon_keys = OPT_TABLE(balloon_rows);

#define AT(member) offsetof(struct vm_config, member)

static const struct opt mem_rows[] = {
	{.name = "size",
	 .type = OPT_SIZE,
	 .offset = AT(mem),
	 .arg = "SIZE",
	 .unit = MIB,
	 .help = "how much; the name may be left out"},
	{.name = "backing",
	 .type = OPT_CHOICE,
	 .offset = AT(memory.backing),
	 .arg = "KIND",
	 .choices = backings,
	 .help = "what it is made of: anon, memfd or hugetlb\n(default anon)"},
	{.name = "hugepage",
	 .type = OPT_SIZE,
	 .offset = AT(memory.hugepage),
	 .arg = "2M|1G",
	 .unit = MIB,
	 .help = "the size of hugetlb's pages (default 2M)"},
	{.name = "thp",
	 .type = OPT_CHOICE,
	 .offset = AT(memory.thp),
	 .arg = "on|off",
	 .choices = thps,
	 .help = "transparent huge pages (default: as the host has it)"},
	{.name = "prealloc",
	 .type = OPT_SWITCH,
	 .offset = AT(memory.prealloc),
	 .arg = "on|off",
	 .help = "have all of it before the guest starts (default off)"},
	{.name = "lock",
	 .type = OPT_SWITCH,
	 .offset = AT(memory.lock),
	 .arg = "on|off",
	 .help = "never swap it (default off)"},
};
static const struct opt_table mem_keys = OPT_TABLE(mem_rows);

static const struct opt rows[] = {
	{.letter = 'k',
	 .name = "kernel",
	 .type = OPT_STRING,
	 .offset = AT(kernel),
	 .arg = "FILE",
	 .help = "the guest's kernel: bzImage or vmlinux on x86-64,\n"
		 "Image or Image.gz elsewhere; required"},
	{.letter = 'i',
	 .name = "initrd",
	 .type = OPT_STRING,
	 .offset = AT(initrd),
	 .arg = "FILE",
	 .help = "the guest's initial file system"},
	{.letter = 'p',
	 .name = "params",
	 .type = OPT_STRING,
	 .offset = AT(params),
	 .arg = "STRING",
	 .help = "the kernel command line"},
	{.letter = 'm',
	 .name = "mem",
	 .type = OPT_KEYS,
	 .offset = 0, /* the keys lie in struct vm_config itself */
	 .arg = "SIZE[,KEY=VALUE,...]",
	 .keys = &mem_keys,
	 .bare = "size",
	 .help = "the guest's memory; a bare number is MiB\n(default 256)"},
	{.letter = 'c',
	 .name = "cpus",
	 .type = OPT_UINT,
	 .offset = AT(cpus),
	 .arg = "N",
	 .min = 1,
	 .max = VM_CPUS_MAX,
	 .help = "the number of vCPUs (default 1)"},
	{.name = "name",
	 .type = OPT_TEXT,
	 .offset = AT(name),
	 .arg = "NAME",
	 .max = VM_NAME_MAX,
	 .help = "what other commands call the VM\n(default vm- and the process id)"},
	{.name = "balloon",
	 .type = OPT_KEYS,
	 .offset = AT(balloon),
	 .arg = "KEY=VALUE,...",
	 .optional = true,
	 .keys = &balloon_keys,
	 .help = "give the VM a balloon"},
	{.name = "reclaim",
	 .type = OPT_CHOICE,
	 .offset = AT(reclaim),
	 .arg = "HOW",
	 .choices = reclaims,
	 .help = "how the balloon's memory goes back: auto, uring,\n"
		 "thread, sync or none (none: not at all, to measure)\n(default auto)"},
	{.name = "console",
	 .type = OPT_CHOICE,
	 .offset = AT(console),
	 .arg = "WHERE",
	 .choices = consoles,
	 .help = "the serial console: stdio or none (default stdio)"},
	{.name = "pidfile",
	 .type = OPT_STRING,
	 .offset = AT(pidfile),
	 .arg = "FILE",
	 .help = "hold the process id in FILE while the VM runs"},
	{.name = "dump-dtb",
	 .type = OPT_STRING,
	 .offset = AT(dump_dtb),
	 .arg = "FILE",
	 .help = "write the guest's device tree to FILE, where the\n"
		 "architecture has one"},
	{.name = "loglevel",
	 .type = OPT_CHOICE,
	 .offset = AT(loglevel),
	 .arg = "LEVEL",
	 .choices = levels,
	 .help = "error, warn, info or debug (default warn)"},
};
const struct opt_table vm_options = OPT_TABLE(rows);

/* Does a word of the command line start with "console="? */
static bool names_console(const char *params)
{
	static const char word[] = "console=";
	const char *p = params;

	while ((p = strstr(p, word))) {
		if (p == params || p[-1] == ' ' || p[-1] == '\t')
			return true;
		p += strlen(word);
	}
	return false;
}

int vm_cmdline(const char *params, enum console_kind console, char out[VM_CMDLINE_MAX + 1],
	       struct err *err)
{
	const char *lead = "";
	int n;

	if (!params)
		params = "";
	if (console == CONSOLE_STDIO && !names_console(params))
		lead = *params ? "console=ttyS0 " : "console=ttyS0";
	n = snprintf(out, VM_CMDLINE_MAX + 1, "%s%s", lead, params);
	if (n < 0 || n > VM_CMDLINE_MAX)
		return err_set(
			err, -EINVAL,
			"-p/--params: the kernel command line has %d bytes; at most %d fit", n,
			VM_CMDLINE_MAX);
	return 0;
}
