// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/bzimage.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "vmm/arch/x86_64/e820.h"
#include "vmm/arch/x86_64/layout.h"

#define BOOT_FLAG    0xaa55
#define HDR_MAGIC    0x53726448 /* "HdrS" */
#define PROTO_MIN    0x020c
#define ENTRY_OFF    0x200 /* of the 64-bit entry from the load address */
#define LOADER_OTHER 0xff
#define VID_NORMAL   0xffff

_Static_assert(sizeof(struct boot_params) == 4096, "the zero page is a page");

bool bzimage_probe(const uint8_t *head, size_t len)
{
	struct setup_header h;

	if (len < BZIMAGE_HDR_OFF + sizeof(h))
		return false;
	memcpy(&h, head + BZIMAGE_HDR_OFF, sizeof(h));
	return h.boot_flag == BOOT_FLAG && h.header == HDR_MAGIC;
}

/* Copy the setup header, whose length is the reach of its first jump. */
static int copy_header(const struct image *img, const uint8_t *head, size_t len,
		       struct bzimage *bz, struct err *err)
{
	/* The second byte of the jump, counted from the byte after it. */
	const size_t jump_end = BZIMAGE_HDR_OFF + offsetof(struct setup_header, header);
	const size_t need = BZIMAGE_HDR_OFF + offsetof(struct setup_header, handover_offset);
	size_t end = jump_end + head[jump_end - 1];

	if (end < need)
		return image_fail(img, -ENOEXEC, err,
				  "its setup header ends at byte %zu, before %zu", end, need);
	if (end > len)
		end = len;
	memcpy(bz->raw, head + BZIMAGE_HDR_OFF, end - BZIMAGE_HDR_OFF);
	return 0;
}

static int check_protocol(const struct image *img, const struct setup_header *h,
			  struct err *err)
{
	if (h->version < PROTO_MIN)
		return image_fail(
			img, -ENOEXEC, err,
			"boot protocol %u.%02u is too old, 2.12 is needed (Linux 3.8)",
			h->version >> 8, h->version & 0xff);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return image_fail(img, -ENOEXEC, err,
				  "a 32-bit kernel; only 64-bit kernels boot here");
	if (!(h->loadflags & LOADED_HIGH))
		return image_fail(img, -ENOEXEC, err, "a zImage, not a bzImage");
	return 0;
}

/* Where the 64-bit kernel lies in the file. A signature may follow it, which nobody needs. */
static int find_payload(const struct image *img, struct bzimage *bz, struct err *err)
{
	unsigned sects = bz->hdr.setup_sects ? bz->hdr.setup_sects : 4;

	bz->off = (sects + 1) * 512ull;
	bz->len = bz->hdr.syssize * 16ull;
	if (!image_has(img, bz->off, bz->len))
		return image_fail(img, -ENOEXEC, err, "cut off, %llu of %llu bytes are there",
				  (unsigned long long)img->size,
				  (unsigned long long)(bz->off + bz->len));
	if (bz->len <= ENTRY_OFF)
		return image_fail(img, -ENOEXEC, err,
				  "its %llu bytes of code can't be a kernel",
				  (unsigned long long)bz->len);
	return 0;
}

/*
 * A relocatable kernel loaded below pref_address moves itself up to it, so a lower place would
 * not make it need less RAM. It also aligns itself; we load it where it will run.
 */
static int place(const struct image *img, uint64_t low_end, struct bzimage *bz, struct err *err)
{
	const struct setup_header *h = &bz->hdr;
	uint64_t size = h->init_size > bz->len ? h->init_size : bz->len;
	uint64_t start = h->pref_address, align = h->kernel_alignment;

	if (h->relocatable_kernel) {
		if (!align || align & (align - 1))
			return image_fail(img, -ENOEXEC, err,
					  "alignment %#llx is no power of two",
					  (unsigned long long)align);
		if (start < X86_HIGH_RAM_START)
			start = X86_HIGH_RAM_START;
		if (start < low_end)
			start = (start + align - 1) & ~(align - 1);
	} else if (start < X86_HIGH_RAM_START) {
		return image_fail(img, -ENOEXEC, err,
				  "wants to be loaded at %#llx, below 1 MiB",
				  (unsigned long long)start);
	}
	if (__builtin_add_overflow(start, size, &bz->end))
		bz->end = UINT64_MAX;
	if (bz->end > low_end)
		return image_too_big(img, bz->end, low_end, low_end < X86_HOLE_START, err);
	bz->start = start;
	return 0;
}

int bzimage_parse(const struct image *img, const uint8_t *head, size_t len, uint64_t low_end,
		  struct bzimage *bz, struct err *err)
{
	int rc;

	assert(bzimage_probe(head, len) && len <= BZIMAGE_PEEK);
	memset(bz, 0, sizeof(*bz));
	rc = copy_header(img, head, len, bz, err);
	if (!rc)
		rc = check_protocol(img, &bz->hdr, err);
	if (!rc)
		rc = find_payload(img, bz, err);
	if (!rc)
		rc = place(img, low_end, bz, err);
	return rc;
}

int bzimage_load(const struct image *img, const struct bzimage *bz, const struct gmem *mem,
		 struct err *err)
{
	void *p = gmem_ptr(mem, bz->start, bz->len);

	assert(p);
	return image_read(img, p, bz->len, bz->off, err);
}

uint64_t bzimage_entry(const struct bzimage *bz)
{
	return bz->start + ENTRY_OFF;
}

void bzimage_zero_page(const struct bzimage *bz, const struct gmem *mem, uint64_t initrd,
		       uint64_t initrd_len, uint64_t rsdp)
{
	struct boot_params *bp = gmem_ptr(mem, X86_ZERO_PAGE_GPA, sizeof(*bp));
	struct e820_range map[E820_MAX];
	unsigned n = e820_build(mem, map);

	assert(bp);
	memset(bp, 0, sizeof(*bp));
	memcpy((uint8_t *)bp + BZIMAGE_HDR_OFF, bz->raw, sizeof(bz->raw));
	bp->hdr.vid_mode = VID_NORMAL;
	bp->hdr.type_of_loader = LOADER_OTHER;
	bp->hdr.loadflags = LOADED_HIGH;
	bp->hdr.code32_start = (uint32_t)bz->start;
	bp->hdr.cmd_line_ptr = (uint32_t)X86_CMDLINE_GPA;
	bp->hdr.ramdisk_image = initrd_len ? (uint32_t)initrd : 0;
	bp->hdr.ramdisk_size = (uint32_t)initrd_len;
	bp->hdr.setup_data = 0;
	bp->acpi_rsdp_addr = rsdp;
	for (unsigned i = 0; i < n; i++)
		bp->e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].addr, .size = map[i].len, .type = map[i].type};
	bp->e820_entries = (uint8_t)n;
}
