// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/elf.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "vmm/arch/x86_64/layout.h"

/* Program headers in a file, of all types. */
#define PHDRS_MAX 64

/* Notes of one segment that we look at; a kernel has about half a KiB. */
#define NOTES_MAX 8192

/* XEN_ELFNOTE_PHYS32_ENTRY of Xen's public/elfnote.h. */
#define NOTE_PHYS32_ENTRY 18

/* What we need of Elf32_Ehdr and Elf64_Ehdr, Elf32_Phdr and Elf64_Phdr. */
struct ehdr {
	bool is64;
	uint16_t type, machine;
	uint64_t phoff;
	uint16_t phentsize, phnum;
};

struct phdr {
	uint32_t type;
	uint64_t off, paddr, filesz, memsz, align;
};

bool elf_probe(const uint8_t *head, size_t len)
{
	return len >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

static int read_ehdr(const struct image *img, struct ehdr *h, struct err *err)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr e32;
		Elf64_Ehdr e64;
	} u;
	int rc;

	*h = (struct ehdr){0};
	/* The size of the larger header; an ELF32 kernel with its program headers is longer. */
	if (img->size < sizeof(u))
		return image_fail(img, -ENOEXEC, err, "too short for an ELF kernel");
	rc = image_read(img, &u, sizeof(u), 0, err);
	if (rc)
		return rc;
	if (u.ident[EI_DATA] != ELFDATA2LSB ||
	    (u.ident[EI_CLASS] != ELFCLASS64 && u.ident[EI_CLASS] != ELFCLASS32))
		return image_fail(img, -ENOEXEC, err, "an ELF file, but not for x86");
	if (u.ident[EI_CLASS] == ELFCLASS64)
		*h = (struct ehdr){.is64 = true,
				   .type = u.e64.e_type,
				   .machine = u.e64.e_machine,
				   .phoff = u.e64.e_phoff,
				   .phentsize = u.e64.e_phentsize,
				   .phnum = u.e64.e_phnum};
	else
		*h = (struct ehdr){.is64 = false,
				   .type = u.e32.e_type,
				   .machine = u.e32.e_machine,
				   .phoff = u.e32.e_phoff,
				   .phentsize = u.e32.e_phentsize,
				   .phnum = u.e32.e_phnum};
	return 0;
}

static int check_ehdr(const struct image *img, const struct ehdr *h, struct err *err)
{
	size_t entsize = h->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (h->machine != (h->is64 ? EM_X86_64 : EM_386))
		return image_fail(img, -ENOEXEC, err, "an ELF file for machine %u, not x86-64",
				  h->machine);
	if (h->type != ET_EXEC && h->type != ET_DYN)
		return image_fail(img, -ENOEXEC, err, "an ELF file, but not an executable");
	if (!h->phnum || h->phnum > PHDRS_MAX || h->phentsize != entsize)
		return image_fail(
			img, -ENOEXEC, err,
			"has %u ELF program headers of %u bytes; 1 to %d of %zu are accepted",
			h->phnum, h->phentsize, PHDRS_MAX, entsize);
	if (!image_has(img, h->phoff, h->phnum * entsize))
		return image_fail(img, -ENOEXEC, err, "cut off in its ELF program headers");
	return 0;
}

static int read_phdr(const struct image *img, const struct ehdr *h, unsigned i, struct phdr *p,
		     struct err *err)
{
	Elf32_Phdr e32;
	Elf64_Phdr e64;
	int rc;

	if (h->is64)
		rc = image_read(img, &e64, sizeof(e64), h->phoff + i * sizeof(e64), err);
	else
		rc = image_read(img, &e32, sizeof(e32), h->phoff + i * sizeof(e32), err);
	if (rc)
		return rc;
	if (h->is64)
		*p = (struct phdr){.type = e64.p_type,
				   .off = e64.p_offset,
				   .paddr = e64.p_paddr,
				   .filesz = e64.p_filesz,
				   .memsz = e64.p_memsz,
				   .align = e64.p_align};
	else
		*p = (struct phdr){.type = e32.p_type,
				   .off = e32.p_offset,
				   .paddr = e32.p_paddr,
				   .filesz = e32.p_filesz,
				   .memsz = e32.p_memsz,
				   .align = e32.p_align};
	return 0;
}

static int add_segment(const struct image *img, const struct phdr *p, uint64_t low_end,
		       struct elf_kernel *k, struct err *err)
{
	uint64_t end;

	if (!p->memsz)
		return 0;
	if (k->nsegs == ELF_SEGMENTS_MAX)
		return image_fail(img, -ENOEXEC, err, "has more than %d ELF segments to load",
				  ELF_SEGMENTS_MAX);
	if (p->filesz > p->memsz || __builtin_add_overflow(p->paddr, p->memsz, &end))
		return image_fail(img, -ENOEXEC, err,
				  "ELF segment at %#llx has impossible sizes",
				  (unsigned long long)p->paddr);
	if (!image_has(img, p->off, p->filesz))
		return image_fail(img, -ENOEXEC, err, "cut off in the ELF segment at %#llx",
				  (unsigned long long)p->paddr);
	if (p->paddr < X86_HIGH_RAM_START)
		return image_fail(img, -ENOEXEC, err,
				  "ELF segment at %#llx: the first MiB is not for the kernel",
				  (unsigned long long)p->paddr);
	if (end > low_end)
		return image_too_big(img, end, low_end, low_end < X86_HOLE_START, err);
	for (unsigned i = 0; i < k->nsegs; i++)
		if (p->paddr < k->seg[i].gpa + k->seg[i].memsz && k->seg[i].gpa < end)
			return image_fail(img, -ENOEXEC, err,
					  "ELF segments at %#llx and %#llx overlap",
					  (unsigned long long)k->seg[i].gpa,
					  (unsigned long long)p->paddr);
	k->seg[k->nsegs++] = (struct elf_segment){
		.off = p->off, .filesz = p->filesz, .gpa = p->paddr, .memsz = p->memsz};
	k->start = k->nsegs == 1 || p->paddr < k->start ? p->paddr : k->start;
	k->end = end > k->end ? end : k->end;
	return 0;
}

