// SPDX-License-Identifier: Apache-2.0
#include "guest/flat/kimage/tree.h"

#include <stdbool.h>
#include <stddef.h>

#define MAGIC 0xd00dfeedu

/* Offsets of the header's fields. */
#define H_MAGIC	       0
#define H_TOTAL	       4
#define H_STRUCT       8
#define H_STRINGS      12
#define H_STRINGS_SIZE 32
#define H_STRUCT_SIZE  36
#define HEADER	       40

enum { BEGIN_NODE = 1, END_NODE, PROP, NOP };

#define CHILD_DEPTH 2 /* the root's is 1 */

/* A piece of the tree, and how far in it we are. */
struct piece {
	const uint8_t *p;
	uint32_t len, at;
};

uint32_t tree_u32(const void *p)
{
	const uint8_t *b = p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

uint64_t tree_u64(const void *p)
{
	return (uint64_t)tree_u32(p) << 32 | tree_u32((const uint8_t *)p + 4);
}

uint32_t tree_size(const void *tree)
{
	const uint8_t *p = tree;
	uint32_t size;

	if (tree_u32(p + H_MAGIC) != MAGIC)
		return 0;
	size = tree_u32(p + H_TOTAL);
	return size < HEADER ? 0 : size;
}

static struct piece piece(const void *tree, unsigned offset_field, unsigned size_field)
{
	const uint8_t *p = tree;
	uint32_t total = tree_size(tree);
	uint32_t from = total ? tree_u32(p + offset_field) : 0;
	uint32_t len = total ? tree_u32(p + size_field) : 0;

	if (from > total || len > total - from)
		return (struct piece){0};
	return (struct piece){.p = p + from, .len = len};
}

/* Goes on behind the next n bytes, and what aligns them: where they are, or NULL at the end. */
static const uint8_t *take(struct piece *s, uint32_t n)
{
	const uint8_t *p = s->p + s->at;

	if (n > s->len - s->at)
		return NULL;
	s->at += n;
	while (s->at % 4 && s->at < s->len)
		s->at++;
	return p;
}

static bool take_u32(struct piece *s, uint32_t *v)
{
	const uint8_t *p = take(s, 4);

	if (p)
		*v = tree_u32(p);
	return p;
}

/* The text that begins at `at`, if it ends before the piece does. */
static const char *text_at(const struct piece *s, uint32_t at, uint32_t *len)
{
	for (uint32_t end = at; end < s->len; end++) {
		if (!s->p[end]) {
			*len = end - at;
			return (const char *)s->p + at;
		}
	}
	return NULL;
}

/* Is text the same as name, or name with an address behind it? */
static bool is_name(const char *text, const char *name, char behind)
{
	while (*name && *text == *name)
		text++, name++;
	return !*name && (!*text || *text == behind);
}

/* The name of a node that begins here. */
static const char *node_name(struct piece *s)
{
	uint32_t len;
	const char *name = text_at(s, s->at, &len);

	return name && take(s, len + 1) ? name : NULL;
}

/* The value of the property here if it's called `property`; NULL, and *ok, if it isn't. */
static const void *value(struct piece *s, const struct piece *strings, const char *property,
			 uint32_t *len, bool *ok)
{
	const char *name = NULL;
	const void *v = NULL;
	uint32_t offset, unused;

	if (take_u32(s, len) && take_u32(s, &offset)) {
		name = text_at(strings, offset, &unused);
		v = take(s, *len);
	}
	*ok = name && v;
	return *ok && is_name(name, property, 0) ? v : NULL;
}

const void *tree_property(const void *tree, const char *node, unsigned nth,
			  const char *property, uint32_t *len)
{
	const struct piece strings = piece(tree, H_STRINGS, H_STRINGS_SIZE);
	struct piece s = piece(tree, H_STRUCT, H_STRUCT_SIZE);
	unsigned depth = 0, seen = 0;
	bool inside = false, ok = true;
	uint32_t token;

	while (ok && take_u32(&s, &token)) {
		const void *v = NULL;
		const char *name;

		switch (token) {
		case BEGIN_NODE:
			name = node_name(&s);
			ok = name;
			inside = ++depth == CHILD_DEPTH && ok && is_name(name, node, '@') &&
				 seen++ == nth;
			break;
		case END_NODE:
			ok = depth-- > 0;
			inside = false;
			break;
		case PROP:
			v = value(&s, &strings, property, len, &ok);
			if (v && inside)
				return v;
			break;
		case NOP:
			break;
		default: /* the end */
			ok = false;
		}
	}
	return NULL;
}
