// SPDX-License-Identifier: Apache-2.0
#include "guest/flat/flat.h"

#define SERIAL	       0x3f8
#define MCR	       (SERIAL + 4)
#define MCR_DTR_RTS    0x03
#define LSR	       (SERIAL + 5)
#define LSR_DATA_READY 0x01
#define LSR_THR_EMPTY  0x20

/* Where monitors listen for the end: a sleep control register (S5), and a debug exit. */
#define SLEEP_CONTROL 0x600
#define SLEEP_S5      0x34
#define DEBUG_EXIT    0xf4

void port_init(void)
{
	outb(MCR, MCR_DTR_RTS);
}

void print(const char *text)
{
	for (; *text; text++) {
		while (!(inb(LSR) & LSR_THR_EMPTY))
			relax();
		outb(SERIAL, (uint8_t)*text);
	}
}

static void print_number(const char *key, uint64_t v, unsigned base, const char *prefix)
{
	char digits[21];
	char *p = digits + sizeof(digits) - 1;

	*p = 0;
	do {
		*--p = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	print(" ");
	print(key);
	print(prefix);
	print(p);
}

void print_value(const char *key, uint64_t v)
{
	print_number(key, v, 10, "=");
}

void print_hex(const char *key, uint64_t v)
{
	print_number(key, v, 16, "=0x");
}

/* Not by asking all the time: each look is an exit, and the monitor may be busy. */
static void pause_a_while(void)
{
	uint64_t start = tsc();

	while (tsc() - start < 2000000)
		relax();
}

bool came(char c)
{
	return inb(LSR) & LSR_DATA_READY && (char)inb(SERIAL) == c;
}

void wait_for(char c)
{
	while (!came(c))
		pause_a_while();
}

void power_off(unsigned status)
{
	print("flat: end");
	print_value("status", status);
	print("\n");
	outb(SLEEP_CONTROL, SLEEP_S5);
	outb(DEBUG_EXIT, (uint8_t)status);
	/* There is no interrupt table: where nobody listened, this is a triple fault. */
	__builtin_trap();
}
