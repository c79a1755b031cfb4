// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/kimage/payload.h"

#include <errno.h>

#include "tests/unit/images.h"
#include "tests/unit/unit.h"

static struct images_kernel k;
static uint8_t zipped[2 * sizeof(k)], out[sizeof(k) + 10];
static struct payload p;
static struct image img;
static struct err err;
static uint64_t got;

static void open_file(const void *data, size_t len)
{
	int fd = images_file(data, len);

	ck_assert_int_eq(image_init(&img, "kernel", fd, "k", &err), 0);
	ck_assert_int_eq(payload_open(&p, &img, &err), 0);
}

static void close_file(void)
{
	payload_close(&p);
	payload_close(&p);
	close(img.fd);
}

/* In pieces of `step`, and then there is no more. */
static void expect_all(uint64_t step)
{
	uint64_t at = 0;

	memset(out, 0, sizeof(out));
	do {
		uint64_t room = sizeof(out) - at < step ? sizeof(out) - at : step;

		ck_assert_msg(!payload_read(&p, out + at, room, &got, &err), "%s", err.msg);
		ck_assert_uint_le(got, room);
		at += got;
	} while (got == step);
	ck_assert_uint_eq(at, sizeof(k));
	ck_assert_mem_eq(out, &k, sizeof(k));
	ck_assert_int_eq(payload_read(&p, out, 5, &got, &err), 0);
	ck_assert_uint_eq(got, 0);
}

START_TEST(plain_and_gzip_give_the_same)
{
	static const uint64_t steps[] = {sizeof(out), 16384, 1000, 7};
	size_t len;

	images_kernel(&k);
	len = images_gzip(&k, sizeof(k), zipped, sizeof(zipped));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		open_file(&k, sizeof(k));
		ck_assert(!p.gzip);
		expect_all(steps[i]);
		close_file();
		open_file(zipped, len);
		ck_assert(p.gzip);
		expect_all(steps[i]);
		close_file();
	}
}
END_TEST

START_TEST(no_more_comes_out_than_was_asked_for)
{
	size_t len;

	images_kernel(&k);
	len = images_gzip(&k, sizeof(k), zipped, sizeof(zipped));
	open_file(zipped, len);
	memset(out, 0xee, sizeof(out));
	ck_assert_int_eq(payload_read(&p, out, 1000, &got, &err), 0);
	ck_assert_uint_eq(got, 1000);
	ck_assert_uint_eq(out[1000], 0xee);
	close_file();
}
END_TEST

START_TEST(broken_gzip)
{
	size_t len;

	images_kernel(&k);
	len = images_gzip(&k, sizeof(k), zipped, sizeof(zipped));
	open_file(zipped, len / 2);
	ck_assert_int_eq(payload_read(&p, out, sizeof(out), &got, &err), -ENOEXEC);
	ck_assert_str_eq(err.msg, "kernel 'k': cut off, its gzip data has no end");
	close_file();
	open_file(zipped, 5);
	ck_assert_int_eq(payload_read(&p, out, 1, &got, &err), -ENOEXEC);
	close_file();
	memset(zipped + 10, 0xff, 100);
	open_file(zipped, len);
	ck_assert_int_eq(payload_read(&p, out, sizeof(out), &got, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.msg, "broken gzip data"));
	close_file();
	/* The checksum at the end. */
	len = images_gzip(&k, sizeof(k), zipped, sizeof(zipped));
	zipped[len - 8] ^= 1;
	open_file(zipped, len);
	ck_assert_int_eq(payload_read(&p, out, sizeof(out), &got, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.msg, "incorrect data check"));
	close_file();
}
END_TEST

START_TEST(one_byte_is_a_file_too)
{
	open_file("\x1f", 1);
	ck_assert_int_eq(payload_read(&p, out, 10, &got, &err), 0);
	ck_assert_uint_eq(got, 1);
	close_file();
}
END_TEST

UNIT_MAIN("payload", plain_and_gzip_give_the_same, no_more_comes_out_than_was_asked_for,
	  broken_gzip, one_byte_is_a_file_too)
