// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/kimage/boot.h"

#include <assert.h>
#include <errno.h>

#include "vmm/base/size.h"

static int load_kernel(const struct arch_boot *b, uint32_t magic, const char *name,
		       uint64_t tree_max, struct kimage_boot *out, struct err *err)
{
	const struct gmem_region *ram = &b->mem->region[0];
	struct image img;
	int rc = image_init(&img, "kernel", b->kernel_fd, b->kernel_name, err);

	if (!rc)
		rc = kimage_load(&img, magic, name, b->mem, ram->gpa, &out->kernel, err);
	if (rc)
		return rc;
	out->dtb = (out->kernel.end + KIMAGE_ALIGN - 1) & ~(KIMAGE_ALIGN - 1);
	out->initrd = out->dtb + tree_max;
	if (out->initrd > ram->gpa + ram->len)
		return image_too_big(&img, out->initrd - ram->gpa, ram->len, true, err);
	return 0;
}

static int load_initrd(const struct arch_boot *b, struct kimage_boot *out, struct err *err)
{
	const struct gmem_region *ram = &b->mem->region[0];
	uint64_t room = ram->gpa + ram->len - out->initrd;
	char size[SIZE_TEXT], has[SIZE_TEXT];
	struct image img;
	int rc;

	if (b->initrd_fd < 0)
		return 0;
	rc = image_init(&img, "initrd", b->initrd_fd, b->initrd_name, err);
	if (rc)
		return rc;
	if (img.size > room)
		return image_fail(&img, -EFBIG, err,
				  "%s do not fit behind the kernel in %s of memory (-m)",
				  size_format(img.size, size), size_format(ram->len, has));
	out->initrd_len = img.size;
	return image_read(&img, gmem_ptr(b->mem, out->initrd, img.size), img.size, 0, err);
}

int kimage_boot_load(const struct arch_boot *b, uint32_t magic, const char *name,
		     uint64_t tree_max, struct kimage_boot *out, struct err *err)
{
	int rc;

	assert(tree_max <= KIMAGE_ALIGN);
	*out = (struct kimage_boot){0};
	rc = load_kernel(b, magic, name, tree_max, out, err);
	return rc ? rc : load_initrd(b, out, err);
}
