// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/options.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "vmm/config/nearest.h"

/* Of a wrong word so much is quoted that what is accepted still fits into the message. */
#define TEXT_SHOWN 60

struct parse {
	const struct opt_table *t;
	int argc, next; /* next: the word to look at */
	char *const *argv;
	void *out;
	struct options_found *found;
	struct err *err;
	const struct opt *bare; /* the word before was this option without its optional value */
};

const char *options_label(const struct opt *o, char buf[OPTIONS_LABEL])
{
	if (o->letter)
		snprintf(buf, OPTIONS_LABEL, "-%c/--%s", o->letter, o->name);
	else
		snprintf(buf, OPTIONS_LABEL, "--%s", o->name);
	return buf;
}

static const struct opt *find_long(const struct opt_table *t, const char *name, size_t len)
{
	for (unsigned i = 0; i < t->count; i++) {
		if (strlen(t->rows[i].name) == len && !memcmp(t->rows[i].name, name, len))
			return &t->rows[i];
	}
	return NULL;
}

static const struct opt *find_letter(const struct opt_table *t, char letter)
{
	for (unsigned i = 0; i < t->count; i++) {
		if (t->rows[i].letter == letter)
			return &t->rows[i];
	}
	return NULL;
}

bool options_given(const struct opt_table *t, const struct options_found *found,
		   const char *name)
{
	const struct opt *o = find_long(t, name, strlen(name));

	assert(o);
	return found->seen >> (o - t->rows) & 1;
}

static int unknown_long(struct parse *p, const char *name, size_t len)
{
	int shown = len < TEXT_SHOWN ? (int)len : TEXT_SHOWN;
	struct nearest near;

	nearest_init(&near, name, len);
	nearest_offer(&near, "help");
	for (unsigned i = 0; i < p->t->count; i++)
		nearest_offer(&near, p->t->rows[i].name);
	if (near.best)
		return err_set(p->err, -EINVAL, "unknown option '--%.*s'; did you mean '--%s'?",
			       shown, name, near.best);
	return err_set(p->err, -EINVAL, "unknown option '--%.*s'; see --help", shown, name);
}

/* value NULL: none was attached; then it is the next word, unless the option goes without. */
static int take(struct parse *p, const struct opt *o, const char *value)
{
	char label[OPTIONS_LABEL], accepts[OPTIONS_ACCEPTS];

	options_label(o, label);
	p->found->seen |= 1ull << (o - p->t->rows);
	if (o->type == OPT_FLAG) {
		if (value)
			return err_set(p->err, -EINVAL, "%s takes no value", label);
		*(bool *)((char *)p->out + o->offset) = true;
		return 0;
	}
	if (!value && o->optional) {
		p->bare = o;
		return 0;
	}
	if (!value && p->next < p->argc)
		value = p->argv[p->next++];
	if (!value)
		return err_set(p->err, -EINVAL, "%s needs a value: %s", label,
			       options_accepts(o, accepts));
	return options_value(o, label, value, p->out, p->err);
}

static int take_long(struct parse *p, const char *word)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct opt *o = find_long(p->t, word, len);

	if (o)
		return take(p, o, eq ? eq + 1 : NULL);
	if (!strcmp(word, "help")) {
		p->found->help = true;
		return 0;
	}
	return unknown_long(p, word, len);
}

/* A word of short options: flags may be clustered, a value is the rest or the next word. */
static int take_short(struct parse *p, const char *word)
{
	while (*word) {
		const struct opt *o = find_letter(p->t, *word);
		int rc;

		if (!o && *word == 'h') {
			p->found->help = true;
			return 0;
		}
		if (!o)
			return err_set(p->err, -EINVAL, "unknown option '-%c'; see --help",
				       *word);
		word++;
		if (o->type != OPT_FLAG)
			return take(p, o, *word ? word : NULL);
		rc = take(p, o, NULL);
		if (rc)
			return rc;
	}
	return 0;
}

static int take_operand(struct parse *p, const struct opt *bare, const char *word)
{
	if (p->t->operand && !p->found->operand) {
		p->found->operand = word;
		return 0;
	}
	if (bare)
		return err_set(p->err, -EINVAL,
			       "unexpected argument '%s'; a value of --%s is written --%s=%s",
			       word, bare->name, bare->name, bare->arg);
	return err_set(p->err, -EINVAL, "unexpected argument '%.*s'; see --help", TEXT_SHOWN,
		       word);
}

int options_parse(const struct opt_table *t, int argc, char *const *argv, void *out,
		  struct options_found *found, struct err *err)
{
	struct parse p = {
		.t = t, .argc = argc, .argv = argv, .out = out, .found = found, .err = err};
	bool only_operands = false;
	int rc = 0;

	assert(t->count <= OPTIONS_MAX);
	*found = (struct options_found){0};
	while (!rc && !found->help && p.next < argc) {
		const char *word = argv[p.next++];
		const struct opt *bare = p.bare;

		p.bare = NULL;
		if (only_operands || word[0] != '-' || !word[1])
			rc = take_operand(&p, bare, word);
		else if (!strcmp(word, "--"))
			only_operands = true;
		else if (word[1] == '-')
			rc = take_long(&p, word + 2);
		else
			rc = take_short(&p, word + 1);
	}
	return rc;
}
