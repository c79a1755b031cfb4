// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/initrd.h"

#include <assert.h>
#include <errno.h>

#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/ram.h"
#include "vmm/base/size.h"

/* The highest page-aligned gpa for len bytes inside [from, to). */
static bool fit_high(uint64_t from, uint64_t to, uint64_t len, uint64_t *gpa)
{
	if (to < from || len > to - from)
		return false;
	*gpa = (to - len) & ~(GMEM_PAGE_SIZE - 1);
	return *gpa >= from;
}

int initrd_place(const struct image *img, const struct gmem *mem, uint64_t start, uint64_t end,
		 uint64_t limit, uint64_t *gpa, struct err *err)
{
	uint64_t low_end = ram_low_end(mem);
	char size[SIZE_TEXT], room[SIZE_TEXT];

	assert(limit <= low_end);
	if (fit_high(end, limit, img->size, gpa) ||
	    fit_high(X86_HIGH_RAM_START, start < limit ? start : limit, img->size, gpa))
		return 0;
	/* More -m helps only when the end of RAM is what limits us. */
	if (limit == low_end && low_end < X86_HOLE_START)
		return image_fail(img, -EFBIG, err,
				  "%s do not fit beside the kernel in %s of memory (-m)",
				  size_format(img->size, size), size_format(low_end, room));
	return image_fail(img, -EFBIG, err,
			  "%s do not fit beside the kernel below %s, where it has to be",
			  size_format(img->size, size), size_format(limit, room));
}
