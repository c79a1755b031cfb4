// SPDX-License-Identifier: Apache-2.0
/* What architectures share that boot a kernel of the Image format with a device tree. */
#include "guest/flat/flat.h"

#include "guest/flat/kimage/kimage.h"
#include "guest/flat/kimage/tree.h"

/* One address and one length, of 64 bits each. */
#define REG_LEN 16

extern char flat_end[];

static const void *tree;
static uint64_t serial;

/* Where the registers of a device are; 0: there is no such device. */
static uint64_t address_of(const char *node, unsigned nth)
{
	uint32_t len;
	const void *reg = tree_property(tree, node, nth, "reg", &len);

	return reg && len >= REG_LEN ? tree_u64(reg) : 0;
}

/* Without a serial port there is nobody to tell anything. */
const char *machine_init(uint64_t boot)
{
	const char *bootargs;
	uint32_t len;

	tree = (const void *)boot;
	serial = address_of("serial", 0);
	if (!serial)
		machine_off(2);
	bootargs = tree_property(tree, "chosen", 0, "bootargs", &len);
	return bootargs && len && !bootargs[len - 1] ? bootargs : "";
}

/* All but what is up to the end of program and tree, which the monitor puts behind it. */
unsigned machine_ram(struct flat_range out[RANGES_MAX])
{
	uint64_t used = (uint64_t)tree + tree_size(tree);
	const uint8_t *reg;
	uint32_t len;
	unsigned n = 0;

	if (used < (uint64_t)flat_end)
		used = (uint64_t)flat_end;
	reg = tree_property(tree, "memory", 0, "reg", &len);
	for (uint32_t at = 0; reg && n < RANGES_MAX && len - at >= REG_LEN; at += REG_LEN) {
		uint64_t start = tree_u64(reg + at), end = start + tree_u64(reg + at + 8);

		if (start < used)
			start = used;
		start = (start + LARGE_SIZE - 1) & ~(LARGE_SIZE - 1);
		end &= ~(LARGE_SIZE - 1);
		if (start < end)
			out[n++] = (struct flat_range){start, end};
	}
	return n;
}

uint64_t machine_virtio(unsigned i)
{
	return address_of("virtio", i);
}

uint8_t serial_read(unsigned reg)
{
	return mmio_read8(serial + reg);
}

void serial_write(unsigned reg, uint8_t v)
{
	mmio_write8(serial + reg, v);
}

void kimage_fault(uint64_t cause, uint64_t pc, uint64_t address)
{
	print("flat: fault");
	print_hex("cause", cause);
	print_hex("pc", pc);
	print_hex("address", address);
	print("\n");
	power_off(3);
}
