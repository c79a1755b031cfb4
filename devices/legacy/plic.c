// SPDX-License-Identifier: Apache-2.0
#include "devices/legacy/plic.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Where registers are, and how far apart those of contexts. */
#define PRIORITY       0x000000u
#define PENDING	       0x001000u
#define ENABLE	       0x002000u
#define ENABLE_STRIDE  0x80u
#define CONTEXT	       0x200000u
#define CONTEXT_STRIDE 0x1000u
#define CONTEXT_THRESH 0x0u
#define CONTEXT_CLAIM  0x4u

/* Source n is bit n of a word; nothing has number 0. */
#define ALL_SOURCES (~0u << 1)

_Static_assert(PLIC_SOURCES == 31, "a word has them all, and no more");

struct context {
	uint32_t enable;
	uint8_t threshold;
	bool level;
};

struct plic {
	pthread_mutex_t lock; /* all below; the output's own locks come after it */
	plic_output_fn output;
	void *opaque;
	uint32_t pending, claimed;
	uint8_t priority[PLIC_SOURCES + 1];
	uint32_t above[PLIC_PRIO_MAX + 1]; /* [n]: sources with a priority above n */
	unsigned ncontexts;
	struct context context[];
};

struct plic *plic_create(unsigned contexts, plic_output_fn output, void *opaque)
{
	struct plic *p;

	assert(contexts && contexts <= PLIC_CONTEXTS_MAX);
	p = calloc(1, sizeof(*p) + contexts * sizeof(p->context[0]));
	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	p->output = output;
	p->opaque = opaque;
	p->ncontexts = contexts;
	return p;
}

void plic_destroy(struct plic *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* What context c may claim now, whatever its threshold. */
static uint32_t claimable(const struct plic *p, const struct context *c)
{
	return p->pending & ~p->claimed & c->enable & p->above[0];
}

static void update_one(struct plic *p, unsigned i)
{
	struct context *c = &p->context[i];
	bool level = claimable(p, c) & p->above[c->threshold];

	if (level == c->level)
		return;
	c->level = level;
	p->output(p->opaque, i, level);
}

static void update(struct plic *p)
{
	for (unsigned i = 0; i < p->ncontexts; i++)
		update_one(p, i);
}

void plic_reset(struct plic *p)
{
	pthread_mutex_lock(&p->lock);
	p->pending = p->claimed = 0;
	memset(p->priority, 0, sizeof(p->priority));
	memset(p->above, 0, sizeof(p->above));
	for (unsigned i = 0; i < p->ncontexts; i++) {
		p->context[i].enable = 0;
		p->context[i].threshold = 0;
	}
	update(p);
	pthread_mutex_unlock(&p->lock);
}

void plic_edge(struct plic *p, uint32_t source)
{
	assert(source && source <= PLIC_SOURCES);
	pthread_mutex_lock(&p->lock);
	p->pending |= 1u << source;
	update(p);
	pthread_mutex_unlock(&p->lock);
}

/* Of those with the highest priority the one with the lowest number; 0: there is none. */
static uint32_t claim(struct plic *p, const struct context *c)
{
	uint32_t can = claimable(p, c), source;

	if (!can)
		return 0;
	for (unsigned prio = PLIC_PRIO_MAX; prio; prio--) {
		if (can & p->above[prio - 1]) {
			can &= p->above[prio - 1];
			break;
		}
	}
	source = (uint32_t)__builtin_ctz(can);
	p->pending &= ~(1u << source);
	p->claimed |= 1u << source;
	update(p);
	return source;
}

/* Ignored unless the source is enabled for the context (chapter 9 of the specification). */
static void complete(struct plic *p, const struct context *c, uint32_t source)
{
	if (source > PLIC_SOURCES || !(c->enable & 1u << source))
		return;
	p->claimed &= ~(1u << source);
	update(p);
}

static void set_priority(struct plic *p, uint32_t source, uint32_t value)
{
	p->priority[source] = value & PLIC_PRIO_MAX;
	for (unsigned prio = 0; prio <= PLIC_PRIO_MAX; prio++) {
		p->above[prio] &= ~(1u << source);
		p->above[prio] |= (uint32_t)(p->priority[source] > prio) << source;
	}
	update(p);
}

/* Which context has the register at off of a block, and *reg: where in the context's part. */
static struct context *context_at(struct plic *p, uint64_t off, uint32_t stride, uint32_t *reg)
{
	uint64_t i = off / stride;

	*reg = (uint32_t)(off % stride);
	return i < p->ncontexts ? &p->context[i] : NULL;
}

static uint32_t read_locked(struct plic *p, uint64_t off)
{
	struct context *c;
	uint32_t reg;

	if (off < PENDING)
		return off / 4 <= PLIC_SOURCES ? p->priority[off / 4] : 0;
	if (off < ENABLE)
		return off == PENDING ? p->pending : 0;
	if (off < CONTEXT) {
		c = context_at(p, off - ENABLE, ENABLE_STRIDE, &reg);
		return c && !reg ? c->enable : 0;
	}
	c = context_at(p, off - CONTEXT, CONTEXT_STRIDE, &reg);
	if (c && reg == CONTEXT_THRESH)
		return c->threshold;
	return c && reg == CONTEXT_CLAIM ? claim(p, c) : 0;
}

static void write_context(struct plic *p, struct context *c, uint32_t reg, uint32_t value)
{
	if (reg == CONTEXT_CLAIM) {
		complete(p, c, value);
	} else if (reg == CONTEXT_THRESH) {
		c->threshold = value & PLIC_PRIO_MAX;
		update_one(p, (unsigned)(c - p->context));
	}
}

static void write_locked(struct plic *p, uint64_t off, uint32_t value)
{
	struct context *c;
	uint32_t reg;

	if (off < PENDING) {
		if (off && off / 4 <= PLIC_SOURCES)
			set_priority(p, (uint32_t)(off / 4), value);
	} else if (off >= ENABLE && off < CONTEXT) {
		c = context_at(p, off - ENABLE, ENABLE_STRIDE, &reg);
		if (!c || reg)
			return;
		c->enable = value & ALL_SOURCES;
		update_one(p, (unsigned)(c - p->context));
	} else if (off >= CONTEXT) {
		c = context_at(p, off - CONTEXT, CONTEXT_STRIDE, &reg);
		if (c)
			write_context(p, c, reg, value);
	}
}

static uint64_t plic_read(void *opaque, uint64_t off, unsigned len)
{
	struct plic *p = opaque;
	uint32_t value;

	if (len != 4 || off % 4)
		return 0;
	pthread_mutex_lock(&p->lock);
	value = read_locked(p, off);
	pthread_mutex_unlock(&p->lock);
	return value;
}

static void plic_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct plic *p = opaque;

	if (len != 4 || off % 4)
		return;
	pthread_mutex_lock(&p->lock);
	write_locked(p, off, (uint32_t)value);
	pthread_mutex_unlock(&p->lock);
}

const struct bus_ops plic_bus_ops = {.read = plic_read, .write = plic_write};
