// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/image.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "vmm/arch/x86_64/layout.h"
#include "vmm/base/fd.h"
#include "vmm/base/size.h"

int image_fail(const struct image *img, int rc, struct err *err, const char *fmt, ...)
{
	char why[192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(err, rc, "%s '%.100s': %s", img->what, img->name, why);
}

int image_too_big(const struct image *img, uint64_t end, uint64_t low_end, struct err *err)
{
	char need[SIZE_TEXT], has[SIZE_TEXT];

	/* Rounded up: this much as -m must be enough. */
	if (end <= UINT64_MAX - MIB)
		end = (end + MIB - 1) & ~(MIB - 1);
	return image_fail(img, -EFBIG, err,
			  "needs RAM up to %s to start, the guest has it up to %s%s",
			  size_format(end, need), size_format(low_end, has),
			  low_end < X86_HOLE_START ? " (-m)" : "");
}

int image_init(struct image *img, const char *what, int fd, const char *name, struct err *err)
{
	struct stat st;

	*img = (struct image){.what = what, .name = name, .fd = fd};
	if (fstat(fd, &st)) {
		int rc = -errno;

		return err_sys(err, rc, "%s '%.100s'", what, name);
	}
	if (S_ISDIR(st.st_mode))
		return image_fail(img, -ENOEXEC, err, "a directory, not a regular file");
	if (!S_ISREG(st.st_mode))
		return image_fail(img, -ENOEXEC, err, "not a regular file");
	if (!st.st_size)
		return image_fail(img, -ENOEXEC, err, "an empty file");
	img->size = (uint64_t)st.st_size;
	return 0;
}

bool image_has(const struct image *img, uint64_t off, uint64_t len)
{
	return off <= img->size && len <= img->size - off;
}

int image_read(const struct image *img, void *buf, uint64_t len, uint64_t off, struct err *err)
{
	int rc;

	assert(image_has(img, off, len));
	rc = fd_pread_full(img->fd, buf, len, (off_t)off);
	if (rc == -ENODATA)
		return image_fail(img, rc, err, "became shorter while it was read");
	if (rc)
		return err_sys(err, rc, "%s '%.100s': read failed", img->what, img->name);
	return 0;
}
