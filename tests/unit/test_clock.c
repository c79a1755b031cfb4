// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/clock.h"

#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"

START_TEST(test_monotonic_nanoseconds)
{
	struct timespec a, b;
	uint64_t now, before = 0;

	for (int i = 0; i < 1000; i++) {
		now = clock_now_ns();
		ck_assert_uint_ge(now, before);
		before = now;
	}
	/* The same clock in the same unit as the kernel's. */
	clock_gettime(CLOCK_MONOTONIC, &a);
	now = clock_now_ns();
	clock_gettime(CLOCK_MONOTONIC, &b);
	ck_assert_uint_ge(now, (uint64_t)a.tv_sec * 1000000000 + (uint64_t)a.tv_nsec);
	ck_assert_uint_le(now, (uint64_t)b.tv_sec * 1000000000 + (uint64_t)b.tv_nsec);
	ck_assert_uint_eq(NSEC_PER_SEC, 1000 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(test_it_moves)
{
	uint64_t start = clock_now_ns();

	usleep(20000);
	ck_assert_uint_ge(clock_now_ns() - start, 20 * NSEC_PER_MSEC);
}
END_TEST

UNIT_MAIN("clock", test_monotonic_nanoseconds, test_it_moves)
