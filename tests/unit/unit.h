/* SPDX-License-Identifier: Apache-2.0 */
/* A unit test program: one Check suite made of test cases, run in forked children. */
#ifndef AEROSTAT_TESTS_UNIT_H
#define AEROSTAT_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

/* UNIT_MAIN("tracker", test_a, test_b, ...) is the whole main() of a test file. */
#define UNIT_MAIN(name, ...) UNIT_RUN(int main(void), name, __VA_ARGS__)

#define UNIT_RUN(prototype, name, ...)                                                         \
	prototype                                                                              \
	{                                                                                      \
		const TTest *tests[] = {__VA_ARGS__};                                          \
		Suite *s = suite_create(name);                                                 \
		TCase *tc = tcase_create(name);                                                \
		SRunner *sr;                                                                   \
		int failed;                                                                    \
		tcase_set_timeout(tc, 60);                                                     \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                  \
			tcase_add_test(tc, tests[i]);                                          \
		suite_add_tcase(s, tc);                                                        \
		sr = srunner_create(s);                                                        \
		srunner_run_all(sr, CK_NORMAL);                                                \
		failed = srunner_ntests_failed(sr);                                            \
		srunner_free(sr);                                                              \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                   \
	}

#endif
