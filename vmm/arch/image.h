/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is loaded into the guest: a kernel or an initrd. Its contents are untrusted and
 * may change while it is read; what goes to guest memory goes there directly, without a copy
 * in the monitor. All errors are one line that begins with the file.
 */
#ifndef AEROSTAT_ARCH_IMAGE_H
#define AEROSTAT_ARCH_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"

struct image {
	const char *what; /* "kernel", "initrd" */
	const char *name;
	int fd;
	uint64_t size; /* bytes, not 0 */
};

/* Look at an open file. -ENOEXEC unless it is a regular file with something in it. */
int image_init(struct image *img, const char *what, int fd, const char *name, struct err *err);

/* Read [off, off + len), which must lie inside img->size (asserted). */
int image_read(const struct image *img, void *buf, uint64_t len, uint64_t off, struct err *err);

/* Does [off, off + len) lie inside the file? Any values. */
bool image_has(const struct image *img, uint64_t off, uint64_t len);

/* "kernel 'name': <message>" into *err; returns rc. A very long name is cut, not the message.
 */
int image_fail(const struct image *img, int rc, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * image_fail() with -EFBIG: the kernel reaches up to gpa end, the RAM where it can be only to
 * ram_end. more: with more RAM that would be higher.
 */
int image_too_big(const struct image *img, uint64_t end, uint64_t ram_end, bool more,
		  struct err *err);

#define IMAGE_PEEK 1024
/* What is this file, of which the first bytes (IMAGE_PEEK or all) are head? For messages. */
const char *image_describe(const uint8_t *head, size_t len);

#endif
