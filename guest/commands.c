// SPDX-License-Identifier: Apache-2.0
#include "guest/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "guest/memory.h"
#include "guest/sys.h"
#include "guest/workload.h"

#define MIB	     ((size_t)1 << 20)
#define FILL_MARGIN  48 /* MiB left by `fill` */
#define REPLY_MAX    1000
#define LOG_READ_ALL 3 /* syslog(2): SYSLOG_ACTION_READ_ALL */

struct command {
	const char *name;
	const char *usage;	/* what comes after the name; NULL: nothing may */
	void (*run)(char *arg); /* never NULL; "" when there is no argument */
};

static void fail(const char *what, int err)
{
	say("guest: fail %s: %s", what, strerror(-err));
}

static void fail_wrong(const char *what, const struct wrong_word *w)
{
	say("guest: fail %s: wrong word addr=0x%llx expected=0x%llx found=0x%llx", what,
	    (unsigned long long)w->addr, (unsigned long long)w->expected,
	    (unsigned long long)w->found);
}

static void reply(const char *what, int err)
{
	if (err)
		fail(what, err);
	else
		say("guest: ok %s", what);
}

static int parse_number(const char *text, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno || end == text || *end ? -EINVAL : 0;
}

/* A size in MiB, more than none, as bytes. */
static int parse_mib(const char *text, size_t *len)
{
	unsigned long mib;

	if (parse_number(text, &mib) || !mib || mib > SIZE_MAX / MIB)
		return -EINVAL;
	*len = mib * MIB;
	return 0;
}

/* The lines of `text` that hold `wanted`, joined with "; ", tabs as blanks. */
static unsigned int join_lines(char *text, const char *wanted, char *out, size_t size)
{
	unsigned int count = 0;
	size_t len = 0;
	char *line;

	out[0] = '\0';
	while ((line = strsep(&text, "\n"))) {
		if (!*line || !strstr(line, wanted))
			continue;
		if (len < size)
			len += snprintf(out + len, size - len, "%s%s", count ? "; " : "", line);
		count++;
	}
	for (; *out; out++)
		if (*out < ' ')
			*out = ' ';
	return count;
}

static void run_meminfo(char *arg)
{
	(void)arg;
	say("guest: ok MemTotal=%llu MemFree=%llu MemAvailable=%llu",
	    (unsigned long long)sys_meminfo_kib("MemTotal"),
	    (unsigned long long)sys_meminfo_kib("MemFree"),
	    (unsigned long long)sys_meminfo_kib("MemAvailable"));
}

static void run_touch(char *arg)
{
	size_t len;
	int err = parse_mib(arg, &len);

	if (!err)
		err = held_touch(len);
	if (err)
		fail("touch", err);
	else
		say("guest: ok touched_mib=%zu", len / MIB);
}

static void run_verify(char *arg)
{
	struct wrong_word wrong;
	uint64_t bytes;

	(void)arg;
	if (held_verify(&bytes, &wrong))
		fail_wrong("verify", &wrong);
	else
		say("guest: ok verified_mib=%llu", (unsigned long long)(bytes / MIB));
}

static void run_free(char *arg)
{
	uint64_t bytes;

	(void)arg;
	held_release(&bytes);
	say("guest: ok freed_mib=%llu", (unsigned long long)(bytes / MIB));
}

static void run_fill(char *arg)
{
	unsigned long margin = FILL_MARGIN;
	struct wrong_word wrong;
	uint64_t bytes = 0;
	int err = *arg ? parse_number(arg, &margin) : 0;
	size_t len;

	if (!err) {
		len = memory_fillable(margin * MIB) / MIB * MIB;
		err = len ? held_touch(len) : -ENOMEM;
	}
	if (err)
		fail("fill", err);
	else if (held_verify(&bytes, &wrong))
		fail_wrong("fill", &wrong);
	else
		say("guest: ok filled_mib=%zu verified_mib=%llu", len / MIB,
		    (unsigned long long)(bytes / MIB));
}

static void run_oom(char *arg)
{
	struct oom_report report;
	size_t len;
	int err = parse_mib(arg, &len);

	if (!err)
		err = oom_run(len, &report);
	if (err)
		fail("oom", err);
	else if (report.wrong.addr)
		fail_wrong("oom", &report.wrong);
	else
		say("guest: ok touched_mib=%llu killed=%d",
		    (unsigned long long)(report.touched / MIB), report.killed);
}

static void stop_busy(void)
{
	struct busy_report r;
	int err = busy_stop(&r);

	if (err)
		fail("busy", err);
	else if (r.wrong.addr)
		fail_wrong("busy", &r.wrong);
	else if (r.died)
		say("guest: fail busy: killed rounds=%llu", (unsigned long long)r.rounds);
	else
		say("guest: ok rounds=%llu verified_mib=%llu", (unsigned long long)r.rounds,
		    (unsigned long long)(r.bytes / MIB));
}

static void run_busy(char *arg)
{
	if (!strcmp(arg, "on"))
		reply("busy", busy_start());
	else if (!strcmp(arg, "off"))
		stop_busy();
	else
		fail("busy", -EINVAL);
}

