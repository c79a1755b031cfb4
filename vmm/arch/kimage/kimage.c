// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/kimage/kimage.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arch/kimage/payload.h"

#define FLAG_BIG_ENDIAN 1u

_Static_assert(sizeof(struct kimage_header) == 64, "as the boot protocols say");

static int check(const struct image *img, uint32_t magic, const char *name, const uint8_t *head,
		 uint64_t len, struct kimage_header *h, struct err *err)
{
	memset(h, 0, sizeof(*h));
	memcpy(h, head, len < sizeof(*h) ? len : sizeof(*h));
	if (h->magic != magic)
		return image_fail(img, -ENOEXEC, err, "%s, not %s kernel (Image or Image.gz)",
				  image_describe(head, len), name);
	if (h->flags & FLAG_BIG_ENDIAN)
		return image_fail(img, -ENOEXEC, err,
				  "a big-endian kernel; only little-endian ones boot here");
	if (!h->image_size)
		return image_fail(img, -ENOEXEC, err,
				  "does not say its size; Linux 3.17 and later do");
	return 0;
}

/* The end of the RAM that `gpa` is in. */
static uint64_t ram_end(const struct gmem *mem, uint64_t gpa)
{
	const struct gmem_region *r = mem->region;

	while (gpa - r->gpa >= r->len)
		r++;
	return r->gpa + r->len;
}

/* The rest of the stream to where its first bytes, which are read already, belong. */
static int fill(struct payload *p, const struct gmem *mem, const uint8_t *head,
		uint64_t head_len, const struct kimage *k, uint64_t top, uint64_t *len,
		struct err *err)
{
	uint8_t *to = gmem_ptr(mem, k->start, top - k->start);
	uint64_t got;
	int rc;

	assert(to && top - k->start >= head_len);
	memcpy(to, head, head_len);
	rc = payload_read(p, to + head_len, top - k->start - head_len, &got, err);
	*len = head_len + got;
	return rc;
}

static int load(struct payload *p, uint32_t magic, const char *name, const struct gmem *mem,
		uint64_t from, struct kimage *k, struct err *err)
{
	const uint64_t top = ram_end(mem, from);
	uint8_t head[IMAGE_PEEK], more;
	struct kimage_header h;
	uint64_t head_len, len, got;
	int rc;

	rc = payload_read(p, head, sizeof(head), &head_len, err);
	if (!rc)
		rc = check(p->img, magic, name, head, head_len, &h, err);
	if (rc)
		return rc;
	if (__builtin_add_overflow(from, h.text_offset, &k->start) ||
	    __builtin_add_overflow(k->start, h.image_size, &k->end))
		k->end = UINT64_MAX;
	if (k->end > top || k->start < from || top - k->start < head_len)
		return image_too_big(p->img, k->end - from, top - from, true, err);
	rc = fill(p, mem, head, head_len, k, top, &len, err);
	if (rc)
		return rc;
	rc = payload_read(p, &more, 1, &got, err);
	if (rc)
		return rc;
	if (got)
		return image_too_big(p->img, top - from + 1, top - from, true, err);
	/* A signature behind the kernel, say: it is loaded, so it takes part in the place. */
	if (k->start + len > k->end)
		k->end = k->start + len;
	return 0;
}

int kimage_load(const struct image *img, uint32_t magic, const char *name,
		const struct gmem *mem, uint64_t from, struct kimage *k, struct err *err)
{
	struct payload *p = calloc(1, sizeof(*p));
	int rc;

	assert(!(from % KIMAGE_ALIGN));
	if (!p)
		return err_sys(err, -ENOMEM, "cannot read the kernel");
	rc = payload_open(p, img, err);
	if (!rc)
		rc = load(p, magic, name, mem, from, k, err);
	payload_close(p);
	free(p);
	return rc;
}