/* Find the PVH entry in len bytes of notes. Each one is a header, its name, its descriptor. */
static bool find_entry(const uint8_t *notes, uint64_t len, uint64_t align, uint64_t *entry)
{
	uint64_t pad = (align == 8 ? 8 : 4) - 1;
	uint64_t pos = 0;

	while (len - pos >= sizeof(Elf32_Nhdr)) {
		Elf32_Nhdr n;
		uint64_t name = pos + sizeof(n), desc, end;

		memcpy(&n, notes + pos, sizeof(n));
		desc = (name + n.n_namesz + pad) & ~pad;
		end = desc + n.n_descsz;
		if (end > len)
			return false;
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == sizeof("Xen") &&
		    !memcmp(notes + name, "Xen", sizeof("Xen")) &&
		    (n.n_descsz == 4 || n.n_descsz == 8)) {
			*entry = 0;
			memcpy(entry, notes + desc, n.n_descsz);
			return true;
		}
		pos = (end + pad) & ~pad;
		if (pos > len)
			return false;
	}
	return false;
}

static int search_notes(const struct image *img, const struct phdr *p, bool *found,
			uint64_t *entry, struct err *err)
{
	uint8_t notes[NOTES_MAX];
	uint64_t len = p->filesz < sizeof(notes) ? p->filesz : sizeof(notes);
	int rc;

	if (!image_has(img, p->off, p->filesz))
		return image_fail(img, -ENOEXEC, err, "cut off in its ELF notes");
	rc = image_read(img, notes, len, p->off, err);
	if (!rc)
		*found = find_entry(notes, len, p->align, entry);
	return rc;
}

/* Before the segments: that a program has no PVH entry says more than where it is linked to. */
static int read_entry(const struct image *img, const struct ehdr *h, uint64_t *entry,
		      struct err *err)
{
	bool found = false;
	int rc = 0;

	for (unsigned i = 0; !rc && !found && i < h->phnum; i++) {
		struct phdr p;

		rc = read_phdr(img, h, i, &p, err);
		if (!rc && p.type == PT_NOTE)
			rc = search_notes(img, &p, &found, entry, err);
	}
	if (!rc && !found)
		return image_fail(img, -ENOEXEC, err,
				  "an ELF file without a PVH entry (Linux: CONFIG_PVH=y)");
	return rc;
}

static int read_segments(const struct image *img, const struct ehdr *h, uint64_t low_end,
			 struct elf_kernel *k, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < h->phnum; i++) {
		struct phdr p;

		rc = read_phdr(img, h, i, &p, err);
		if (!rc && p.type == PT_LOAD)
			rc = add_segment(img, &p, low_end, k, err);
	}
	return rc;
}

static int check_entry(const struct image *img, const struct elf_kernel *k, struct err *err)
{
	for (unsigned i = 0; i < k->nsegs; i++)
		if (k->entry >= k->seg[i].gpa && k->entry - k->seg[i].gpa < k->seg[i].filesz)
			return 0;
	return image_fail(img, -ENOEXEC, err, "its PVH entry %#llx is outside of what it loads",
			  (unsigned long long)k->entry);
}

int elf_parse(const struct image *img, uint64_t low_end, struct elf_kernel *k, struct err *err)
{
	struct ehdr h;
	int rc;

	memset(k, 0, sizeof(*k));
	rc = read_ehdr(img, &h, err);
	if (!rc)
		rc = check_ehdr(img, &h, err);
	if (!rc)
		rc = read_entry(img, &h, &k->entry, err);
	if (!rc)
		rc = read_segments(img, &h, low_end, k, err);
	if (!rc)
		rc = check_entry(img, k, err);
	return rc;
}

/*
 * Make memory read as zeros. After a fresh start it does already; looking first keeps a large
 * .bss from being populated.
 */
static void zero(uint8_t *p, uint64_t len)
{
	static const uint8_t zeros[4096];

	while (len) {
		size_t n = len < sizeof(zeros) ? len : sizeof(zeros);

		if (memcmp(p, zeros, n))
			memset(p, 0, n);
		p += n;
		len -= n;
	}
}

int elf_load(const struct image *img, const struct elf_kernel *k, const struct gmem *mem,
	     struct err *err)
{
	for (unsigned i = 0; i < k->nsegs; i++) {
		const struct elf_segment *s = &k->seg[i];
		uint8_t *p = gmem_ptr(mem, s->gpa, s->memsz);
		int rc;

		assert(p);
		rc = image_read(img, p, s->filesz, s->off, err);
		if (rc)
			return rc;
		zero(p + s->filesz, s->memsz - s->filesz);
	}
	return 0;
}
