/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the control layer share: a runtime directory of their own, JSON to compare.
 */
#ifndef AEROSTAT_TESTS_CTL_FIXTURE_H
#define AEROSTAT_TESTS_CTL_FIXTURE_H

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/ctl/rundir.h"

/* A fresh empty directory in *d, and in $AEROSTAT_RUNTIME_DIR. */
static inline void ctl_fixture_setup(struct rundir *d)
{
	struct err err;
	char dir[] = "/tmp/aerostat-test.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("AEROSTAT_RUNTIME_DIR", dir, 1);
	ck_assert_msg(!rundir_open(d, true, &err), "%s", err.msg);
}

/* Fails when something was left behind. */
static inline void ctl_fixture_teardown(const struct rundir *d)
{
	ck_assert_msg(!rmdir(d->path), "%s is not empty", d->path);
}

/* Is the document (reference taken) the same as the one in text? */
#define assert_json(got, text) assert_json_at(got, text, __FILE__, __LINE__)

static inline void assert_json_at(json_t *got, const char *text, const char *file, int line)
{
	json_t *want = json_loads(text, JSON_DECODE_ANY, NULL);
	char *shown = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;

	ck_assert_msg(want != NULL, "%s:%d: bad expectation: %s", file, line, text);
	ck_assert_msg(json_equal(got, want), "%s:%d: got %s, not %s", file, line,
		      shown ? shown : "nothing", text);
	free(shown);
	json_decref(want);
	json_decref(got);
}

#endif
