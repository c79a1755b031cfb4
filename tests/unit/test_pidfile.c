// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/cli/pidfile.h"

static char dir[32];
static struct pidfile p;
static struct err err;

static void enter(void)
{
	snprintf(dir, sizeof(dir), "/tmp/pf-%d", (int)getpid());
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(chdir(dir), 0);
}

static unsigned files(void)
{
	DIR *d = opendir(".");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2; /* . and .. */
}

static void leave(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	fputs(text, f);
	fclose(f);
}

START_TEST(it_holds_the_pid_and_goes)
{
	char text[32] = "", want[32];
	FILE *f;

	enter();
	ck_assert_int_eq(pidfile_create(&p, "pid", &err), 0);
	f = fopen("pid", "r");
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	ck_assert_str_eq(text, want);
	ck_assert_uint_eq(files(), 1);
	pidfile_remove(&p);
	ck_assert_uint_eq(files(), 0);
	pidfile_remove(&p);
	leave();
}
END_TEST

START_TEST(an_old_one_is_replaced)
{
	enter();
	write_file("pid", "999999\n");
	ck_assert_int_eq(pidfile_create(&p, "pid", &err), 0);
	ck_assert_uint_eq(files(), 1);
	pidfile_remove(&p);
	ck_assert_uint_eq(files(), 0);
	leave();
}
END_TEST

START_TEST(someone_elses_stays)
{
	enter();
	ck_assert_int_eq(pidfile_create(&p, "pid", &err), 0);
	write_file("other", "1\n");
	ck_assert_int_eq(rename("other", "pid"), 0);
	pidfile_remove(&p);
	ck_assert_uint_eq(files(), 1);
	ck_assert_int_eq(unlink("pid"), 0);
	leave();
}
END_TEST

START_TEST(failures_change_nothing)
{
	enter();
	ck_assert_int_eq(pidfile_create(&p, "no/pid", &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "--pidfile 'no/pid'"));
	ck_assert_ptr_null(p.path);
	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(pidfile_create(&p, "d", &err), -EEXIST);
	ck_assert_int_eq(rmdir("d"), 0);
	ck_assert_int_eq(symlink("/dev/null", "l"), 0);
	ck_assert_int_eq(pidfile_create(&p, "l", &err), -EEXIST);
	ck_assert_ptr_null(p.path);
	ck_assert_int_eq(unlink("l"), 0);
	ck_assert_uint_eq(files(), 0);
	pidfile_remove(&p);
	leave();
}
END_TEST

UNIT_MAIN("pidfile", it_holds_the_pid_and_goes, an_old_one_is_replaced, someone_elses_stays,
	  failures_change_nothing)
