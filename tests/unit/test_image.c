// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/image.h"

#include <errno.h>
#include <fcntl.h>

#include "tests/unit/kernels.h"
#include "tests/unit/unit.h"

static struct image img;
static struct err err;

START_TEST(regular_file)
{
	int fd = kernels_file("0123456789", 10);
	char buf[4];

	ck_assert_int_eq(image_init(&img, "kernel", fd, "k", &err), 0);
	ck_assert_uint_eq(img.size, 10);
	ck_assert_int_eq(image_read(&img, buf, 4, 6, &err), 0);
	ck_assert_mem_eq(buf, "6789", 4);
	close(fd);
}
END_TEST

START_TEST(not_usable)
{
	int fd, p[2];

	fd = open(".", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(image_init(&img, "kernel", fd, ".", &err), -ENOEXEC);
	ck_assert_str_eq(err.msg, "kernel '.': a directory, not a regular file");
	close(fd);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(image_init(&img, "initrd", p[0], "pipe", &err), -ENOEXEC);
	ck_assert_str_eq(err.msg, "initrd 'pipe': not a regular file");
	close(p[0]);
	close(p[1]);
	fd = kernels_file("", 0);
	ck_assert_int_eq(image_init(&img, "kernel", fd, "k", &err), -ENOEXEC);
	ck_assert_str_eq(err.msg, "kernel 'k': an empty file");
	close(fd);
	ck_assert_int_eq(image_init(&img, "kernel", -1, "k", &err), -EBADF);
	ck_assert_ptr_nonnull(strstr(err.msg, "kernel 'k': "));
}
END_TEST

START_TEST(bounds)
{
	img.size = 100;
	ck_assert(image_has(&img, 0, 100));
	ck_assert(image_has(&img, 100, 0));
	ck_assert(!image_has(&img, 0, 101));
	ck_assert(!image_has(&img, 101, 0));
	ck_assert(!image_has(&img, UINT64_MAX, 2));
	ck_assert(!image_has(&img, 1, UINT64_MAX));
}
END_TEST

START_TEST(file_shrinks)
{
	int fd = kernels_file("0123456789", 10);
	char buf[10];

	ck_assert_int_eq(image_init(&img, "kernel", fd, "k", &err), 0);
	ck_assert_int_eq(ftruncate(fd, 5), 0);
	ck_assert_int_eq(image_read(&img, buf, 10, 0, &err), -ENODATA);
	ck_assert_str_eq(err.msg, "kernel 'k': became shorter while it was read");
	close(fd);
}
END_TEST

START_TEST(long_name_keeps_the_reason)
{
	char name[4000];
	int fd = kernels_file("", 0);

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	ck_assert_int_eq(image_init(&img, "kernel", fd, name, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.msg, "an empty file"));
	close(fd);
}
END_TEST

UNIT_MAIN("image", regular_file, not_usable, bounds, file_shrinks, long_name_keeps_the_reason)
