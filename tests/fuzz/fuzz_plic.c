// SPDX-License-Identifier: Apache-2.0
/*
 * Edges, resets and accesses of any width and place, in any order, beside a model of what
 * drivers rely on: an output is high exactly when a source pends that its context has enabled,
 * above the threshold and not claimed; a claim gives the best of those that could be claimed,
 * and an edge is lost only to one of the same source before it.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/legacy/plic.h"

#define CONTEXTS 3
#define CHECK(c)                                                                               \
	do {                                                                                   \
		if (!(c))                                                                      \
			abort();                                                               \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model {
	bool pending[PLIC_SOURCES + 1], claimed[PLIC_SOURCES + 1];
	unsigned priority[PLIC_SOURCES + 1];
	bool enabled[CONTEXTS][PLIC_SOURCES + 1];
	unsigned threshold[CONTEXTS];
	bool level[CONTEXTS];
} m;

static void output(void *opaque, unsigned context, bool level)
{
	CHECK(opaque == &m && context < CONTEXTS && m.level[context] != level);
	m.level[context] = level;
}

/* The source that context would claim, of those with a priority above `floor`; 0: none. */
static unsigned best(unsigned context, unsigned floor)
{
	unsigned found = 0;

	for (unsigned i = 1; i <= PLIC_SOURCES; i++) {
		if (m.pending[i] && !m.claimed[i] && m.enabled[context][i] &&
		    m.priority[i] > floor && (!found || m.priority[i] > m.priority[found]))
			found = i;
	}
	return found;
}

static void check_outputs(void)
{
	for (unsigned c = 0; c < CONTEXTS; c++)
		CHECK(m.level[c] == (best(c, m.threshold[c]) != 0));
}

static void model_write(uint64_t off, uint32_t value)
{
	for (unsigned i = 1; i <= PLIC_SOURCES; i++) {
		if (off == 4ull * i)
			m.priority[i] = value & 7;
	}
	for (unsigned c = 0; c < CONTEXTS; c++) {
		if (off == 0x2000 + 0x80ull * c) {
			for (unsigned i = 1; i <= PLIC_SOURCES; i++)
				m.enabled[c][i] = value >> i & 1;
		} else if (off == 0x200000 + 0x1000ull * c) {
			m.threshold[c] = value & 7;
		} else if (off == 0x200004 + 0x1000ull * c && value && value <= PLIC_SOURCES &&
			   m.enabled[c][value]) {
			m.claimed[value] = false;
		}
	}
}

static uint32_t model_claim(unsigned context)
{
	unsigned source = best(context, 0);

	m.pending[source] = false;
	m.claimed[source] = source != 0;
	return source;
}

static uint32_t model_read(uint64_t off)
{
	uint32_t value = 0;

	for (unsigned i = 1; i <= PLIC_SOURCES; i++) {
		if (off == 4ull * i)
			value = m.priority[i];
		if (off == 0x1000)
			value |= (uint32_t)m.pending[i] << i;
	}
	for (unsigned c = 0; c < CONTEXTS; c++) {
		if (off == 0x200000 + 0x1000ull * c)
			value = m.threshold[c];
		else if (off == 0x200004 + 0x1000ull * c)
			value = model_claim(c);
		for (unsigned i = 1; i <= PLIC_SOURCES && off == 0x2000 + 0x80ull * c; i++)
			value |= (uint32_t)m.enabled[c][i] << i;
	}
	return value;
}

/* Places that matter, more often than chance would have them. */
static uint64_t place(uint8_t how, uint32_t value)
{
	unsigned c = how >> 4 & 3;

	switch (how & 7) {
	case 0:
		return 4ull * (value >> 16 & 31);
	case 1:
		return 0x1000;
	case 2:
		return 0x2000 + 0x80ull * c;
	case 3:
		return 0x200000 + 0x1000ull * c;
	case 4:
	case 5:
	case 6:
		return 0x200004 + 0x1000ull * c;
	default:
		return value % (PLIC_LEN(CONTEXTS) - 8);
	}
}

static void step(struct plic *p, const uint8_t *op)
{
	uint32_t value;
	uint64_t off;
	unsigned len = 4;

	memcpy(&value, op + 2, sizeof(value));
	off = place(op[1], value);
	if ((op[0] & 0xf0) == 0xf0)
		len = 1u << (op[0] >> 2 & 3);
	switch (op[0] & 3) {
	case 0:
		value = value % PLIC_SOURCES + 1;
		plic_edge(p, value);
		m.pending[value] = true;
		return;
	case 1:
		plic_bus_ops.write(p, off, len, value);
		if (len == 4 && off % 4 == 0)
			model_write(off, value);
		return;
	case 2:
		value = (uint32_t)plic_bus_ops.read(p, off, len);
		CHECK(value == (len == 4 && off % 4 == 0 ? model_read(off) : 0));
		return;
	default:
		if (op[1] != 0x5a)
			return;
		plic_reset(p);
		memset(&m, 0, sizeof(m));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plic *p = plic_create(CONTEXTS, output, &m);

	CHECK(p);
	memset(&m, 0, sizeof(m));
	for (; size >= 6; data += 6, size -= 6) {
		step(p, data);
		check_outputs();
	}
	plic_destroy(p);
	return 0;
}
