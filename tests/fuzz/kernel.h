/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel fuzzers share: a guest between two inaccessible pages, a kernel file that is
 * a valid one with the fuzzer's bytes XORed onto it (so no corpus is needed to get deep), and
 * the checks after arch_load().
 */
#ifndef AEROSTAT_TESTS_FUZZ_KERNEL_H
#define AEROSTAT_TESTS_FUZZ_KERNEL_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/kernels.h"
#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/base/size.h"

#define FUZZ_RAM (48 * MIB)

/* Of the input: which sizes the files have. The rest is XORed onto the kernel. */
struct fuzz_knobs {
	int32_t kernel_resize; /* bytes added to the file or cut off */
	uint32_t initrd;       /* bytes; 0: none */
};

struct fuzz_guest {
	struct gmem mem;
	int kernel, initrd;
};

static inline void fuzz_guest_create(struct fuzz_guest *g)
{
	const size_t guard = 4096;
	uint8_t *p = mmap(NULL, FUZZ_RAM + 2 * guard, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert(p != MAP_FAILED);
	assert(!mprotect(p + guard, FUZZ_RAM, PROT_READ | PROT_WRITE));
	g->mem = (struct gmem){
		.region[0] = {.gpa = 0, .len = FUZZ_RAM, .hva = p + guard},
		.nregions = 1,
		.npages = FUZZ_RAM / GMEM_PAGE_SIZE,
	};
	g->kernel = memfd_create("kernel", 0);
	g->initrd = memfd_create("initrd", 0);
	assert(g->kernel >= 0 && g->initrd >= 0);
}

/* Write the files of one run. Memory of earlier runs stays: a guest's reboot has that too. */
static inline void fuzz_files(struct fuzz_guest *g, struct fuzz_knobs *knobs, const void *valid,
			      size_t len, const uint8_t *data, size_t size)
{
	uint8_t *image = malloc(len);
	off_t total;

	memset(knobs, 0, sizeof(*knobs));
	if (size >= sizeof(*knobs)) {
		memcpy(knobs, data, sizeof(*knobs));
		data += sizeof(*knobs);
		size -= sizeof(*knobs);
	}
	memcpy(image, valid, len);
	for (size_t i = 0; i < size && i < len; i++)
		image[i] ^= data[i];
	total = (off_t)len + knobs->kernel_resize;
	assert(!ftruncate(g->kernel, 0) && !ftruncate(g->initrd, 0));
	assert(pwrite(g->kernel, image, len, 0) == (ssize_t)len);
	assert(!ftruncate(g->kernel, total < 0 ? 0 : total));
	assert(!ftruncate(g->initrd, knobs->initrd));
	free(image);
}

/* [gpa, gpa + len) lies in RAM above 1 MiB and apart from [start, end). */
static inline void fuzz_check_initrd(uint64_t gpa, uint64_t len, uint64_t start, uint64_t end)
{
	assert(!(gpa % GMEM_PAGE_SIZE) && gpa >= X86_HIGH_RAM_START);
	assert(gpa + len <= FUZZ_RAM);
	assert(gpa >= end || gpa + len <= start);
}

static inline int fuzz_load(struct fuzz_guest *g, const struct fuzz_knobs *knobs,
			    struct arch_entry *entry)
{
	const struct arch_boot b = {
		.mem = &g->mem,
		.kernel_fd = g->kernel,
		.initrd_fd = knobs->initrd ? g->initrd : -1,
		.kernel_name = "k",
		.initrd_name = "i",
		.cmdline = "console=ttyS0",
		.cpus = 1,
		.virtio_slots = 1,
	};
	struct err err = {0};
	int rc = arch_load(&b, entry, &err);

	/* -EFAULT is a read to an address outside of the guest. */
	assert(rc == 0 || rc == -ENOEXEC || rc == -EFBIG);
	if (rc) {
		assert(err.msg[0] && !strchr(err.msg, '\n'));
		return rc;
	}
	assert(entry->pc >= X86_HIGH_RAM_START && entry->pc < FUZZ_RAM);
	assert(gmem_ptr(&g->mem, entry->arg, 4096));
	return 0;
}

#endif
