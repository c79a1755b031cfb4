/* SPDX-License-Identifier: Apache-2.0 */
/* A table with a row of every type, for the tests of vmm/config/options*.c. */
#ifndef AEROSTAT_TESTS_OPTIONS_TABLE_H
#define AEROSTAT_TESTS_OPTIONS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/size.h"
#include "vmm/config/options.h"

enum colour { RED, GREEN, BLUE };

struct sample {
	bool verbose, quiet;
	bool power;
	const char *file;
	char label[8 + 1];
	char after_label;
	uint64_t size;
	uint32_t count;
	uint32_t after_count;
	enum colour colour;
	struct {
		uint64_t much;
		bool fast;
		uint32_t wait;
	} pump;
	uint32_t every;
};

#define SAMPLE(member) offsetof(struct sample, member)
#define PUMP(member)   (SAMPLE(pump.member) - SAMPLE(pump))

static const char *const sample_colours[] = {"red", "green", "blue", NULL};

static const struct opt sample_key_rows[] = {
	{.name = "much", .type = OPT_SIZE, .offset = PUMP(much), .arg = "SIZE", .unit = MIB},
	{.name = "fast", .type = OPT_SWITCH, .offset = PUMP(fast), .arg = "on|off"},
	{.name = "wait", .type = OPT_UINT, .offset = PUMP(wait), .arg = "N", .max = 9},
};
static const struct opt_table sample_keys = OPT_TABLE(sample_key_rows);

static const struct opt sample_rows[] = {
	{.letter = 'v', .name = "verbose", .type = OPT_FLAG, .offset = SAMPLE(verbose)},
	{.letter = 'q', .name = "quiet", .type = OPT_FLAG, .offset = SAMPLE(quiet)},
	{.name = "power", .type = OPT_SWITCH, .offset = SAMPLE(power), .arg = "on|off"},
	{.letter = 'f',
	 .name = "file",
	 .type = OPT_STRING,
	 .offset = SAMPLE(file),
	 .arg = "FILE"},
	{.name = "label", .type = OPT_TEXT, .offset = SAMPLE(label), .arg = "LABEL", .max = 8},
	{.letter = 's',
	 .name = "size",
	 .type = OPT_SIZE,
	 .offset = SAMPLE(size),
	 .arg = "SIZE",
	 .unit = MIB,
	 .min = 1 * MIB,
	 .max = 3 * GIB},
	{.letter = 'c',
	 .name = "count",
	 .type = OPT_UINT,
	 .offset = SAMPLE(count),
	 .arg = "N",
	 .min = 2,
	 .max = UINT32_MAX},
	{.name = "colour",
	 .type = OPT_CHOICE,
	 .offset = SAMPLE(colour),
	 .arg = "COLOUR",
	 .choices = sample_colours},
	{.name = "pump",
	 .type = OPT_KEYS,
	 .offset = SAMPLE(pump),
	 .arg = "KEY=VALUE,...",
	 .optional = true,
	 .keys = &sample_keys},
	{.letter = 'e',
	 .name = "every",
	 .type = OPT_UINT,
	 .offset = SAMPLE(every),
	 .arg = "N",
	 .max = 60,
	 .optional = true},
};
static const struct opt_table sample_table = OPT_TABLE(sample_rows);

#endif
