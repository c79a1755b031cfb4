/* SPDX-License-Identifier: Apache-2.0 */
/* Small synthetic kernels for tests of the loaders: valid ones, to be broken by the test. */
#ifndef AEROSTAT_TESTS_KERNELS_H
#define AEROSTAT_TESTS_KERNELS_H

#include <asm/bootparam.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/arch/image.h"
#include "vmm/base/fd.h"
#include "vmm/base/size.h"
#include "vmm/mem/gmem.h"

/* A file with these contents; abort() if the host has no memory for it. */
static inline int kernels_file(const void *data, size_t len)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	if (fd < 0 || fd_write_full(fd, data, len))
		abort();
	return fd;
}

static inline void kernels_ram(struct gmem *m, uint64_t low, uint64_t high)
{
	const struct gmem_span spans[] = {{0, low}, {4 * GIB, high}};

	if (gmem_create(m, spans, high ? 2 : 1, NULL))
		abort();
}

/* Byte i of a kernel's code. Never 0, so that it differs from fresh memory. */
static inline uint8_t kernels_code(size_t i)
{
	return (uint8_t)(i % 251 + 1);
}

/* ---- bzImage: 1 KiB of setup, 8 KiB of code ---- */

#define KERNELS_BZ_SETUP 1024
#define KERNELS_BZ_CODE	 8192
#define KERNELS_BZ_SIZE	 (KERNELS_BZ_SETUP + KERNELS_BZ_CODE)

struct kernels_bz {
	uint8_t setup[offsetof(struct boot_params, hdr)];
	struct setup_header hdr;
	uint8_t rest[KERNELS_BZ_SETUP - offsetof(struct boot_params, hdr) -
		     sizeof(struct setup_header)];
	uint8_t code[KERNELS_BZ_CODE];
} __attribute__((packed));

static inline void kernels_bz(struct kernels_bz *k)
{
	/* Outside of the header everything is 0xff: what must not reach the zero page. */
	memset(k, 0xff, sizeof(*k));
	k->hdr = (struct setup_header){
		.setup_sects = 1,
		.syssize = KERNELS_BZ_CODE / 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb, /* the header ends at 0x202 + 0x6a */
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 2 * MIB,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.pref_address = 16 * MIB,
		.init_size = 4 * MIB,
	};
	for (size_t i = 0; i < sizeof(k->code); i++)
		k->code[i] = kernels_code(i);
}

/* ---- ELF: headers, notes and 4 KiB of code, of which the second segment has 1 KiB ---- */

#define KERNELS_ELF_GPA	  (16 * MIB)
#define KERNELS_ELF_BSS	  0x5000 /* memsz of the first segment */
#define KERNELS_ELF_DATA  (KERNELS_ELF_GPA + 0x8000)
#define KERNELS_ELF_ENTRY (KERNELS_ELF_GPA + 0x40)

struct kernels_note {
	Elf32_Nhdr h;
	char name[4];
	uint64_t desc;
};

struct kernels_elf64 {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3]; /* load, load, note */
	struct kernels_note other, entry;
	uint8_t code[4096];
};

static inline void kernels_notes(struct kernels_note *other, struct kernels_note *entry)
{
	*other = (struct kernels_note){{4, 5, 3}, "GNU", 0x1122334455};
	*entry = (struct kernels_note){{4, 8, 18}, "Xen", KERNELS_ELF_ENTRY};
}

static inline void kernels_elf64(struct kernels_elf64 *k)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->eh.e_ident, ELFMAG, SELFMAG);
	k->eh.e_ident[EI_CLASS] = ELFCLASS64;
	k->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	k->eh.e_ident[EI_VERSION] = EV_CURRENT;
	k->eh.e_type = ET_EXEC;
	k->eh.e_machine = EM_X86_64;
	k->eh.e_phoff = offsetof(struct kernels_elf64, ph);
	k->eh.e_phentsize = sizeof(Elf64_Phdr);
	k->eh.e_phnum = 3;
	k->ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_offset = offsetof(struct kernels_elf64, code),
				.p_paddr = KERNELS_ELF_GPA,
				.p_filesz = 3072,
				.p_memsz = KERNELS_ELF_BSS};
	k->ph[1] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_offset = offsetof(struct kernels_elf64, code) + 3072,
				.p_paddr = KERNELS_ELF_DATA,
				.p_filesz = 1024,
				.p_memsz = 1024};
	k->ph[2] = (Elf64_Phdr){.p_type = PT_NOTE,
				.p_offset = offsetof(struct kernels_elf64, other),
				.p_filesz = 2 * sizeof(struct kernels_note),
				.p_memsz = 2 * sizeof(struct kernels_note),
				.p_align = 4};
	kernels_notes(&k->other, &k->entry);
	for (size_t i = 0; i < sizeof(k->code); i++)
		k->code[i] = kernels_code(i);
}

struct kernels_elf32 {
	Elf32_Ehdr eh;
	Elf32_Phdr ph[2]; /* load, note */
	struct kernels_note other, entry;
	uint8_t code[4096];
};

static inline void kernels_elf32(struct kernels_elf32 *k)
{
	memset(k, 0, sizeof(*k));
	memcpy(k->eh.e_ident, ELFMAG, SELFMAG);
	k->eh.e_ident[EI_CLASS] = ELFCLASS32;
	k->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	k->eh.e_ident[EI_VERSION] = EV_CURRENT;
	k->eh.e_type = ET_EXEC;
	k->eh.e_machine = EM_386;
	k->eh.e_phoff = offsetof(struct kernels_elf32, ph);
	k->eh.e_phentsize = sizeof(Elf32_Phdr);
	k->eh.e_phnum = 2;
	k->ph[0] = (Elf32_Phdr){.p_type = PT_LOAD,
				.p_offset = offsetof(struct kernels_elf32, code),
				.p_paddr = KERNELS_ELF_GPA,
				.p_filesz = 4096,
				.p_memsz = KERNELS_ELF_BSS};
	k->ph[1] = (Elf32_Phdr){.p_type = PT_NOTE,
				.p_offset = offsetof(struct kernels_elf32, other),
				.p_filesz = 2 * sizeof(struct kernels_note),
				.p_memsz = 2 * sizeof(struct kernels_note),
				.p_align = 4};
	kernels_notes(&k->other, &k->entry);
	k->entry.h.n_descsz = 4;
	for (size_t i = 0; i < sizeof(k->code); i++)
		k->code[i] = kernels_code(i);
}

#endif
