// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/stream.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM_MAX (1u << 24) /* pages */

static void fail(const char *path, unsigned line, const char *why)
{
	fprintf(stderr, "engine: %s:%u: %s\n", path, line, why);
	exit(1);
}

static void *more(void *array, size_t n, size_t size)
{
	/* Doubled whenever it is full. */
	if (n & (n - 1))
		return array;
	array = realloc(array, (n ? 2 * n : 1) * size);
	if (!array) {
		fprintf(stderr, "engine: out of memory\n");
		exit(1);
	}
	return array;
}

static void add_pfn(struct stream *s, uint32_t pfn)
{
	s->pfn = more(s->pfn, s->npfns, sizeof(*s->pfn));
	s->pfn[s->npfns++] = pfn;
}

static void add_message(struct stream *s, bool take, size_t n)
{
	s->len = more(s->len, s->nlens, sizeof(*s->len));
	s->len[s->nlens++] = (uint16_t)n;
	if (take) {
		s->takes = s->nlens;
		s->pages += n;
	}
}

/* "P*N-S" and its shorter forms. */
static bool add_row(struct stream *s, const char *text)
{
	char *end;
	uint64_t n = 1;
	int64_t pfn = (int64_t)strtoull(text, &end, 10), step = 1;

	if (end == text)
		return false;
	if (*end == '*')
		n = strtoull(end + 1, &end, 10);
	if (*end == '-' || *end == '+')
		step = strtoll(end, &end, 10);
	if (*end || !n || n > STREAM_MESSAGE)
		return false;
	for (; n; n--, pfn += step) {
		if (pfn < 0 || (uint64_t)pfn >= s->ram)
			return false;
		add_pfn(s, (uint32_t)pfn);
	}
	return true;
}

static const char *add_line(struct stream *s, char *line)
{
	bool take = *line == 'i';
	size_t before = s->npfns;
	char *word, *rest = line + 1;

	if (!strncmp(line, "ram ", 4)) {
		s->ram = strtoull(line + 4, NULL, 10);
		return s->ram && s->ram <= RAM_MAX ? NULL : "no size of RAM";
	}
	if ((*line != 'i' && *line != 'd') || line[1] != ' ' || !s->ram)
		return "not a message";
	if (take && s->takes != s->nlens)
		return "an inflate after a deflate";
	while ((word = strsep(&rest, " \n"))) {
		if (*word && !add_row(s, word))
			return "not page numbers of RAM";
	}
	if (s->npfns == before || s->npfns - before > STREAM_MESSAGE)
		return "no message of the right length";
	add_message(s, take, s->npfns - before);
	return NULL;
}

/* The file's name without folder and ending. */
static void name_stream(struct stream *s, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	snprintf(s->name, sizeof(s->name), "%.*s", (int)strcspn(base, "."), base);
}

void stream_load(struct stream *s, const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	unsigned n = 0;

	memset(s, 0, sizeof(*s));
	name_stream(s, path);
	if (!f)
		fail(path, 0, "cannot be opened");
	while (getline(&line, &size, f) >= 0) {
		const char *why = *line == '#' ? NULL : add_line(s, line);

		n++;
		if (why)
			fail(path, n, why);
	}
	if (!s->takes)
		fail(path, n, "no message");
	free(line);
	fclose(f);
}

void stream_scatter(struct stream *s)
{
	uint64_t rng = 0x9e3779b97f4a7c15ull;
	size_t half;

	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "scattered");
	s->ram = 262144;
	for (uint32_t i = 0; i < s->ram; i++)
		add_pfn(s, i);
	for (size_t i = s->npfns - 1; i; i--) {
		uint32_t pfn = s->pfn[i];
		size_t j;

		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		j = rng % (i + 1);
		s->pfn[i] = s->pfn[j];
		s->pfn[j] = pfn;
	}
	half = s->npfns / 2;
	memcpy(s->pfn + half, s->pfn, half * sizeof(*s->pfn));
	for (size_t i = 0; i < s->npfns; i += STREAM_MESSAGE)
		add_message(s, i < half, STREAM_MESSAGE);
}

void stream_free(struct stream *s)
{
	free(s->pfn);
	free(s->len);
}
