/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all subcommands share: the rows of the command table, parsing with help and usage
 * errors, output. Only this layer prints and decides exit statuses.
 */
#ifndef AEROSTAT_CLI_CLI_H
#define AEROSTAT_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "vmm/config/options.h"

/* `run` has more: enum machine_exit, and 128 + the number of the signal that ended it. */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* cli_parse() says: go on. No exit status. */
#define CLI_GO (-1)

struct command {
	const char *name;
	const char *summary; /* one line of the list of commands */
	const char *notes;   /* what the help of the options doesn't say; may be "" */
	const struct opt_table *table;
	/* Gets the words after the name, gives the exit status. */
	int (*main)(int argc, char **argv);
};

/* One per cmd_NAME.c. */
extern const struct command cmd_run, cmd_list, cmd_stop, cmd_pause, cmd_resume, cmd_balloon,
	cmd_stat, cmd_doctor, cmd_version, cmd_help;

/* Row i of the command table, NULL after the last; and a row by name, or NULL. */
const struct command *cli_command_at(unsigned i);
const struct command *cli_command_find(const char *name);
/* Say that there is no such command, and which is near. Returns CLI_USAGE. */
int cli_command_unknown(const char *name);

/* The help of one command, and of the program. */
void cli_help(const struct command *c, FILE *out);
void cli_help_all(FILE *out);

/*
 * One line on stderr, "aerostat: stat: ..."; c may be NULL. Control characters (of file names,
 * of answers) become '?'.
 */
void cli_error(const struct command *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Parse into *args by the command's table. CLI_GO, or all has been said (help was asked for, or
 * there was a usage error) and the return value is the exit status.
 */
int cli_parse(const struct command *c, int argc, char **argv, void *args,
	      struct options_found *found);

/* Print as JSON and a line end. Takes the reference. compact: all on one line. */
void cli_print_json(json_t *j, bool compact);

/* Bytes for people, "512.0 MiB". The text lasts until the fourth call from now. */
const char *cli_size(uint64_t bytes);

/*
 * A line on stderr that is rewritten in place, shown only where stderr is a terminal. NULL
 * takes it away, which must be done before anything else is printed.
 */
void cli_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
