/* SPDX-License-Identifier: Apache-2.0 */
/* Small synthetic "Image" kernels, plain and in gzip, for tests of what loads them. */
#ifndef AEROSTAT_TESTS_IMAGES_H
#define AEROSTAT_TESTS_IMAGES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "vmm/arch/kimage/kimage.h"
#include "vmm/base/fd.h"
#include "vmm/base/size.h"

#define IMAGES_CODE 100000 /* more than any buffer on the way */

struct images_kernel {
	struct kimage_header h;
	uint8_t code[IMAGES_CODE];
};

static inline void images_kernel(struct images_kernel *k)
{
	uint32_t v = 1;

	memset(k, 0, sizeof(*k));
	k->h = (struct kimage_header){.image_size = MIB, .magic = KIMAGE_ARM64};
	/* Half of it compresses well, half doesn't. */
	for (size_t i = 0; i < sizeof(k->code); i++) {
		v = v * 1103515245 + 12345;
		k->code[i] = i % 2048 < 1024 ? 0x55 : (uint8_t)(v >> 16);
	}
}

static inline int images_file(const void *data, size_t len)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	if (fd < 0 || fd_write_full(fd, data, len))
		abort();
	return fd;
}

/* Into out, of cap bytes; returns how many. */
static inline size_t images_gzip(const void *data, size_t len, void *out, size_t cap)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)data,
		      .avail_in = (uInt)len,
		      .next_out = out,
		      .avail_out = (uInt)cap};

	if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	deflateEnd(&z);
	return cap - z.avail_out;
}

#endif
