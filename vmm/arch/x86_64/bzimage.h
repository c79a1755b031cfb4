/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux bzImage kernels by the 64-bit boot protocol, version 2.12 and later
 * (Documentation/arch/x86/boot.rst and zero-page.rst of the Linux source).
 */
#ifndef AEROSTAT_ARCH_X86_64_BZIMAGE_H
#define AEROSTAT_ARCH_X86_64_BZIMAGE_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/arch/image.h"
#include "vmm/mem/gmem.h"

/* The room that struct boot_params has for the setup header and its future fields. */
#define BZIMAGE_HDR_OFF offsetof(struct boot_params, hdr)
#define BZIMAGE_HDR_MAX (offsetof(struct boot_params, edd_mbr_sig_buffer) - BZIMAGE_HDR_OFF)

/* Enough of a file's beginning to tell what kind of kernel it is. */
#define BZIMAGE_PEEK (BZIMAGE_HDR_OFF + BZIMAGE_HDR_MAX)

struct bzimage {
	union {
		struct setup_header hdr;
		uint8_t raw[BZIMAGE_HDR_MAX]; /* zeros after the header's end */
	};
	uint64_t off, len;   /* the 64-bit kernel in the file */
	uint64_t start, end; /* gpa: what it occupies until it reads its memory map */
};

/* Do these first len bytes of a file begin a bzImage? */
bool bzimage_probe(const uint8_t *head, size_t len);

/*
 * Check the header (head as above) and choose where the kernel goes in RAM that ends at
 * low_end. -ENOEXEC: not one that we boot; -EFBIG: needs more RAM.
 */
int bzimage_parse(const struct image *img, const uint8_t *head, size_t len, uint64_t low_end,
		  struct bzimage *bz, struct err *err);

/* Read the kernel to where bzimage_parse() put it. */
int bzimage_load(const struct image *img, const struct bzimage *bz, const struct gmem *mem,
		 struct err *err);

/* gpa of the 64-bit entry. */
uint64_t bzimage_entry(const struct bzimage *bz);

/*
 * Write the zero page at X86_ZERO_PAGE_GPA. The command line is at X86_CMDLINE_GPA.
 * initrd_len 0: no initrd.
 */
void bzimage_zero_page(const struct bzimage *bz, const struct gmem *mem, uint64_t initrd,
		       uint64_t initrd_len, uint64_t rsdp);

#endif
