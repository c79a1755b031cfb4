// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "vmm/cli/vm_report.h"
#include "vmm/cli/table.h"
#include "vmm/cli/vms.h"

struct list_args {
	bool json;
};

static const struct opt rows[] = {
	{.name = "json",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct list_args, json),
	 .help = "print a JSON array with all that 'stat' knows"},
};
static const struct opt_table table = OPT_TABLE(rows);

static void add_row(struct table *t, const json_t *vm)
{
	char pid[24], balloon[REPORT_BALLOON];
	const char *texts[] = {
		report_text(vm, "name"),
		pid,
		report_text(vm, "status"),
		cli_size(report_number(vm, "ram_bytes")),
		cli_size(report_number(vm, "resident_bytes")),
		report_balloon(json_object_get(vm, "balloon"), balloon),
	};

	snprintf(pid, sizeof(pid), "%llu", (unsigned long long)report_number(vm, "pid"));
	table_row(t, texts);
}

static int list_main(int argc, char **argv)
{
	static const char *const head[] = {"NAME",   "PID",	 "STATE",
					   "MEMORY", "RESIDENT", "BALLOON"};
	const struct cli_select everyone = {.all = true};
	struct table t = {.columns = sizeof(head) / sizeof(head[0])};
	json_t *array = json_array();
	struct list_args args = {0};
	struct options_found found;
	struct cli_vms v;
	int status = cli_parse(&cmd_list, argc, argv, &args, &found);

	if (status != CLI_GO) {
		json_decref(array);
		return status;
	}
	vms_open(&v, &cmd_list, &everyone);
	table_row(&t, head);
	for (size_t i = 0; i < v.n; i++) {
		json_t *vm;

		if (vms_execute(&v, &v.vm[i], "x-aerostat-stat", NULL, &vm))
			continue;
		add_row(&t, vm);
		json_array_append_new(array, vm);
	}
	if (args.json)
		cli_print_json(array, false);
	else
		table_print(&t, stdout);
	if (!args.json)
		json_decref(array);
	table_free(&t);
	status = vms_status(&v);
	vms_close(&v);
	return status;
}

const struct command cmd_list = {
	.name = "list",
	.summary = "show the running VMs",
	.notes = "VMs that have died are not shown, and their sockets are removed.",
	.table = &table,
	.main = list_main,
};
