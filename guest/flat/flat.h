/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flat guest: a bare-metal program that drives the virtio-mmio balloon at native speed, at
 * CPL 3, polling, without interrupts. It runs under any monitor that boots PVH and shows the
 * device at one of the places balloon_find() looks at, so two monitors are measured with the
 * very same guest.
 *
 * The command line is words key=value; those it doesn't know are ignored:
 *   mode=bench    (default) touch memory and give it all to the balloon, see bench.c
 *   mode=stress   give and take at random, verifying every byte, see stress.c
 *   mode=hint     answer to sessions of free page hints meanwhile, likewise, see hint.c
 *   size=MIB      how much memory takes part (default and maximum: all above the guest's own)
 *   order=ascending|descending|shuffled   in which pages are given (bench)
 *   verify=1      look at every page after it was taken back (bench)
 *   loops=N       rounds, or sessions; stress and hint with 0 go on until they are sent an 'n'
 *                 (default 1)
 *   free=PERCENT  of the pages are hinted (hint; default 50)
 *   zero=1        what is hinted is filled with zeros before, as a Linux with init_on_alloc
 *                 does (hint)
 *   seed=N        of everything random
 *
 * It talks by lines on the serial port: "flat: WORD key=value ...". The last one is "flat: end
 * status=0", or another number when something was wrong; then it powers the machine off.
 */
#ifndef AEROSTAT_GUEST_FLAT_H
#define AEROSTAT_GUEST_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define LARGE_SIZE 0x200000ull

enum flat_order { ORDER_ASCENDING, ORDER_DESCENDING, ORDER_SHUFFLED };

struct flat_params {
	char mode; /* first letter */
	bool verify, zero;
	enum flat_order order;
	uint64_t size; /* MiB; 0: all */
	uint64_t loops, seed, free;
};

/* The pages that take part: pfn[0] to pfn[n - 1], ascending. mark has a word per page. */
struct flat_pool {
	uint32_t *pfn;
	uint32_t *mark;
	uint32_t n;
};

/* ---- port.c: the machine's ports ---- */

/* Be ready to receive; without this a careful serial port holds back what is sent. */
void port_init(void);
void print(const char *text);
void print_value(const char *key, uint64_t v); /* " key=v", decimal */
void print_hex(const char *key, uint64_t v);   /* " key=0xv" */
/* Wait until the other end of the serial line sends this character. */
void wait_for(char c);
/* Has this character come? Doesn't wait. */
bool came(char c);
/* Ends the machine; doesn't return. */
__attribute__((noreturn)) void power_off(unsigned status);

/* ---- memory.c ---- */

/* Map what the start info says is RAM, and take the pool out of it. */
void pool_init(struct flat_pool *pool, uint64_t start_info, uint64_t mib);
const char *start_info_cmdline(uint64_t start_info);

static inline uint64_t *page_at(uint32_t pfn)
{
	return (uint64_t *)((uint64_t)pfn << PAGE_SHIFT);
}

/* ---- balloon.c: the driver ---- */

enum { QUEUE_INFLATE, QUEUE_DEFLATE, QUEUE_HINT = 3, QUEUES };
#define MESSAGE_PFNS 256

/* Find the device and set it up, with hints or without. False: there is none, or it refuses. */
bool balloon_find(void);
bool balloon_start(bool hints);
/* Device reset: the host is done with every page when this returns. */
void balloon_reset(void);
/* Send one message of at most MESSAGE_PFNS pages, and wait until the device returns it. */
void balloon_send(unsigned queue, const uint32_t *pfn, uint32_t n);
/* Tell the device how many pages the balloon has. */
void balloon_actual(uint32_t pages);

/* The command id that the device shows. */
uint32_t balloon_hint_id(void);
/* On the hint queue: a start (an id) or a stop (0); a block of free memory. */
void balloon_hint_command(uint32_t id);
void balloon_hint(uint64_t gpa, uint32_t bytes);

/* ---- pages.c: contents that can be verified ---- */

/* A page's mark is its generation, with this bit while it is not in use. */
#define PAGE_FREE 0x80000000u

struct flat_check {
	struct flat_pool *pool;
	uint64_t verified, zero; /* pages looked at; of those not in use, found to be zeros */
	bool bad;		 /* one was wrong: it was printed */
};

/* All by index of the pool. In use from now on, all 4096 bytes with the next pattern. */
void page_write(struct flat_check *c, uint32_t i);
/* One in use holds its pattern; one that isn't holds its last pattern or zeros, whole. */
void page_verify(struct flat_check *c, uint32_t i);
void page_check_free(struct flat_check *c, uint32_t i);
void pages_verify(struct flat_check *c); /* all in use */

/* ---- the modes; status for power_off() ---- */

unsigned bench(const struct flat_params *p, struct flat_pool *pool);
unsigned stress(const struct flat_params *p, struct flat_pool *pool);
unsigned hint(const struct flat_params *p, struct flat_pool *pool);

/* ---- small things ---- */

static inline uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

/* xorshift64*; the state must not be 0. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((random_next(state) >> 32) * n >> 32);
}

#endif
