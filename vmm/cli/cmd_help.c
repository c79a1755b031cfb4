// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/cli.h"

static const struct opt_table table = {.operand = "COMMAND"};

static int help_main(int argc, char **argv)
{
	const struct command *c;
	struct options_found found;
	int status = cli_parse(&cmd_help, argc, argv, NULL, &found);

	if (status != CLI_GO)
		return status;
	if (!found.operand) {
		cli_help_all(stdout);
		return CLI_OK;
	}
	c = cli_command_find(found.operand);
	if (!c)
		return cli_command_unknown(found.operand);
	cli_help(c, stdout);
	return CLI_OK;
}

const struct command cmd_help = {
	.name = "help",
	.summary = "show the commands, or the options of one",
	.notes = "",
	.table = &table,
	.main = help_main,
};
