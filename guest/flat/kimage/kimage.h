/* SPDX-License-Identifier: Apache-2.0 */
/* Between machine.c here and the folder of one architecture. */
#ifndef AEROSTAT_GUEST_FLAT_KIMAGE_KIMAGE_H
#define AEROSTAT_GUEST_FLAT_KIMAGE_KIMAGE_H

#include <stdint.h>

uint8_t mmio_read8(uint64_t address);
void mmio_write8(uint64_t address, uint8_t v);

/* Of the architecture's entry.S, for exceptions, none of which is expected. */
__attribute__((noreturn)) void kimage_fault(uint64_t cause, uint64_t pc, uint64_t address);

#endif
