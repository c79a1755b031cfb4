// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/image.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

int image_too_big(const struct image *img, uint64_t end, uint64_t ram_end, bool more,
		  struct err *err)
{
	char need[SIZE_TEXT], has[SIZE_TEXT];

	/* Rounded up: this much as -m must be enough. */
	if (end <= UINT64_MAX - MIB)
		end = (end + MIB - 1) & ~(MIB - 1);
	return image_fail(
		img, -EFBIG, err, "needs RAM up to %s to start, the guest has it up to %s%s",
		size_format(end, need), size_format(ram_end, has), more ? " (-m)" : "");
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

/* Mostly it is a kernel of another kind, or in another wrapping. */
const char *image_describe(const uint8_t *head, size_t len)
{
	static const struct {
		size_t off, len;
		const char *magic, *text;
	} kinds[] = {
		{0x202, 4, "HdrS", "an x86 bzImage"},
		{0, 4,
		 "\x7f"
		 "ELF",
		 "an ELF file"},
		{0, 2, "\x1f\x8b", "gzip-compressed"},
		{0, 5, "\xfd\x37zXZ", "xz-compressed"},
		{0, 4, "\x28\xb5\x2f\xfd", "zstd-compressed"},
		{0, 3, "BZh", "bzip2-compressed"},
		{0, 4, "\x02\x21\x4c\x18", "lz4-compressed"},
		{4, 4, "zimg", "an EFI zboot image"},
		{56, 4, "ARM\x64", "an arm64 kernel"},
		{56, 4, "RSC\x05", "a riscv64 kernel"},
		{0, 2, "MZ", "an EFI application"},
		{257, 5, "ustar", "a tar archive"},
		{0, 5, "07070", "a cpio archive"},
		{0, 8, "!<arch>\n", "an archive or a Debian package"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].off + kinds[i].len <= len &&
		    !memcmp(head + kinds[i].off, kinds[i].magic, kinds[i].len))
			return kinds[i].text;
	return "no kernel header";
}
