// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "vmm/cli/vm_report.h"
#include "vmm/cli/statistics.h"
#include "vmm/cli/vms.h"

struct stat_args {
	struct cli_select select;
	bool memory, json;
	uint32_t timeout; /* seconds */
	uint32_t watch;	  /* seconds */
};

#define AT(member) offsetof(struct stat_args, member)

static const struct opt rows[] = {
	CLI_SELECT_ROWS(struct stat_args),
	{.letter = 'm',
	 .name = "memory",
	 .type = OPT_FLAG,
	 .offset = AT(memory),
	 .help = "ask the guest for its memory statistics, and show them"},
	{.name = "json",
	 .type = OPT_FLAG,
	 .offset = AT(json),
	 .help = "print JSON: an object, or an array for --all"},
	{.name = "watch",
	 .type = OPT_UINT,
	 .offset = AT(watch),
	 .arg = "SECONDS",
	 .optional = true,
	 .min = 1,
	 .max = 86400,
	 .help = "show it again and again (default every 2 seconds)"},
	{.name = "timeout",
	 .type = OPT_UINT,
	 .offset = AT(timeout),
	 .arg = "SECONDS",
	 .min = 1,
	 .max = 3600,
	 .help = "how long to wait for the guest's statistics before\n"
		 "the old ones are shown (default 2)"},
};
static const struct opt_table table = OPT_TABLE(rows);

static void show_text(const struct stat_args *a, const json_t *stat, bool fresh, bool first)
{
	if (!first)
		putchar('\n');
	report_vm(stat, stdout);
	if (a->memory)
		report_statistics(
			json_object_get(json_object_get(stat, "balloon"), "statistics"), !fresh,
			stdout);
}

/* One round; compact JSON when rounds follow each other, so that a line is a round. */
static int show(const struct stat_args *a, bool compact)
{
	json_t *array = json_array();
	bool first = true;
	struct cli_vms v;
	int status;

	vms_open(&v, &cmd_stat, &a->select);
	for (size_t i = 0; i < v.n; i++) {
		bool fresh = a->memory && statistics_refresh(&v, &v.vm[i], a->timeout * 1000);
		json_t *stat;

		if (v.vm[i].failed || vms_execute(&v, &v.vm[i], "x-aerostat-stat", NULL, &stat))
			continue;
		if (!a->json)
			show_text(a, stat, fresh, first);
		first = false;
		json_array_append_new(array, stat);
	}
	if (a->json && a->select.all)
		cli_print_json(json_incref(array), compact);
	else if (a->json && json_array_size(array))
		cli_print_json(json_incref(json_array_get(array, 0)), compact);
	json_decref(array);
	status = vms_status(&v);
	vms_close(&v);
	return status;
}

static int watch(const struct stat_args *a)
{
	bool terminal = isatty(STDOUT_FILENO) && !a->json;
	int status;

	for (bool first = true;; first = false) {
		if (terminal)
			/* Home, and erase what is below (ECMA-48 CUP and ED). */
			fputs("\033[H\033[J", stdout);
		else if (!first && !a->json)
			putchar('\n');
		status = show(a, true);
		/* With --all VMs come and go; the one VM by name has ended. */
		if (fflush(stdout) || (status != CLI_OK && !a->select.all))
			return status;
		sleep(a->watch);
	}
}

static int stat_main(int argc, char **argv)
{
	struct stat_args args = {.timeout = 2, .watch = 2};
	struct options_found found;
	int status = cli_parse(&cmd_stat, argc, argv, &args, &found);

	if (status == CLI_GO)
		status = cli_select_check(&cmd_stat, &args.select);
	if (status != CLI_GO)
		return status;
	if (options_given(&table, &found, "watch"))
		return watch(&args);
	return show(&args, false);
}

const struct command cmd_stat = {
	.name = "stat",
	.summary = "show a VM's state, memory and balloon",
	.notes = "Sizes are in powers of 1024. JSON has all numbers in bytes and milliseconds.",
	.table = &table,
	.main = stat_main,
};
