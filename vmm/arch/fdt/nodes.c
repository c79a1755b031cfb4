// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/fdt/nodes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SERIAL	      "serial"
#define SERIAL_CLOCK  1843200 /* Hz, of a PC's port: its divisor of 1 is 115200 baud */
#define RNG_SEED_SIZE 64

void dt_memory(struct dt *t, const struct gmem *mem)
{
	for (unsigned i = 0; i < mem->nregions; i++) {
		dt_begin_at(t, "memory", mem->region[i].gpa);
		dt_string(t, "device_type", "memory");
		dt_reg(t, mem->region[i].gpa, mem->region[i].len);
		dt_end(t);
	}
}

int dt_chosen(struct dt *t, const struct dt_chosen *c, struct err *err)
{
	struct {
		uint8_t rng[RNG_SEED_SIZE];
		uint64_t kaslr;
	} seed;
	char stdout_path[64];

	/* Less than 256 bytes are never cut short (getrandom(2)). */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_sys(err, -errno, "no random numbers for the guest");
	/*
	 * Without a speed: an early console that is told one sets the port up, and then takes
	 * input that the driver throws away.
	 */
	snprintf(stdout_path, sizeof(stdout_path), "/" SERIAL "@%llx",
		 (unsigned long long)c->serial);
	dt_begin(t, "chosen");
	dt_string(t, "bootargs", c->bootargs);
	dt_string(t, "stdout-path", stdout_path);
	if (c->initrd_len) {
		dt_u64(t, "linux,initrd-start", c->initrd);
		dt_u64(t, "linux,initrd-end", c->initrd + c->initrd_len);
	}
	dt_bytes(t, "rng-seed", seed.rng, sizeof(seed.rng));
	dt_u64(t, "kaslr-seed", seed.kaslr);
	dt_end(t);
	explicit_bzero(&seed, sizeof(seed));
	return 0;
}

static void begin_device(struct dt *t, const char *name, const char *compatible,
			 const struct dt_dev *dev)
{
	dt_begin_at(t, name, dev->base);
	dt_string(t, "compatible", compatible);
	dt_reg(t, dev->base, dev->len);
	if (dev->parent)
		dt_u32(t, "interrupt-parent", dev->parent);
	dt_cell_list(t, "interrupts", dev->irq.cell, dev->irq.n);
}

void dt_serial(struct dt *t, const struct dt_dev *dev)
{
	begin_device(t, SERIAL, "ns16550a", dev);
	dt_u32(t, "clock-frequency", SERIAL_CLOCK);
	dt_end(t);
}

void dt_virtio(struct dt *t, const struct dt_dev *dev)
{
	begin_device(t, "virtio", "virtio,mmio", dev);
	dt_flag(t, "dma-coherent");
	dt_end(t);
}
