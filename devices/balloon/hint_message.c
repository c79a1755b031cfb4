// SPDX-License-Identifier: Apache-2.0
#include "devices/balloon/hint_message.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static uint64_t readable_bytes(const struct vq_chain *c)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < c->nout; i++)
		bytes += c->seg[i].len;
	return bytes;
}

/* Of a chain whose readable part is 4 bytes, in as many pieces as the driver likes. */
static uint32_t command_of(const struct vq_chain *c)
{
	uint32_t le = 0;
	size_t fill = 0;

	for (unsigned i = 0; i < c->nout; i++) {
		memcpy((uint8_t *)&le + fill, c->seg[i].hva, c->seg[i].len);
		fill += c->seg[i].len;
	}
	assert(fill == sizeof(le));
	return le32toh(le);
}

const char *hint_message(struct hint *h, struct hintset *set, const struct vq_chain *c,
			 uint64_t now_ns)
{
	const char *fault = hint_fault(c->nout, readable_bytes(c), c->nin);

	if (fault) {
		hint_fail(h, HINT_WHY_PROTOCOL, now_ns);
		return fault;
	}
	if (c->nout) {
		hint_command(h, command_of(c), now_ns);
		return NULL;
	}
	for (unsigned i = 0; i < c->nin; i++) {
		if (hint_block(h, c->seg[i].len))
			hint_collected(h, hintset_add(set, c->seg[i].gpa, c->seg[i].len));
	}
	return NULL;
}
