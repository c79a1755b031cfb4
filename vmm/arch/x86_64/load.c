// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/image.h"
#include "vmm/arch/x86_64/acpi.h"
#include "vmm/arch/x86_64/bzimage.h"
#include "vmm/arch/x86_64/elf.h"
#include "vmm/arch/x86_64/initrd.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/pvh.h"
#include "vmm/arch/x86_64/ram.h"
#include "vmm/config/vm_config.h"

_Static_assert(X86_CMDLINE_GPA + VM_CMDLINE_MAX < X86_LOW_RAM_END, "room for a command line");

/* A kernel that was checked and given a place, but not read yet. */
struct kernel {
	struct image img;
	bool pvh;
	union {
		struct bzimage bz;
		struct elf_kernel elf;
	};
	uint64_t start, end;   /* gpa */
	uint64_t initrd_limit; /* gpa that the initrd must not reach */
	uint32_t cmdline_max;  /* bytes without the NUL */
};

static int parse_bzimage(struct kernel *k, const uint8_t *head, size_t len, uint64_t low_end,
			 struct err *err)
{
	const struct setup_header *h = &k->bz.hdr;
	int rc = bzimage_parse(&k->img, head, len, low_end, &k->bz, err);

	if (rc)
		return rc;
	k->pvh = false;
	k->start = k->bz.start;
	k->end = k->bz.end;
	k->initrd_limit = h->initrd_addr_max < low_end ? h->initrd_addr_max + 1ull : low_end;
	k->cmdline_max = h->cmdline_size < VM_CMDLINE_MAX ? h->cmdline_size : VM_CMDLINE_MAX;
	return 0;
}

static int parse_elf(struct kernel *k, uint64_t low_end, struct err *err)
{
	int rc = elf_parse(&k->img, low_end, &k->elf, err);

	if (rc)
		return rc;
	k->pvh = true;
	k->start = k->elf.start;
	k->end = k->elf.end;
	k->initrd_limit = low_end;
	k->cmdline_max = VM_CMDLINE_MAX;
	return 0;
}

static int parse_kernel(const struct arch_boot *b, struct kernel *k, struct err *err)
{
	uint64_t low_end = ram_low_end(b->mem);
	uint8_t head[BZIMAGE_PEEK];
	size_t len;
	int rc;

	rc = image_init(&k->img, "kernel", b->kernel_fd, b->kernel_name, err);
	if (rc)
		return rc;
	len = k->img.size < sizeof(head) ? k->img.size : sizeof(head);
	rc = image_read(&k->img, head, len, 0, err);
	if (rc)
		return rc;
	if (bzimage_probe(head, len))
		return parse_bzimage(k, head, len, low_end, err);
	if (elf_probe(head, len))
		return parse_elf(k, low_end, err);
	return image_fail(&k->img, -ENOEXEC, err, "%s, not a bzImage or ELF kernel",
			  image_describe(head, len));
}

static int load_initrd(const struct arch_boot *b, const struct kernel *k, uint64_t *gpa,
		       uint64_t *len, struct err *err)
{
	struct image img;
	int rc;

	*gpa = *len = 0;
	if (b->initrd_fd < 0)
		return 0;
	rc = image_init(&img, "initrd", b->initrd_fd, b->initrd_name, err);
	if (!rc)
		rc = initrd_place(&img, b->mem, k->start, k->end, k->initrd_limit, gpa, err);
	if (!rc)
		rc = image_read(&img, gmem_ptr(b->mem, *gpa, img.size), img.size, 0, err);
	if (!rc)
		*len = img.size;
	return rc;
}

static int load_cmdline(const struct arch_boot *b, const struct kernel *k, struct err *err)
{
	size_t len = strlen(b->cmdline);

	if (len > k->cmdline_max)
		return image_fail(&k->img, -EFBIG, err,
				  "takes a command line of at most %u bytes, --params has %zu",
				  k->cmdline_max, len);
	memcpy(gmem_ptr(b->mem, X86_CMDLINE_GPA, len + 1), b->cmdline, len + 1);
	return 0;
}

int arch_load(const struct arch_boot *b, struct arch_entry *entry, struct err *err)
{
	uint64_t initrd, initrd_len, rsdp;
	struct kernel k;
	int rc;

	rc = parse_kernel(b, &k, err);
	if (!rc)
		rc = load_cmdline(b, &k, err);
	if (!rc)
		rc = load_initrd(b, &k, &initrd, &initrd_len, err);
	if (!rc)
		rc = k.pvh ? elf_load(&k.img, &k.elf, b->mem, err)
			   : bzimage_load(&k.img, &k.bz, b->mem, err);
	if (!rc)
		rc = acpi_build(b->mem, b->cpus, b->virtio_slots, &rsdp, err);
	if (rc)
		return rc;
	if (k.pvh) {
		pvh_write_page(b->mem, initrd, initrd_len, rsdp);
		*entry = (struct arch_entry){true, k.elf.entry, X86_PVH_INFO_GPA};
	} else {
		bzimage_zero_page(&k.bz, b->mem, initrd, initrd_len, rsdp);
		*entry = (struct arch_entry){false, bzimage_entry(&k.bz), X86_ZERO_PAGE_GPA};
	}
	return 0;
}

bool arch_has_dtb(void)
{
	return false;
}

const void *arch_dtb(const struct gmem *mem, const struct arch_entry *entry, size_t *len)
{
	(void)mem;
	(void)entry;
	(void)len;
	return NULL;
}
