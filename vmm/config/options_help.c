// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/options.h"

#include <string.h>

#define HELP_COLUMN 30

/* Every line of help starts at the same column, also after a left part that is too long. */
static void line(FILE *out, const char *left, const char *help)
{
	size_t used = strlen(left);

	fputs(left, out);
	if (used + 2 > HELP_COLUMN) {
		fputc('\n', out);
		used = 0;
	}
	for (;;) {
		size_t len = strcspn(help, "\n");

		fprintf(out, "%*s%.*s\n", (int)(HELP_COLUMN - used), "", (int)len, help);
		if (!help[len])
			return;
		help += len + 1;
		used = 0;
	}
}

static void left_part(const struct opt *o, char *buf, size_t cap)
{
	char letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	if (o->type == OPT_FLAG)
		snprintf(buf, cap, "  %s--%s", letter, o->name);
	else if (o->optional)
		snprintf(buf, cap, "  %s--%s[=%s]", letter, o->name, o->arg);
	else
		snprintf(buf, cap, "  %s--%s %s", letter, o->name, o->arg);
}

void options_help(const struct opt_table *t, FILE *out)
{
	char left[96];

	for (unsigned i = 0; i < t->count; i++) {
		const struct opt *o = &t->rows[i];

		left_part(o, left, sizeof(left));
		line(out, left, o->help);
		for (unsigned k = 0; o->type == OPT_KEYS && k < o->keys->count; k++) {
			const struct opt *key = &o->keys->rows[k];

			snprintf(left, sizeof(left), "        %s=%s", key->name, key->arg);
			line(out, left, key->help);
		}
	}
	line(out, "  -h, --help", "show this help");
}
