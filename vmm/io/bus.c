// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/bus.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Values and guest data meet as they are: every host with KVM we build for is little endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little endian hosts only");

int bus_add(struct bus *b, uint64_t base, uint64_t len, const struct bus_ops *ops, void *opaque)
{
	assert(len && base + (len - 1) >= base);
	if (b->nwindows == BUS_MAX_WINDOWS)
		return -ENOSPC;
	for (unsigned i = 0; i < b->nwindows; i++) {
		const struct bus_window *w = &b->window[i];

		if (base <= w->base + (w->len - 1) && w->base <= base + (len - 1))
			return -EEXIST;
	}
	b->window[b->nwindows++] = (struct bus_window){base, len, ops, opaque};
	return 0;
}

static const struct bus_window *find(const struct bus *b, uint64_t addr, unsigned len)
{
	for (unsigned i = 0; i < b->nwindows; i++) {
		const struct bus_window *w = &b->window[i];

		if (addr >= w->base && addr - w->base < w->len)
			return len <= w->len - (addr - w->base) ? w : NULL;
	}
	return NULL;
}

void bus_read(const struct bus *b, uint64_t addr, unsigned len, void *data)
{
	const struct bus_window *w = find(b, addr, len);
	uint64_t v = ~0ull;

	assert(len <= sizeof(v));
	if (w)
		v = w->ops->read(w->opaque, addr - w->base, len);
	memcpy(data, &v, len);
}

void bus_write(const struct bus *b, uint64_t addr, unsigned len, const void *data)
{
	const struct bus_window *w = find(b, addr, len);
	uint64_t v = 0;

	assert(len <= sizeof(v));
	memcpy(&v, data, len);
	if (w)
		w->ops->write(w->opaque, addr - w->base, len, v);
}
