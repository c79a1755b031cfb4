// SPDX-License-Identifier: Apache-2.0
/* A PC as PVH starts it, at CPL 3 with all I/O ports open (entry.S). */
#include "guest/flat/flat.h"

/* Xen's public/arch-x86/hvm/start_info.h, version 1. */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct memmap {
	uint64_t addr, len;
	uint32_t type, reserved;
};

#define MEMMAP_RAM 1
#define MAP_GIB	   64ull /* what page tables are there for */
#define GIB	   (1ull << 30)
#define PTE_TABLE  0x67 /* present, writable, user, accessed, dirty */
#define PTE_LARGE  0xe7
#define POOL_START 0x200000ull /* behind the program itself */

#define SERIAL 0x3f8

/* Where monitors listen for the end: a sleep control register (S5), and a debug exit. */
#define SLEEP_CONTROL 0x600
#define SLEEP_S5      0x34
#define DEBUG_EXIT    0xf4

extern uint64_t flat_pdpt[512];
extern char flat_end[];

static uint64_t directory[MAP_GIB - 4][512] __attribute__((aligned(4096)));
static const struct start_info *info;

const char *machine_init(uint64_t boot)
{
	info = (const struct start_info *)boot;
	if ((uint64_t)flat_end > POOL_START)
		__builtin_trap();
	return (const char *)info->cmdline;
}

/* ---- memory ---- */

/* Filled before it is linked: a monitor that watches page tables isn't bothered. */
static void map_gib(uint64_t gib)
{
	uint64_t *pd = directory[gib - 4];

	for (uint64_t i = 0; i < 512; i++)
		pd[i] = (gib * GIB + i * LARGE_SIZE) | PTE_LARGE;
	flat_pdpt[gib] = (uint64_t)pd | PTE_TABLE;
}

static void map(uint64_t end)
{
	for (uint64_t gib = 4; gib < MAP_GIB && gib * GIB < end; gib++)
		map_gib(gib);
}

/* What is above the program; PVH has it in ascending order. */
unsigned machine_ram(struct flat_range out[RANGES_MAX])
{
	const struct memmap *m = (const struct memmap *)info->memmap;
	unsigned n = 0;

	for (uint32_t i = 0; i < info->memmap_entries && n < RANGES_MAX; i++) {
		uint64_t start = (m[i].addr + LARGE_SIZE - 1) & ~(LARGE_SIZE - 1);
		uint64_t end = (m[i].addr + m[i].len) & ~(LARGE_SIZE - 1);

		if (m[i].type != MEMMAP_RAM)
			continue;
		start = start < POOL_START ? POOL_START : start;
		end = end > MAP_GIB * GIB ? MAP_GIB * GIB : end;
		if (start < end)
			out[n++] = (struct flat_range){start, end};
	}
	if (n)
		map(out[n - 1].end);
	return n;
}

/* ---- devices ---- */

uint64_t machine_virtio(unsigned i)
{
	/* Ours, and those of QEMU's microvm. */
	if (i < 8)
		return 0xd0000000 + i * 0x1000;
	if (i < 8 + 24)
		return 0xfeb00000 + (i - 8) * 0x200;
	return 0;
}

static void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

uint8_t serial_read(unsigned reg)
{
	return inb((uint16_t)(SERIAL + reg));
}

void serial_write(unsigned reg, uint8_t v)
{
	outb((uint16_t)(SERIAL + reg), v);
}

uint32_t mmio_read(uint64_t address)
{
	return *(volatile uint32_t *)address;
}

void mmio_write(uint64_t address, uint32_t v)
{
	*(volatile uint32_t *)address = v;
}

void machine_off(unsigned status)
{
	outb(SLEEP_CONTROL, SLEEP_S5);
	outb(DEBUG_EXIT, (uint8_t)status);
	/* There is no interrupt table: where nobody listened, this is a triple fault. */
	__builtin_trap();
}

/* ---- time ---- */

uint64_t cycles(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* Nobody says the TSC's rate; most are near this. */
uint64_t cycles_per_ms(void)
{
	return 2000000;
}

void relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}
