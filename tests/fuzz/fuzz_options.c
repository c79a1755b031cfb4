// SPDX-License-Identifier: Apache-2.0
/*
 * Command lines: the input is a first byte that chooses the table, then words that end with
 * NUL. What is accepted must be in range, what is refused must leave one short message.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/options_table.h"
#include "vmm/config/vm_options.h"

#define WORDS_MAX 32

static unsigned split(char *text, size_t len, char *words[WORDS_MAX])
{
	unsigned n = 0;

	for (size_t at = 0; at < len && n < WORDS_MAX; at += strlen(text + at) + 1)
		words[n++] = text + at;
	return n;
}

static void check_message(int rc, const struct err *err)
{
	assert(rc < 0);
	assert(err->msg[0] && strlen(err->msg) < sizeof(err->msg));
}

static void try_sample(int argc, char **argv)
{
	struct sample s = {.size = MIB, .count = 2, .after_label = 'Z'};
	struct options_found found;
	struct err err = {{0}};
	int rc = options_parse(&sample_table, argc, argv, &s, &found, &err);

	if (rc)
		check_message(rc, &err);
	assert(s.after_label == 'Z' && !s.after_count);
	assert(strlen(s.label) <= 8);
	assert(s.size >= MIB && s.size <= 3 * GIB);
	assert(s.count >= 2);
	assert(s.colour <= BLUE);
	assert(s.pump.wait <= 9 && s.every <= 60);
	assert(found.seen >> sample_table.count == 0);
	assert(!found.operand);
}

static void try_vm(int argc, char **argv)
{
	char line[VM_CMDLINE_MAX + 1];
	struct options_found found;
	struct err err = {{0}};
	struct vm_config c;
	int rc;

	vm_config_init(&c);
	rc = options_parse(&vm_options, argc, argv, &c, &found, &err);
	c.balloon.enabled = options_given(&vm_options, &found, "balloon");
	if (!rc)
		rc = vm_config_check(&c, &err);
	if (!rc)
		rc = vm_cmdline(c.params, c.console, line, &err);
	if (rc) {
		check_message(rc, &err);
		return;
	}
	assert(c.kernel && c.kernel[0] && vm_name_valid(c.name));
	assert(c.mem >= VM_MEM_MIN && c.mem % 4096 == 0);
	assert(c.cpus >= 1 && c.cpus <= VM_CPUS_MAX);
	assert(c.console <= CONSOLE_NONE && c.loglevel <= LOG_DEBUG);
	assert(!c.balloon.enabled ||
	       (c.balloon.initial < c.mem && c.balloon.initial % 4096 == 0));
	assert(strlen(line) <= VM_CMDLINE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *words[WORDS_MAX];
	char *text;
	unsigned n;

	if (!len)
		return 0;
	/* Exactly as long as the input, so that reading past a word's end is found. */
	text = malloc(len);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	n = split(text, len, words);
	if (data[0] & 1)
		try_sample((int)n, words);
	else
		try_vm((int)n, words);
	free(text);
	return 0;
}
