// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/size.h"

/* A table of several hundred bytes of accepted values still fits. */
#define LINE_MAX_BYTES 1024

void cli_error(const struct command *c, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *p = line; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	fprintf(stderr, "aerostat: %s%s%s\n", c ? c->name : "", c ? ": " : "", line);
}

int cli_parse(const struct command *c, int argc, char **argv, void *args,
	      struct options_found *found)
{
	struct err err;

	if (options_parse(c->table, argc, argv, args, found, &err)) {
		cli_error(c, "%s", err.msg);
		return CLI_USAGE;
	}
	if (found->help) {
		cli_help(c, stdout);
		return CLI_OK;
	}
	return CLI_GO;
}

void cli_help(const struct command *c, FILE *out)
{
	fprintf(out, "usage: aerostat %s [OPTION]...%s%s%s\n", c->name,
		c->table->operand ? " [" : "", c->table->operand ? c->table->operand : "",
		c->table->operand ? "]" : "");
	fprintf(out, "%s\n\n", c->summary);
	options_help(c->table, out);
	if (c->notes[0])
		fprintf(out, "\n%s\n", c->notes);
}

void cli_help_all(FILE *out)
{
	const struct command *c;

	fputs("usage: aerostat COMMAND [OPTION]...\n\nCommands:\n", out);
	for (unsigned i = 0; (c = cli_command_at(i)); i++)
		fprintf(out, "  %-10s%s\n", c->name, c->summary);
	fputs("\n'aerostat help COMMAND' shows a command's options.\n", out);
}

void cli_print_json(json_t *j, bool compact)
{
	json_dumpf(j, stdout, compact ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
}

const char *cli_size(uint64_t bytes)
{
	static char text[4][SIZE_TEXT];
	static unsigned next;

	return size_format(bytes, text[next++ % 4]);
}

void cli_progress(const char *fmt, ...)
{
	static bool shown;
	va_list ap;

	if (!isatty(STDERR_FILENO) || (!fmt && !shown))
		return;
	/* Back to the first column, and erase the line (ECMA-48 EL). */
	fputs("\r\033[K", stderr);
	shown = fmt;
	if (fmt) {
		va_start(ap, fmt);
		vfprintf(stderr, fmt, ap);
		va_end(ap);
	}
	fflush(stderr);
}
