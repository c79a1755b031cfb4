// SPDX-License-Identifier: Apache-2.0
#include "guest/flat/flat.h"

/* Registers and bits of a 16550. */
#define THR	       0
#define RBR	       0
#define MCR	       4
#define MCR_DTR_RTS    0x03
#define LSR	       5
#define LSR_DATA_READY 0x01
#define LSR_THR_EMPTY  0x20

void console_init(void)
{
	serial_write(MCR, MCR_DTR_RTS);
}

void print(const char *text)
{
	for (; *text; text++) {
		while (!(serial_read(LSR) & LSR_THR_EMPTY))
			relax();
		serial_write(THR, (uint8_t)*text);
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
	uint64_t start = cycles();

	while (cycles() - start < cycles_per_ms())
		relax();
}

bool came(char c)
{
	return serial_read(LSR) & LSR_DATA_READY && (char)serial_read(RBR) == c;
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
	machine_off(status);
}
