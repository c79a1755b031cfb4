// SPDX-License-Identifier: Apache-2.0
#include "guest/memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "guest/sys.h"

#define PAGE	   4096
#define PAGE_WORDS (PAGE / sizeof(uint64_t))
#define HELD_MAX   64

/* Odd, so that the words of a page all differ. */
#define WORD_STEP 0x9e3779b97f4a7c15ull

static struct block held[HELD_MAX];
static unsigned int held_count;

/* A bijection (the finalizer of splitmix64): different pages get different patterns. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t page_pattern(const struct block *b, const void *page)
{
	return mix((uintptr_t)page ^ b->seed);
}

int block_map(struct block *b, size_t len)
{
	static uint64_t seeds;
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (addr == MAP_FAILED)
		return -errno;
	if (madvise(addr, len, MADV_DONTFORK)) {
		int err = -errno;

		munmap(addr, len);
		return err;
	}
	*b = (struct block){.addr = addr, .len = len, .seed = mix(++seeds)};
	return 0;
}

void block_unmap(struct block *b)
{
	if (b->addr)
		munmap(b->addr, b->len);
	*b = (struct block){0};
}

void block_fill(const struct block *b, size_t from, size_t to)
{
	for (size_t off = from; off < to && off < b->len; off += PAGE) {
		uint64_t *word = (uint64_t *)((char *)b->addr + off);
		uint64_t pattern = page_pattern(b, word);

		for (size_t i = 0; i < PAGE_WORDS; i++)
			word[i] = pattern + i * WORD_STEP;
	}
}

int block_verify(const struct block *b, struct wrong_word *wrong)
{
	for (size_t off = 0; off < b->len; off += PAGE) {
		const volatile uint64_t *word = (uint64_t *)((char *)b->addr + off);
		uint64_t pattern = page_pattern(b, (const void *)word);

		for (size_t i = 0; i < PAGE_WORDS; i++) {
			uint64_t expected = pattern + i * WORD_STEP;
			uint64_t found = word[i];

			if (found == expected)
				continue;
			*wrong = (struct wrong_word){(uintptr_t)&word[i], expected, found};
			return -EIO;
		}
	}
	return 0;
}

int held_touch(size_t len)
{
	int err;

	if (held_count == HELD_MAX)
		return -ENOSPC;
	err = block_map(&held[held_count], len);
	if (err)
		return err;
	block_fill(&held[held_count], 0, len);
	held_count++;
	return 0;
}

int held_verify(uint64_t *bytes, struct wrong_word *wrong)
{
	*bytes = 0;
	for (unsigned int i = 0; i < held_count; i++) {
		int err = block_verify(&held[i], wrong);

		if (err)
			return err;
		*bytes += held[i].len;
	}
	return 0;
}

void held_release(uint64_t *bytes)
{
	*bytes = 0;
	while (held_count) {
		*bytes += held[--held_count].len;
		block_unmap(&held[held_count]);
	}
}

size_t memory_fillable(size_t margin)
{
	uint64_t available = sys_meminfo_kib("MemAvailable") * 1024;

	if (available <= margin)
		return 0;
	available -= margin;
	available -= available / 512; /* a page table entry of 8 bytes for each page */
	return available & ~(uint64_t)(PAGE - 1);
}
