// SPDX-License-Identifier: Apache-2.0
/*
 * kimage_load() with a file that nobody can trust: the input is XORed onto a valid kernel, or
 * onto the gzip file of one. Guest memory lies between two inaccessible pages.
 */
#include <assert.h>
#include <errno.h>

#include "tests/unit/images.h"

#define BASE  GIB
#define RAM   (2 * MIB)
#define GUARD 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct files {
	struct images_kernel plain;
	uint8_t gzip[sizeof(struct images_kernel)];
	size_t gzip_len;
	struct gmem mem;
	int fd;
};

static void create(struct files *f)
{
	uint8_t *p = mmap(NULL, RAM + 2 * GUARD, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert(p != MAP_FAILED);
	assert(!mprotect(p + GUARD, RAM, PROT_READ | PROT_WRITE));
	f->mem = (struct gmem){
		.region[0] = {.gpa = BASE, .len = RAM, .hva = p + GUARD},
		.nregions = 1,
		.npages = RAM / GMEM_PAGE_SIZE,
	};
	images_kernel(&f->plain);
	f->gzip_len = images_gzip(&f->plain, sizeof(f->plain), f->gzip, sizeof(f->gzip));
	f->fd = memfd_create("kernel", MFD_CLOEXEC);
	assert(f->fd >= 0);
}

/* Byte 0: which file; bytes 1 and 2: how much of it is cut off; the rest is XORed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[sizeof(struct images_kernel)];
	static struct files f;
	struct err err = {0};
	struct image img;
	struct kimage k;
	size_t len, cut;
	int rc;

	if (!f.fd)
		create(&f);
	if (size < 3)
		return 0;
	len = data[0] & 1 ? f.gzip_len : sizeof(f.plain);
	memcpy(bytes, data[0] & 1 ? (const void *)f.gzip : &f.plain, len);
	for (size_t i = 3; i < size && i - 3 < len; i++)
		bytes[i - 3] ^= data[i];
	cut = (size_t)data[1] << 8 | data[2];
	len -= cut < len ? cut : len - 1;
	assert(!ftruncate(f.fd, 0) && pwrite(f.fd, bytes, len, 0) == (ssize_t)len);
	assert(!image_init(&img, "kernel", f.fd, "k", &err));
	rc = kimage_load(&img, KIMAGE_ARM64, "an arm64", &f.mem, BASE, &k, &err);
	assert(rc == 0 || rc == -ENOEXEC || rc == -EFBIG);
	assert(!rc == !err.msg[0] && !strchr(err.msg, '\n'));
	if (!rc)
		assert(k.start >= BASE && k.end > k.start && k.end <= BASE + RAM);
	return 0;
}
