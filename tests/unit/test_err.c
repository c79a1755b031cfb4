// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/err.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

START_TEST(test_set)
{
	struct err e;

	ck_assert_int_eq(err_set(&e, -EINVAL, "--mem: %d is %s", 3, "too small"), -EINVAL);
	ck_assert_str_eq(e.msg, "--mem: 3 is too small");
	ck_assert_int_eq(err_set(&e, 0, "%s", ""), 0);
	ck_assert_str_eq(e.msg, "");
}
END_TEST

START_TEST(test_sys)
{
	struct err e;

	ck_assert_int_eq(err_sys(&e, -ENOENT, "cannot open %s", "/k"), -ENOENT);
	ck_assert_str_eq(e.msg, "cannot open /k: No such file or directory");
}
END_TEST

START_TEST(test_null_passes_through)
{
	ck_assert_int_eq(err_set(NULL, -EIO, "%s", "x"), -EIO);
	ck_assert_int_eq(err_sys(NULL, -EPERM, "%s", "x"), -EPERM);
}
END_TEST

START_TEST(test_cut)
{
	char big[1000];
	struct {
		struct err e;
		char guard[8];
	} s;

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = 0;
	memset(&s, '!', sizeof(s));
	err_set(&s.e, -EINVAL, "%s", big);
	ck_assert_uint_eq(strlen(s.e.msg), sizeof(s.e.msg) - 1);
	err_sys(&s.e, -EINVAL, "%s", big);
	ck_assert_uint_eq(strlen(s.e.msg), sizeof(s.e.msg) - 1);
	/* Just room for a part of the description. */
	big[sizeof(s.e.msg) - 4] = 0;
	err_sys(&s.e, -EINVAL, "%s", big);
	ck_assert_uint_eq(strlen(s.e.msg), sizeof(s.e.msg) - 1);
	ck_assert_str_eq(s.e.msg + sizeof(s.e.msg) - 4, ": I");
	ck_assert_int_eq(memcmp(s.guard, "!!!!!!!!", 8), 0);
}
END_TEST

UNIT_MAIN("err", test_set, test_sys, test_null_passes_through, test_cut)
