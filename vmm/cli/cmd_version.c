// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "vmm/cli/cli.h"

static const struct opt_table table;

static int version_main(int argc, char **argv)
{
	struct options_found found;
	int status = cli_parse(&cmd_version, argc, argv, NULL, &found);

	if (status != CLI_GO)
		return status;
	puts("aerostat " AEROSTAT_VERSION);
	return CLI_OK;
}

const struct command cmd_version = {
	.name = "version",
	.summary = "print the version",
	.notes = "",
	.table = &table,
	.main = version_main,
};
