// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/discard.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/unit.h"

#define PAGE 4096u

static unsigned char *map_pages(unsigned n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	ck_assert(p != MAP_FAILED);
	memset(p, 0x5a, n * PAGE);
	return p;
}

START_TEST(exactly_the_range)
{
	unsigned char *p = map_pages(4);
	unsigned char present[4];

	ck_assert_int_eq(discard_sync.discard(NULL, p + PAGE, 2 * PAGE), 0);
	ck_assert_int_eq(mincore(p, 4 * PAGE, present), 0);
	ck_assert(present[0] & 1 && present[3] & 1);
	ck_assert(!(present[1] & 1) && !(present[2] & 1));
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(p[i * PAGE], i == 1 || i == 2 ? 0 : 0x5a);
		ck_assert(!memcmp(p + i * PAGE, p + i * PAGE + 1, PAGE - 1));
	}
	munmap(p, 4 * PAGE);
}
END_TEST

START_TEST(failure_is_an_errno)
{
	unsigned char *p = map_pages(2);

	ck_assert_int_eq(discard_sync.discard(NULL, p + 1, PAGE), -EINVAL);
	ck_assert_uint_eq(p[1], 0x5a);
	munmap(p + PAGE, PAGE);
	ck_assert_int_eq(discard_sync.discard(NULL, p + PAGE, PAGE), -ENOMEM);
	munmap(p, PAGE);
}
END_TEST

UNIT_MAIN("discard_sync", exactly_the_range, failure_is_an_errno)
