// SPDX-License-Identifier: Apache-2.0
#include "guest/flat/flat.h"

#include "guest/flat/kimage/kimage.h"

#define PSCI_SYSTEM_OFF 0x84000008u /* Arm DEN0022, 5.1.9 */

/*
 * By instructions that say in the exit what they do (ISV of ESR_EL2), which a compiler may not
 * choose; and in order with accesses to memory.
 */
uint32_t mmio_read(uint64_t address)
{
	uint32_t v;

	__asm__ volatile("ldr %w0, [%1]\n\tdmb oshld" : "=r"(v) : "r"(address) : "memory");
	return v;
}

void mmio_write(uint64_t address, uint32_t v)
{
	__asm__ volatile("dmb oshst\n\tstr %w0, [%1]" : : "rZ"(v), "r"(address) : "memory");
}

uint8_t mmio_read8(uint64_t address)
{
	uint32_t v;

	__asm__ volatile("ldrb %w0, [%1]\n\tdmb oshld" : "=r"(v) : "r"(address) : "memory");
	return (uint8_t)v;
}

void mmio_write8(uint64_t address, uint8_t v)
{
	__asm__ volatile("dmb oshst\n\tstrb %w0, [%1]"
			 :
			 : "rZ"((uint32_t)v), "r"(address)
			 : "memory");
}

/* KVM plays the firmware, and tells nobody the status. */
void machine_off(unsigned status)
{
	register uint64_t call __asm__("x0") = PSCI_SYSTEM_OFF;

	(void)status;
	for (;;)
		__asm__ volatile("hvc #0" : "+r"(call) : : "x1", "x2", "x3", "memory");
}

uint64_t cycles(void)
{
	uint64_t v;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v) : : "memory");
	return v;
}

uint64_t cycles_per_ms(void)
{
	uint64_t hz;

	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz / 1000;
}

void relax(void)
{
	__asm__ volatile("yield" : : : "memory");
}
