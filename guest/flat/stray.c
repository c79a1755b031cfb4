// SPDX-License-Identifier: Apache-2.0
/*
 * The hint queue's rules are soft: what comes out of turn may be in good faith, and is ignored.
 * So it must neither break the device nor take a page that is in use. One that did is found by
 * who verifies the pages; a broken device returns no buffer, and all stops.
 */
#include "guest/flat/flat.h"

#define FIRST_ID 2u
#define STOP	 0u
#define HINTS	 8u /* of a session, at most */

static uint64_t address(uint32_t pfn)
{
	return (uint64_t)pfn << PAGE_SHIFT;
}

/* Less than a page, from its start and behind it: nothing that could go. */
static void hint_parts(uint32_t pfn)
{
	balloon_hint(address(pfn), 4);
	balloon_hint(address(pfn) + 4, (uint32_t)PAGE_SIZE - 4);
}

void stray_outside(uint32_t in_use)
{
	/* Of no session: ids count up one by one. */
	uint32_t stale = balloon_hint_id() ^ 1u << 30;

	balloon_hint_command(STOP);
	balloon_hint(address(in_use), PAGE_SIZE);
	balloon_hint_command(stale);
	balloon_hint(address(in_use), PAGE_SIZE);
	hint_parts(in_use);
	balloon_hint_command(stale);
	balloon_hint_command(STOP);
	balloon_hint_command(STOP);
}

bool stray_session(uint64_t *rng, const uint32_t *pfn, uint32_t n, uint32_t in_use)
{
	uint32_t id = balloon_hint_id();

	if (id < FIRST_ID)
		return false;
	stray_outside(in_use); /* before the start */
	balloon_hint_command(id);
	for (uint32_t i = 0; i < n && i < HINTS; i++) {
		balloon_hint(address(pfn[i]), PAGE_SIZE);
		balloon_hint(address(pfn[i]), PAGE_SIZE);
		hint_parts(in_use);
	}
	balloon_hint_command(id);
	/* Else it stays open. */
	if (random_below(rng, 2)) {
		if (random_below(rng, 2))
			balloon_hint_command(id + 1);
		balloon_hint_command(STOP);
		balloon_hint_command(STOP);
		balloon_hint(address(in_use), PAGE_SIZE);
	}
	return true;
}
