// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/cli/cli.h"

int main(int argc, char **argv)
{
	const struct command *c;
	int status;

	if (argc < 2) {
		cli_help_all(stderr);
		return CLI_USAGE;
	}
	c = cli_command_find(argv[1]);
	if (!c)
		return cli_command_unknown(argv[1]);
	status = c->main(argc - 2, argv + 2);
	/* A full disk under a redirected report must not look like success. */
	if ((fflush(stdout) || ferror(stdout)) && status == CLI_OK) {
		cli_error(c, "cannot write to standard output: %s", strerror(errno));
		status = CLI_FAILED;
	}
	return status;
}
