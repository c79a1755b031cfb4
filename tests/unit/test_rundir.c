// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/unit/ctl_fixture.h"
#include "tests/unit/unit.h"

static void make_socket(const struct rundir *d, const char *file)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.80s/%s", d->path, file);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
}

static void remove_in(const struct rundir *d, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", d->path, file);
	ck_assert_int_eq(remove(path), 0);
}

struct names {
	char text[256];
	int stop_at; /* the call that returns 7 */
};

static int collect(void *opaque, const char *name)
{
	struct names *n = opaque;

	strcat(n->text, name);
	strcat(n->text, " ");
	return n->stop_at && --n->stop_at == 0 ? 7 : 0;
}

START_TEST(test_made_private_and_found_again)
{
	char dir[] = "/tmp/aerostat-test.XXXXXX";
	char sub[64];
	struct rundir d;
	struct stat st;
	struct err err;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/run//", dir);
	setenv("AEROSTAT_RUNTIME_DIR", sub, 1);

	ck_assert_int_eq(rundir_open(&d, false, &err), 0);
	ck_assert_int_eq(stat(sub, &st), -1);

	umask(0);
	ck_assert_int_eq(rundir_open(&d, true, &err), 0);
	ck_assert_int_eq(stat(sub, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert_int_ne(d.path[strlen(d.path) - 1], '/');
	ck_assert_int_eq(rundir_open(&d, true, &err), 0);
	rmdir(sub);
	rmdir(dir);
}
END_TEST

START_TEST(test_refuses_what_is_not_private)
{
	struct rundir d;
	struct err err;
	char other[80];

	ctl_fixture_setup(&d);
	for (mode_t bit = 01; bit <= 040; bit <<= 1) {
		chmod(d.path, 0700 | bit);
		ck_assert_int_eq(rundir_open(&d, false, &err), -EPERM);
		ck_assert_ptr_nonnull(strstr(err.msg, d.path));
	}
	chmod(d.path, 0700);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(d.path, 4242, -1), 0);
		ck_assert_int_eq(rundir_open(&d, true, &err), -EPERM);
		ck_assert_ptr_nonnull(strstr(err.msg, "4242"));
		ck_assert_int_eq(chown(d.path, 0, -1), 0);
	}

	/* A link to a directory that would be fine, and a file. */
	snprintf(other, sizeof(other), "%.60s.x", d.path);
	ck_assert_int_eq(symlink(d.path, other), 0);
	setenv("AEROSTAT_RUNTIME_DIR", other, 1);
	ck_assert_int_lt(rundir_open(&d, true, &err), 0);
	unlink(other);
	close(open(other, O_CREAT | O_WRONLY, 0700));
	ck_assert_int_eq(rundir_open(&d, true, &err), -ENOTDIR);
	unlink(other);
	other[strlen(other) - 2] = '\0';
	rmdir(other);
}
END_TEST

START_TEST(test_choice_by_environment)
{
	struct rundir d;
	struct err err;
	char dir[] = "/tmp/aerostat-test.XXXXXX";
	char want[64];
	char longer[200];

	setenv("AEROSTAT_RUNTIME_DIR", "relative/dir", 1);
	ck_assert_int_eq(rundir_open(&d, false, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "AEROSTAT_RUNTIME_DIR"));

	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	setenv("AEROSTAT_RUNTIME_DIR", longer, 1);
	ck_assert_int_eq(rundir_open(&d, false, &err), -ENAMETOOLONG);

	/* Empty is as good as unset. */
	setenv("AEROSTAT_RUNTIME_DIR", "", 1);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("XDG_RUNTIME_DIR", dir, 1);
	if (geteuid() == 0) {
		rmdir(dir);
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
		dir[0] = '/';
	}
	rundir_open(&d, false, &err);
	snprintf(want, sizeof(want), "%s/aerostat", dir);
	ck_assert_str_eq(d.path, want);
	setenv("XDG_RUNTIME_DIR", "not/absolute", 1);
	rundir_open(&d, false, &err);
	snprintf(want, sizeof(want), "/tmp/aerostat-%u", geteuid());
	ck_assert_str_eq(d.path, want);
	rmdir(dir);
}
END_TEST

START_TEST(test_socket_paths)
{
	struct rundir d = {.path = "/run/aerostat"};
	char out[RUNDIR_PATH_MAX];
	struct err err;

	ck_assert_int_eq(rundir_socket(&d, "db-1", out, &err), 0);
	ck_assert_str_eq(out, "/run/aerostat/db-1.sock");

	/* 107 bytes fit, 108 don't: "/" + "x" + ".sock" is 7. */
	memset(d.path, 'p', 100);
	d.path[0] = '/';
	d.path[100] = '\0';
	ck_assert_int_eq(rundir_socket(&d, "x", out, &err), 0);
	ck_assert_uint_eq(strlen(out), 107);
	ck_assert_int_eq(rundir_socket(&d, "xy", out, &err), -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(err.msg, "107"));
}
END_TEST

START_TEST(test_each_in_order)
{
	struct names n = {{0}, 0}, stopped = {{0}, 2};
	struct rundir d;
	struct err err;
	char path[256];

	ctl_fixture_setup(&d);
	ck_assert_int_eq(rundir_each(&d, collect, &n, &err), 0);
	ck_assert_str_eq(n.text, "");
	make_socket(&d, "b.sock");
	make_socket(&d, "a.sock.sock");
	make_socket(&d, "B.sock");
	make_socket(&d, ".sock");
	make_socket(&d, ".hidden.sock");
	make_socket(&d, "b.txt");
	snprintf(path, sizeof(path), "%s/file.sock", d.path);
	close(open(path, O_CREAT | O_WRONLY, 0600));

	ck_assert_int_eq(rundir_each(&d, collect, &n, &err), 0);
	ck_assert_str_eq(n.text, "B a.sock b ");
	ck_assert_int_eq(rundir_each(&d, collect, &stopped, &err), 7);
	ck_assert_str_eq(stopped.text, "B a.sock ");

	remove_in(&d, "b.sock");
	remove_in(&d, "a.sock.sock");
	remove_in(&d, "B.sock");
	remove_in(&d, ".sock");
	remove_in(&d, ".hidden.sock");
	remove_in(&d, "b.txt");
	remove_in(&d, "file.sock");
	ctl_fixture_teardown(&d);

	n.text[0] = '\0';
	ck_assert_int_eq(rundir_each(&d, collect, &n, &err), 0);
	ck_assert_str_eq(n.text, "");
}
END_TEST

UNIT_MAIN("rundir", test_made_private_and_found_again, test_refuses_what_is_not_private,
	  test_choice_by_environment, test_socket_paths, test_each_in_order)
