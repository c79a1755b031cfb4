// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/unit.h"
#include "vmm/reclaim/backend.h"

START_TEST(says_done_and_touches_nothing)
{
	static uint8_t page[3][4096];
	struct discard_run run[3];
	struct discard_run *list[3];

	memset(page, 0x5a, sizeof(page));
	for (unsigned i = 0; i < 3; i++) {
		run[i] = (struct discard_run){.hva = page[i],
					      .len = sizeof(page[i]),
					      .fd = -1,
					      .advice = MADV_DONTNEED,
					      .rc = -1};
		list[i] = &run[i];
	}
	backend_none.submit(NULL, list, 2);
	ck_assert(run[0].done && run[1].done && !run[2].done);
	ck_assert(!run[0].rc && !run[1].rc);
	backend_none.reap(NULL);
	ck_assert(!run[2].done);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(page[i][0] == 0x5a && !memcmp(page[i], page[i] + 1, 4095));
	backend_none.destroy(NULL);
	ck_assert_str_eq(backend_none.name, "none");
}
END_TEST

UNIT_MAIN("backend_none", says_done_and_touches_nothing)