static void run_churn(char *arg)
{
	char *text = strsep(&arg, " ");
	struct churn_report r;
	unsigned long ms;
	size_t len;
	int err = arg ? parse_mib(text, &len) : -EINVAL;

	if (!err)
		err = parse_number(arg, &ms);
	if (!err)
		err = churn_run(len, ms, &r);
	if (err)
		fail("churn", err);
	else
		say("guest: ok churned_mib=%llu ms=%llu", (unsigned long long)(r.bytes / MIB),
		    (unsigned long long)r.ms);
}

static void run_insmod(char *arg)
{
	reply("insmod", sys_load_module(arg));
}

static void run_rmmod(char *arg)
{
	reply("rmmod", sys_unload_module(arg));
}

static void run_uptime(char *arg)
{
	(void)arg;
	say("guest: ok uptime_ms=%llu realtime_ms=%llu",
	    (unsigned long long)sys_clock_ms(CLOCK_BOOTTIME),
	    (unsigned long long)sys_clock_ms(CLOCK_REALTIME));
}

static void run_sleep(char *arg)
{
	unsigned long ms;
	int err = parse_number(arg, &ms);

	if (!err) {
		struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

		nanosleep(&ts, NULL);
	}
	reply("sleep", err);
}

static void run_cpus(char *arg)
{
	(void)arg;
	say("guest: ok online=%ld", sysconf(_SC_NPROCESSORS_ONLN));
}

static void say_matches(unsigned int count, const char *lines)
{
	say("guest: ok matches=%u%s%s", count, count ? " " : "", lines);
}

/* Lines of a file that hold a text; all of them for an empty text. */
static void show_lines(const char *path, const char *wanted)
{
	static char text[65536];
	char out[REPLY_MAX];
	long len = sys_read_file(path, text, sizeof(text));
	unsigned int count;

	if (len < 0) {
		fail(path, len);
		return;
	}
	count = join_lines(text, wanted, out, sizeof(out));
	if (*wanted)
		say_matches(count, out);
	else
		say("guest: ok %s", out);
}

static void run_cat(char *arg)
{
	show_lines(arg, "");
}

static void run_grep(char *arg)
{
	char *text = strsep(&arg, " ");

	if (!arg)
		fail("grep", -EINVAL);
	else
		show_lines(arg, text);
}

static void run_write(char *arg)
{
	char *path = strsep(&arg, " ");

	reply("write", arg ? sys_write_file(path, arg) : -EINVAL);
}

static void run_dmesg_grep(char *arg)
{
	static char text[1 << 20];
	char out[REPLY_MAX];
	int len = klogctl(LOG_READ_ALL, text, sizeof(text) - 1);
	unsigned int count;

	if (len < 0) {
		fail("dmesg-grep", -errno);
		return;
	}
	text[len] = '\0';
	count = join_lines(text, arg, out, sizeof(out));
	say_matches(count, out);
}

void command_poweroff(void)
{
	sys_drain();
	reboot(RB_POWER_OFF);
}

static void run_poweroff(char *arg)
{
	(void)arg;
	reply("poweroff", 0);
	command_poweroff();
}

static void run_reboot(char *arg)
{
	(void)arg;
	reply("reboot", 0);
	sys_drain();
	reboot(RB_AUTOBOOT);
}

/* In two steps: the load takes its time, and the start should find the guest at work. */
static void run_kexec(char *arg)
{
	int err;

	if (!strcmp(arg, "load")) {
		reply("kexec", sys_kexec_load("/kexec/kernel", "/kexec/initrd"));
		return;
	}
	if (strcmp(arg, "now")) {
		fail("kexec", -EINVAL);
		return;
	}
	say("event: kexec");
	sys_drain();
	err = sys_kexec();
	fail("kexec", err);
}

static void run_panic(char *arg)
{
	(void)arg;
	reply("panic", 0);
	sys_drain();
	sys_write_file("/proc/sysrq-trigger", "c");
}

static const struct command commands[] = {
	{"meminfo", NULL, run_meminfo},	    {"touch", "MIB", run_touch},
	{"verify", NULL, run_verify},	    {"free", NULL, run_free},
	{"fill", "[MARGIN_MIB]", run_fill}, {"oom", "MIB", run_oom},
	{"busy", "on|off", run_busy},	    {"insmod", "NAME", run_insmod},
	{"rmmod", "NAME", run_rmmod},	    {"uptime", NULL, run_uptime},
	{"sleep", "MS", run_sleep},	    {"cpus", NULL, run_cpus},
	{"cat", "FILE", run_cat},	    {"grep", "WORD FILE", run_grep},
	{"write", "FILE TEXT", run_write},  {"dmesg-grep", "TEXT", run_dmesg_grep},
	{"poweroff", NULL, run_poweroff},   {"reboot", NULL, run_reboot},
	{"panic", NULL, run_panic},	    {"kexec", "load|now", run_kexec},
	{"churn", "MIB MS", run_churn},
};

/* "[...]" is an argument that may be left out. */
static int argument_fits(const struct command *c, const char *arg)
{
	if (!c->usage)
		return !*arg;
	return *arg || c->usage[0] == '[';
}

void command_run(char *line)
{
	char *name = strsep(&line, " ");
	char *arg = line ? line : "";

	if (!*name)
		return;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (strcmp(name, c->name))
			continue;
		if (argument_fits(c, arg))
			c->run(arg);
		else
			say("guest: fail usage: %s %s", c->name, c->usage ? c->usage : "");
		return;
	}
	say("guest: fail unknown command: %s", name);
}
