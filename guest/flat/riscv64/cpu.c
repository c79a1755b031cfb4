// SPDX-License-Identifier: Apache-2.0
#include "guest/flat/flat.h"

#include "guest/flat/kimage/kimage.h"

/* SBI Specification 2.0, chapter 10: system reset. */
#define SBI_SRST	  0x53525354
#define SRST_SHUTDOWN	  0
#define SRST_NO_REASON	  0
#define SRST_FAILURE	  1
#define CYCLES_A_MS_GUESS 10000

/* In order with accesses to memory. */
uint32_t mmio_read(uint64_t address)
{
	uint32_t v;

	__asm__ volatile("lw %0, 0(%1)\n\tfence i, r" : "=r"(v) : "r"(address) : "memory");
	return v;
}

void mmio_write(uint64_t address, uint32_t v)
{
	__asm__ volatile("fence w, o\n\tsw %0, 0(%1)" : : "r"(v), "r"(address) : "memory");
}

uint8_t mmio_read8(uint64_t address)
{
	uint32_t v;

	__asm__ volatile("lbu %0, 0(%1)\n\tfence i, r" : "=r"(v) : "r"(address) : "memory");
	return (uint8_t)v;
}

void mmio_write8(uint64_t address, uint8_t v)
{
	__asm__ volatile("fence w, o\n\tsb %0, 0(%1)" : : "r"(v), "r"(address) : "memory");
}

/* KVM plays the firmware. */
void machine_off(unsigned status)
{
	register uint64_t type __asm__("a0") = SRST_SHUTDOWN;
	register uint64_t reason __asm__("a1") = status ? SRST_FAILURE : SRST_NO_REASON;
	register uint64_t function __asm__("a6") = 0;
	register uint64_t extension __asm__("a7") = SBI_SRST;

	for (;;)
		__asm__ volatile("ecall"
				 : "+r"(type), "+r"(reason)
				 : "r"(function), "r"(extension)
				 : "memory");
}

uint64_t cycles(void)
{
	uint64_t v;

	__asm__ volatile("rdtime %0" : "=r"(v) : : "memory");
	return v;
}

/* The device tree would say; a processor can't. 10 MHz is usual, and what QEMU has. */
uint64_t cycles_per_ms(void)
{
	return CYCLES_A_MS_GUESS;
}

/* PAUSE, as the hint that it is on processors without it. */
void relax(void)
{
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory");
}
