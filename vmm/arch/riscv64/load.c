// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <libfdt.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/kimage/boot.h"
#include "vmm/arch/riscv64/cpu.h"
#include "vmm/arch/riscv64/layout.h"
#include "vmm/arch/riscv64/tree.h"

int arch_load(const struct arch_boot *b, struct arch_entry *entry, struct err *err)
{
	struct riscv64_tree tree = {
		.mem = b->mem,
		.cpus = b->cpus,
		.aia = b->vcpu->set->vm->irqchip,
		.virtio_slots = b->virtio_slots,
		.chosen = {.bootargs = b->cmdline, .serial = RISCV64_SERIAL_GPA},
	};
	struct kimage_boot p;
	size_t used;
	int rc = kimage_boot_load(b, KIMAGE_RISCV64, "a riscv64", RISCV64_TREE_MAX, &p, err);

	if (!rc)
		rc = riscv64_hart_read(b->vcpu->fd, &tree.hart, err);
	if (rc)
		return rc;
	tree.chosen.initrd = p.initrd;
	tree.chosen.initrd_len = p.initrd_len;
	*entry = (struct arch_entry){.pc = p.kernel.start, .arg = p.dtb};
	return riscv64_tree_write(&tree, gmem_ptr(b->mem, p.dtb, RISCV64_TREE_MAX),
				  RISCV64_TREE_MAX, &used, err);
}

bool arch_has_dtb(void)
{
	return true;
}

const void *arch_dtb(const struct gmem *mem, const struct arch_entry *entry, size_t *len)
{
	const void *dtb = gmem_ptr(mem, entry->arg, RISCV64_TREE_MAX);

	assert(dtb);
	*len = fdt_totalsize(dtb);
	return dtb;
}
