// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <stdio.h>

#include "vmm/config/options.h"

START_TEST(rows_are_aligned)
{
	static const struct opt keys[] = {
		{.name = "much", .type = OPT_SIZE, .arg = "SIZE", .help = "this much"}};
	static const struct opt_table key_table = OPT_TABLE(keys);
	static const struct opt rows[] = {
		{.letter = 'v', .name = "verbose", .type = OPT_FLAG, .help = "say more"},
		{.name = "file",
		 .type = OPT_STRING,
		 .arg = "FILE",
		 .help = "read it,\nthen go"},
		{.name = "a-long-name-for-an-option",
		 .type = OPT_UINT,
		 .arg = "N",
		 .help = "too long"},
		{.letter = 'p',
		 .name = "pump",
		 .type = OPT_KEYS,
		 .arg = "KEYS",
		 .optional = true,
		 .keys = &key_table,
		 .help = "pump"},
	};
	static const struct opt_table table = OPT_TABLE(rows);
	static const char want[] = "  -v, --verbose               say more\n"
				   "      --file FILE             read it,\n"
				   "                              then go\n"
				   "      --a-long-name-for-an-option N\n"
				   "                              too long\n"
				   "  -p, --pump[=KEYS]           pump\n"
				   "        much=SIZE             this much\n"
				   "  -h, --help                  show this help\n";
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	options_help(&table, f);
	fclose(f);
	ck_assert_str_eq(text, want);
	free(text);
}
END_TEST

UNIT_MAIN("options_help", rows_are_aligned)
