// SPDX-License-Identifier: Apache-2.0
#include "vmm/base/log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char text[4096];

/* What one call writes to stderr. */
#define CAPTURE(call)                                                                          \
	do {                                                                                   \
		int p_[2], saved_ = dup(STDERR_FILENO);                                        \
		ssize_t n_;                                                                    \
		ck_assert_int_eq(pipe2(p_, O_NONBLOCK), 0);                                    \
		dup2(p_[1], STDERR_FILENO);                                                    \
		call;                                                                          \
		dup2(saved_, STDERR_FILENO);                                                   \
		n_ = read(p_[0], text, sizeof(text) - 1);                                      \
		text[n_ < 0 ? 0 : n_] = 0;                                                     \
		close(p_[0]);                                                                  \
		close(p_[1]);                                                                  \
		close(saved_);                                                                 \
	} while (0)

START_TEST(test_levels)
{
	ck_assert_int_eq(log_get_level(), LOG_WARN);
	CAPTURE(log_err("disk %d", 7));
	ck_assert_str_eq(text, "aerostat: error: disk 7\n");
	CAPTURE(log_warn("careful"));
	ck_assert_str_eq(text, "aerostat: warn: careful\n");
	CAPTURE(log_info("chatty"));
	ck_assert_str_eq(text, "");
	log_set_level(LOG_DEBUG);
	CAPTURE(log_debug("%s", "all"));
	ck_assert_str_eq(text, "aerostat: debug: all\n");
	log_set_level(LOG_ERROR);
	CAPTURE(log_warn("quiet"));
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_long_line_is_cut)
{
	char big[1000];

	memset(big, 'y', sizeof(big));
	for (size_t len = 480; len < 520; len++) {
		big[len] = 0;
		CAPTURE(log_err("%s", big));
		ck_assert_uint_le(strlen(text), 512);
		ck_assert_uint_ge(strlen(text), 490);
		ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
		big[len] = 'y';
	}
}
END_TEST

START_TEST(test_stderr_closed)
{
	int saved = dup(STDERR_FILENO);

	close(STDERR_FILENO);
	log_err("nobody hears");
	dup2(saved, STDERR_FILENO);
	close(saved);
}
END_TEST

/* A guest can make us log: nobody may wait for a reader of stderr that has stopped. */
START_TEST(test_full_pipe_drops)
{
	int p[2], saved = dup(STDERR_FILENO);

	ck_assert_int_eq(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	for (int i = 0; i < 10000; i++)
		log_err("line %d", i);
	dup2(saved, STDERR_FILENO);
	ck_assert_int_gt(read(p[0], text, sizeof(text)), 0);
	ck_assert_int_eq(strncmp(text, "aerostat: error: line 0\n", 24), 0);
	close(p[0]);
	close(p[1]);
	close(saved);
}
END_TEST

START_TEST(test_limit)
{
	struct log_limit l = {0};
	uint64_t t = 5000;
	unsigned passed = 0;

	for (int i = 0; i < 100; i++)
		passed += log_limit_ok(&l, t + (uint64_t)i);
	ck_assert_uint_eq(passed, LOG_BURST);
	ck_assert(!log_limit_ok(&l, t + 999999999));
	for (int i = 0; i < LOG_BURST; i++)
		ck_assert(log_limit_ok(&l, t + 1000000000));
	ck_assert(!log_limit_ok(&l, t + 1000000000));
	ck_assert(!log_limit_ok(&l, t + 1999999999));
	ck_assert(log_limit_ok(&l, t + 2000000000));
}
END_TEST

UNIT_MAIN("log", test_levels, test_long_line_is_cut, test_stderr_closed, test_full_pipe_drops,
	  test_limit)
