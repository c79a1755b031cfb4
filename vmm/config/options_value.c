// SPDX-License-Identifier: Apache-2.0
/* The value side of option tables: text to typed fields, and what to say when it isn't one. */
#include "vmm/config/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "vmm/base/size.h"

/* Text that fits its buffer or is cut: accepted values are described, not data. */
struct text {
	char *buf;
	size_t cap, len;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < t->cap - t->len ? (size_t)n : t->cap - t->len - 1;
}

/* A limit as the user would type it, in the largest unit that is exact. */
static void add_size(struct text *t, const char *lead, uint64_t bytes)
{
	static const char suffix[] = "BKMGT";
	unsigned u = 0;

	while (bytes && u < 4 && !(bytes & 1023)) {
		bytes >>= 10;
		u++;
	}
	add(t, "%s%llu%c", lead, (unsigned long long)bytes, suffix[u]);
}

static void accepts_size(const struct opt *o, struct text *t)
{
	add(t, "a size such as 512M or 2G");
	if (o->min)
		add_size(t, ", at least ", o->min);
	if (o->max)
		add_size(t, ", at most ", o->max);
	if (o->unit == MIB)
		add(t, " (a bare number is MiB)");
}

static const struct opt *find_key(const struct opt *o, const char *name)
{
	for (unsigned i = 0; i < o->keys->count; i++) {
		if (!strcmp(o->keys->rows[i].name, name))
			return &o->keys->rows[i];
	}
	return NULL;
}

static void accepts_keys(const struct opt *o, struct text *t)
{
	if (o->bare)
		add(t, "%s, or ", find_key(o, o->bare)->arg);
	/* Names only: what a key accepts is said when that is what was wrong. */
	add(t, "a comma-separated list of KEY=VALUE; the keys are");
	for (unsigned i = 0; i < o->keys->count; i++)
		add(t, "%s %s", i ? "," : "", o->keys->rows[i].name);
}

const char *options_accepts(const struct opt *o, char buf[OPTIONS_ACCEPTS])
{
	struct text t = {.buf = buf, .cap = OPTIONS_ACCEPTS};

	buf[0] = '\0';
	switch (o->type) {
	case OPT_FLAG:
		break;
	case OPT_SWITCH:
		add(&t, "on or off");
		break;
	case OPT_STRING:
		add(&t, "%s", o->arg);
		break;
	case OPT_TEXT:
		add(&t, "%s of at most %llu characters", o->arg, (unsigned long long)o->max);
		break;
	case OPT_SIZE:
		accepts_size(o, &t);
		break;
	case OPT_UINT:
		add(&t, "a number from %llu to %llu", (unsigned long long)o->min,
		    (unsigned long long)o->max);
		break;
	case OPT_CHOICE:
		for (unsigned i = 0; o->choices[i]; i++)
			add(&t, "%s%s",
			    !i			? ""
			    : o->choices[i + 1] ? ", "
						: " or ",
			    o->choices[i]);
		break;
	case OPT_KEYS:
		accepts_keys(o, &t);
		break;
	}
	return buf;
}

static int refuse(const struct opt *o, const char *label, const char *text, struct err *err)
{
	char accepts[OPTIONS_ACCEPTS];

	return err_set(err, -EINVAL, "%s: '%.40s' is not accepted; give %s", label, text,
		       options_accepts(o, accepts));
}

static bool parse_uint(const struct opt *o, const char *text, uint32_t *out)
{
	uint64_t v = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		v = v * 10 + (unsigned)(*text - '0');
		if (v > o->max)
			return false;
	}
	if (v < o->min)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool parse_size(const struct opt *o, const char *text, uint64_t *out)
{
	uint64_t v;

	if (size_parse(text, o->unit, &v) || v < o->min || (o->max && v > o->max))
		return false;
	*out = v;
	return true;
}

static bool parse_choice(const struct opt *o, const char *text, void *field)
{
	for (unsigned i = 0; o->choices[i]; i++) {
		if (!strcmp(text, o->choices[i])) {
			/* An enum without negative values is an unsigned int in this ABI. */
			memcpy(field, &i, sizeof(i));
			return true;
		}
	}
	return false;
}

/* One KEY=VALUE, or a VALUE of `bare` (NULL: none). *seen has a bit per key of this list. */
static int parse_pair(const struct opt *o, const char *label, char *pair, const char *bare,
		      void *field, uint64_t *seen, struct err *err)
{
	char *eq = strchr(pair, '=');
	const struct opt *key;
	char key_label[OPTIONS_LABEL + 32], accepts[OPTIONS_ACCEPTS];
	uint64_t bit;

	if (eq)
		*eq = '\0';
	key = find_key(o, eq || !bare ? pair : bare);
	if (!key)
		return refuse(o, label, pair, err);
	if (!eq && !bare)
		return err_set(err, -EINVAL, "%s: %s needs a value: %s", label, key->name,
			       options_accepts(key, accepts));
	bit = 1ull << (key - o->keys->rows);
	if (*seen & bit)
		return err_set(err, -EINVAL, "%s: '%s' is given twice; give each key once",
			       label, key->name);
	*seen |= bit;
	if (!eq)
		return options_value(key, label, pair, field, err);
	snprintf(key_label, sizeof(key_label), "%s: %s", label, key->name);
	return options_value(key, key_label, eq + 1, field, err);
}

static int parse_keys(const struct opt *o, const char *label, const char *text, void *field,
		      struct err *err)
{
	const char *bare = o->bare;
	uint64_t seen = 0;
	char pair[128];

	assert(o->keys->count <= OPTIONS_MAX);
	for (;;) {
		size_t len = strcspn(text, ",");
		int rc;

		if (len >= sizeof(pair))
			return refuse(o, label, text, err);
		memcpy(pair, text, len);
		pair[len] = '\0';
		rc = parse_pair(o, label, pair, bare, field, &seen, err);
		if (rc || !text[len])
			return rc;
		bare = NULL;
		text += len + 1;
	}
}

int options_value(const struct opt *o, const char *label, const char *text, void *out,
		  struct err *err)
{
	void *field = (char *)out + o->offset;
	bool ok = false;

	switch (o->type) {
	case OPT_FLAG:
		break;
	case OPT_SWITCH:
		ok = !strcmp(text, "on") || !strcmp(text, "off");
		if (ok)
			*(bool *)field = text[1] == 'n';
		break;
	case OPT_STRING:
		*(const char **)field = text;
		ok = true;
		break;
	case OPT_TEXT:
		ok = strlen(text) <= o->max;
		if (ok)
			memcpy(field, text, strlen(text) + 1);
		break;
	case OPT_SIZE:
		ok = parse_size(o, text, field);
		break;
	case OPT_UINT:
		ok = parse_uint(o, text, field);
		break;
	case OPT_CHOICE:
		ok = parse_choice(o, text, field);
		break;
	case OPT_KEYS:
		return parse_keys(o, label, text, field, err);
	}
	return ok ? 0 : refuse(o, label, text, err);
}
