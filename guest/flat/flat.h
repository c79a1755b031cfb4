/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flat guest: a bare-metal program that drives the virtio-mmio balloon at native speed,
 * polling, without interrupts, on one processor. A folder for each architecture, and one for
 * what those with a device tree share, have what machine_*() and the like below stand for:
 *
 *   x86_64   an ELF file that any monitor boots which knows PVH, and that finds the device at
 *            the places of several, so that two are measured with the very same guest; at CPL 3
 *   kimage   arm64 and riscv64: a kernel of the Image format, which finds everything in its
 *            device tree; in the kernel's mode
 *
 * The command line is words key=value; those it doesn't know are ignored:
 *   mode=bench    (default) touch memory and give it all to the balloon, see bench.c
 *   mode=stress   give and take at random, verifying every byte, see stress.c
 *   mode=violate  break the device's rules, and go on, see violate.c and stray.c
 *   mode=hint     answer to sessions of free page hints meanwhile, likewise, see hint.c
 *   size=MIB      how much memory takes part (default and maximum: all above the guest's own)
 *   order=ascending|descending|shuffled   in which pages are given (bench)
 *   verify=1      look at every page after it was taken back (bench)
 *   loops=N       rounds, or sessions; with 0 all but bench go on until they are sent an 'n'
 *                 (default 1)
 *   free=PERCENT  of the pages are hinted (hint; default 50)
 *   zero=1        what is hinted is filled with zeros before, as a Linux with init_on_alloc
 *                 does (hint)
 *   seed=N        of everything random
 *
 * It talks by lines on the serial port: "flat: WORD key=value ...". The last one is "flat: end
 * status=0", or another number when something was wrong; then it powers the machine off. Cycles
 * are those of the architecture's counter: the TSC on x86_64, the timer's ticks elsewhere.
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

/* ---- the machine: an architecture's own ---- */

struct flat_range {
	uint64_t start, end;
};

#define RANGES_MAX 8

/* The first of all, with what the entry was given; returns the command line. */
const char *machine_init(uint64_t boot);
/* RAM that nothing is in, ascending, of whole 2 MiB, mapped from now on: how many ranges. */
unsigned machine_ram(struct flat_range out[RANGES_MAX]);
/* Where virtio-mmio devices may be, from 0 on; 0: there are no more such places. */
uint64_t machine_virtio(unsigned i);
/* Ends the machine, for others to see with this status where they can. */
__attribute__((noreturn)) void machine_off(unsigned status);

/* Registers of the 16550; 32-bit ones of devices, after and before all other accesses. */
uint8_t serial_read(unsigned reg);
void serial_write(unsigned reg, uint8_t v);
uint32_t mmio_read(uint64_t address);
void mmio_write(uint64_t address, uint32_t v);

/* A counter that goes at an even pace, and about how far in a millisecond. */
uint64_t cycles(void);
uint64_t cycles_per_ms(void);
/* In a loop that waits. */
void relax(void);

/* ---- console.c ---- */

/* Be ready to receive; without this a careful serial port holds back what is sent. */
void console_init(void);
void print(const char *text);
void print_value(const char *key, uint64_t v); /* " key=v", decimal */
void print_hex(const char *key, uint64_t v);   /* " key=0xv" */
/* Wait until the other end of the serial line sends this character. */
void wait_for(char c);
/* Has this character come? Doesn't wait. */
bool came(char c);
/* Says the last line, and ends the machine. */
__attribute__((noreturn)) void power_off(unsigned status);

/* ---- memory.c ---- */

/* All of the machine's RAM, or the first mib of it. */
void pool_init(struct flat_pool *pool, uint64_t mib);

static inline uint64_t *page_at(uint32_t pfn)
{
	return (uint64_t *)((uint64_t)pfn << PAGE_SHIFT);
}

/* ---- balloon.c: the driver ---- */

enum { QUEUE_INFLATE, QUEUE_DEFLATE, QUEUE_HINT = 3, QUEUE_REPORT, QUEUES };
#define MESSAGE_PFNS 256

/* Queues beside the first two. */
#define BALLOON_HINTS	1u
#define BALLOON_REPORTS 2u

/* Find the device and set it up, with these. False: there is none, or it refuses. */
bool balloon_find(void);
bool balloon_start(unsigned extras);
/* Device reset: the host is done with every page when this returns. */
void balloon_reset(void);
/* Send one message of at most MESSAGE_PFNS pages, and wait until the device returns it. */
void balloon_send(unsigned queue, const uint32_t *pfn, uint32_t n);
/* Tell the device how many pages the balloon has. */
void balloon_actual(uint32_t pages);

/* What only one who breaks the rules needs. */
#define QUEUE_NUM 8
struct flat_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
/* Makes a chain available, moves the index by `step`, and kicks; doesn't wait. */
void balloon_breach(unsigned queue, const struct flat_desc desc[2], uint16_t head,
		    uint16_t step);
bool balloon_broken(void);	/* does the device need a reset? */
void balloon_be_refused(void);	/* writes registers in ways that change nothing */
uint64_t balloon_address(void); /* of its registers */

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

/* All of the pool is in use, says so, and returns the state of what this seed makes random. */
uint64_t pages_begin(struct flat_check *c, struct flat_pool *pool, uint64_t seed);
/* All by index of the pool. In use from now on, all 4096 bytes with the next pattern. */
void page_write(struct flat_check *c, uint32_t i);
/* One in use holds its pattern; one that isn't holds its last pattern or zeros, whole. */
void page_verify(struct flat_check *c, uint32_t i);
void page_check_free(struct flat_check *c, uint32_t i);
/* The same while a session has it hinted: the host may discard it at any moment, this too. */
void page_check_hinted(struct flat_check *c, uint32_t i);
void pages_verify(struct flat_check *c); /* all in use */

/* ---- stray.c: what is wrong on the hint queue, and breaks nothing ---- */

/* Starts, stops and hints of no session; in_use: a page that must not go. */
void stray_outside(uint32_t in_use);
/*
 * Answers the host's session, badly, with hints of free pages: pfn[0] to pfn[n - 1]. False: the
 * host asks for none.
 */
bool stray_session(uint64_t *rng, const uint32_t *pfn, uint32_t n, uint32_t in_use);

/* ---- the modes; status for power_off() ---- */

unsigned bench(const struct flat_params *p, struct flat_pool *pool);
unsigned stress(const struct flat_params *p, struct flat_pool *pool);
unsigned violate(const struct flat_params *p, struct flat_pool *pool);
unsigned hint(const struct flat_params *p, struct flat_pool *pool);

/* ---- small things ---- */

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
