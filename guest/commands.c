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

#include "guest/loads.h"
#include "guest/reply.h"
#include "guest/sys.h"

#define REPLY_MAX    1000
#define LOG_READ_ALL 3 /* syslog(2): SYSLOG_ACTION_READ_ALL */

struct command {
	const char *name;
	const char *usage;	/* what comes after the name; NULL: nothing may */
	void (*run)(char *arg); /* never NULL; "" when there is no argument */
};

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
	{"meminfo", NULL, load_meminfo},
	{"touch", "MIB", load_touch},
	{"verify", NULL, load_verify},
	{"free", NULL, load_free},
	{"fill", "[MARGIN_MIB]", load_fill},
	{"oom", "MIB", load_oom},
	{"busy", "on|off", load_busy},
	{"insmod", "NAME", run_insmod},
	{"rmmod", "NAME", run_rmmod},
	{"uptime", NULL, run_uptime},
	{"sleep", "MS", run_sleep},
	{"cpus", NULL, run_cpus},
	{"cat", "FILE", run_cat},
	{"grep", "WORD FILE", run_grep},
	{"write", "FILE TEXT", run_write},
	{"dmesg-grep", "TEXT", run_dmesg_grep},
	{"poweroff", NULL, run_poweroff},
	{"reboot", NULL, run_reboot},
	{"panic", NULL, run_panic},
	{"kexec", "load|now", run_kexec},
	{"churn", "MIB MS", load_churn},
	{"sweep", "on|off", load_sweep},
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
