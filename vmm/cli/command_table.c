// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "vmm/cli/cli.h"
#include "vmm/config/nearest.h"

static const struct command *const commands[] = {
	&cmd_run,   &cmd_list,	 &cmd_stat,   &cmd_balloon, &cmd_stop,
	&cmd_pause, &cmd_resume, &cmd_doctor, &cmd_version, &cmd_help,
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct command *cli_command_at(unsigned i)
{
	return i < NCOMMANDS ? commands[i] : NULL;
}

const struct command *cli_command_find(const char *name)
{
	/* What people try first on an unknown program. */
	if (!strcmp(name, "-h") || !strcmp(name, "--help"))
		return &cmd_help;
	if (!strcmp(name, "--version"))
		return &cmd_version;
	for (unsigned i = 0; i < NCOMMANDS; i++) {
		if (!strcmp(name, commands[i]->name))
			return commands[i];
	}
	return NULL;
}

int cli_command_unknown(const char *name)
{
	struct nearest near;

	nearest_init(&near, name, strlen(name));
	for (unsigned i = 0; i < NCOMMANDS; i++)
		nearest_offer(&near, commands[i]->name);
	if (near.best)
		cli_error(NULL, "unknown command '%s'; did you mean '%s'?", name, near.best);
	else
		cli_error(NULL, "unknown command '%s'; see 'aerostat help'", name);
	return CLI_USAGE;
}
