// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/kimage/payload.h"

#include <errno.h>
#include <string.h>

#define GZIP_ONLY (16 + MAX_WBITS) /* zlib.h, inflateInit2() */
/* Inflate in steps that fit zlib's 32-bit counters. */
#define STEP_MAX (1u << 30)

int payload_open(struct payload *p, const struct image *img, struct err *err)
{
	uint8_t magic[2] = {0};
	int rc;

	memset(p, 0, sizeof(*p));
	p->img = img;
	rc = image_has(img, 0, sizeof(magic)) ? image_read(img, magic, sizeof(magic), 0, err)
					      : 0;
	if (rc || magic[0] != 0x1f || magic[1] != 0x8b)
		return rc;
	if (inflateInit2(&p->z, GZIP_ONLY) != Z_OK)
		return err_sys(err, -ENOMEM, "cannot inflate the kernel");
	p->gzip = true;
	return 0;
}

void payload_close(struct payload *p)
{
	if (p->gzip)
		inflateEnd(&p->z);
	p->gzip = false;
}

static int read_plain(struct payload *p, void *buf, uint64_t len, uint64_t *got,
		      struct err *err)
{
	uint64_t left = p->img->size - p->off;
	int rc;

	*got = len < left ? len : left;
	rc = image_read(p->img, buf, *got, p->off, err);
	p->off += *got;
	return rc;
}

static int refill(struct payload *p, struct err *err)
{
	uint64_t left = p->img->size - p->off;
	uint64_t n = left < sizeof(p->in) ? left : sizeof(p->in);
	int rc;

	if (!n)
		return image_fail(p->img, -ENOEXEC, err, "cut off, its gzip data has no end");
	rc = image_read(p->img, p->in, n, p->off, err);
	p->off += n;
	p->z.next_in = p->in;
	p->z.avail_in = (uInt)n;
	return rc;
}

int payload_read(struct payload *p, void *buf, uint64_t len, uint64_t *got, struct err *err)
{
	uint64_t done = 0;

	if (!p->gzip)
		return read_plain(p, buf, len, got, err);
	while (done < len && !p->ended) {
		uint64_t step = len - done < STEP_MAX ? len - done : STEP_MAX;
		int rc = p->z.avail_in ? 0 : refill(p, err);

		if (rc)
			return rc;
		p->z.next_out = (uint8_t *)buf + done;
		p->z.avail_out = (uInt)step;
		rc = inflate(&p->z, Z_NO_FLUSH);
		done += step - p->z.avail_out;
		p->ended = rc == Z_STREAM_END;
		if (rc == Z_MEM_ERROR)
			return err_sys(err, -ENOMEM, "cannot inflate the kernel");
		/* Z_BUF_ERROR only says that more input is needed. */
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return image_fail(p->img, -ENOEXEC, err, "broken gzip data (%s)",
					  p->z.msg ? p->z.msg : "no reason given");
	}
	*got = done;
	return 0;
}
