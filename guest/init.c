// SPDX-License-Identifier: Apache-2.0
/*
 * The init of the smoke boots: mounts what it needs, loads the modules it came with, says that
 * it is ready and then answers commands from the console (guest/commands.c).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest/commands.h"
#include "guest/power.h"
#include "guest/sys.h"

#define EXIT_PARAM "aerostat.exit" /* on the kernel command line: power off when ready */

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 0777);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL); /* for benchmarks */
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

/* A kernel that has everything built in comes without /modules/order. */
static void load_modules(void)
{
	char order[4096], *rest = order, *name;

	if (sys_read_file("/modules/order", order, sizeof(order)) < 0)
		return;
	while ((name = strsep(&rest, "\n"))) {
		int err = *name ? sys_load_module(name) : 0;

		if (err && err != -ENOENT)
			say("event: module %s: %s", name, strerror(-err));
	}
}

static int cmdline_has(const char *param)
{
	char text[4096], *rest = text, *word;

	if (sys_read_file("/proc/cmdline", text, sizeof(text)) < 0)
		return 0;
	while ((word = strsep(&rest, " \n")))
		if (!strcmp(word, param))
			return 1;
	return 0;
}

static void command_loop(void)
{
	char line[SYS_LINE_MAX];
	ssize_t len;

	for (;;) {
		len = read(STDIN_FILENO, line, sizeof(line) - 1);
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return;
		line[len] = '\0';
		line[strcspn(line, "\r\n")] = '\0';
		command_run(line);
	}
}

int main(void)
{
	struct utsname uts;

	mount_all();
	sys_open_console();
	load_modules();
	uname(&uts);
	power_watch();
	say("guest: ready mem_kib=%llu cpus=%ld kernel=%s",
	    (unsigned long long)sys_meminfo_kib("MemTotal"), sysconf(_SC_NPROCESSORS_ONLN),
	    uts.release);
	if (cmdline_has(EXIT_PARAM))
		command_poweroff();
	command_loop();
	/* No console, or it was hung up: the power button is what is left. Init must not end.
	 */
	for (;;)
		pause();
}
