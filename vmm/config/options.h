/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed option tables: what a subcommand (or the value of an option, as in --balloon=KEY=VALUE)
 * accepts, written once as constant data. The parser, the help text and the error messages all
 * come from it. Pure functions: no output, no exit, no allocation, no state. Any thread.
 *
 * A row says where its value goes as an offset into the caller's struct, which holds the
 * defaults before the parse:
 *   OPT_FLAG    bool         true when given; takes no value
 *   OPT_SWITCH  bool         "on" or "off"
 *   OPT_STRING  const char * points into argv
 *   OPT_TEXT    char[max+1]  a copy of at most max bytes
 *   OPT_SIZE    uint64_t     bytes within min..max; a bare number counts in `unit` bytes
 *   OPT_UINT    uint32_t     a decimal number within min..max
 *   OPT_CHOICE  an enum      index of the word in the NULL-terminated `choices`
 *   OPT_KEYS    a struct     KEY=VALUE[,...] by the table `keys`, whose offsets are in that
 *                            struct; the first item may be a VALUE alone, that of `bare`
 */
#ifndef AEROSTAT_CONFIG_OPTIONS_H
#define AEROSTAT_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/base/err.h"

enum opt_type {
	OPT_FLAG,
	OPT_SWITCH,
	OPT_STRING,
	OPT_TEXT,
	OPT_SIZE,
	OPT_UINT,
	OPT_CHOICE,
	OPT_KEYS,
};

struct opt_table;

struct opt {
	char letter;	  /* short name, 0: none; unused for keys */
	const char *name; /* long name without dashes */
	enum opt_type type;
	size_t offset;
	const char *arg;  /* the value's name in help: "FILE"; NULL for flags */
	const char *help; /* one sentence without a full stop; '\n' breaks the line */
	bool optional;	  /* the value may be left out; then it is given as --name=VALUE only */
	uint64_t unit;
	uint64_t min, max;
	const char *const *choices;
	const struct opt_table *keys;
	const char *bare; /* the key whose name may be left out of the first item; NULL: none */
};

#define OPTIONS_MAX 64 /* rows of a table */

struct opt_table {
	const struct opt *rows;
	unsigned count;
	const char *operand; /* name of the one word accepted beside options; NULL: none */
};

/* clang-format off */
#define OPT_TABLE(array) {.rows = (array), .count = sizeof(array) / sizeof((array)[0])}
/* clang-format on */

struct options_found {
	bool help;	     /* -h or --help, which every table has: the parse ended there */
	uint64_t seen;	     /* bit n: row n was given */
	const char *operand; /* NULL: not given */
};

/*
 * Parse argv[0..argc) (the words after the subcommand's name) into `out`. Accepted are
 * "--name VALUE", "--name=VALUE", "-x VALUE", "-xVALUE", clustered flags "-xy", and "--", after
 * which every word is an operand. A repeated option overrides the earlier one (OPT_KEYS: key by
 * key); within one KEY=VALUE list a repeated key is an error. 0, or -EINVAL with one line in
 * *err that names the option and says what is accepted; *out may then be half filled.
 */
int options_parse(const struct opt_table *t, int argc, char *const *argv, void *out,
		  struct options_found *found, struct err *err);

/* Was the row of this long name (which must exist) given? */
bool options_given(const struct opt_table *t, const struct options_found *found,
		   const char *name);

/* The option as messages call it: "-m/--mem", "--balloon". Returns buf. */
#define OPTIONS_LABEL 48
const char *options_label(const struct opt *o, char buf[OPTIONS_LABEL]);

/* What the option accepts, for messages: "a number from 1 to 255". Returns buf. */
#define OPTIONS_ACCEPTS 224
const char *options_accepts(const struct opt *o, char buf[OPTIONS_ACCEPTS]);

/*
 * The value of one row from text, into `out` (the struct, not the field). 0, or -EINVAL with
 * *err naming `label`.
 */
int options_value(const struct opt *o, const char *label, const char *text, void *out,
		  struct err *err);

/* The table as aligned help lines, keys of OPT_KEYS rows below their option, -h/--help last. */
void options_help(const struct opt_table *t, FILE *out);

#endif
