/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel file as a stream of bytes from its beginning, inflated on the way when it is a gzip
 * file (RFC 1952). The file is hostile: what comes out is bounded by what the caller asks for,
 * and what is held by this struct. One thread.
 */
#ifndef AEROSTAT_ARCH_KIMAGE_PAYLOAD_H
#define AEROSTAT_ARCH_KIMAGE_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#include "vmm/arch/image.h"

struct payload {
	const struct image *img;
	uint64_t off; /* in the file: what has not been read */
	bool gzip, ended;
	z_stream z;
	uint8_t in[16384];
};

/* Look at the file's first bytes. 0 or a negative errno with *err. img must outlive it. */
int payload_open(struct payload *p, const struct image *img, struct err *err);
/* Also of one that failed to open, or an all-zero one. */
void payload_close(struct payload *p);

/*
 * The next bytes, len of them, or *got < len at the stream's end. 0; -ENOEXEC: broken gzip
 * data; another negative errno, all with *err.
 */
int payload_read(struct payload *p, void *buf, uint64_t len, uint64_t *got, struct err *err);

#endif
