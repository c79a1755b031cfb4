// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <libfdt.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/arm64/layout.h"
#include "vmm/arch/arm64/tree.h"
#include "vmm/arch/kimage/boot.h"

int arch_load(const struct arch_boot *b, struct arch_entry *entry, struct err *err)
{
	struct arm64_tree tree = {
		.mem = b->mem,
		.cpus = b->cpus,
		.gic = b->vcpu->set->vm->irqchip == KVM_DEV_TYPE_ARM_VGIC_V3 ? 3 : 2,
		.virtio_slots = b->virtio_slots,
		.chosen = {.bootargs = b->cmdline, .serial = ARM64_SERIAL_GPA},
	};
	struct kimage_boot p;
	size_t used;
	int rc = kimage_boot_load(b, KIMAGE_ARM64, "an arm64", DT_TREE_MAX, &p, err);

	if (rc)
		return rc;
	tree.chosen.initrd = p.initrd;
	tree.chosen.initrd_len = p.initrd_len;
	*entry = (struct arch_entry){.pc = p.kernel.start, .arg = p.dtb};
	return arm64_tree_write(&tree, gmem_ptr(b->mem, p.dtb, DT_TREE_MAX), DT_TREE_MAX, &used,
				err);
}

bool arch_has_dtb(void)
{
	return true;
}

const void *arch_dtb(const struct gmem *mem, const struct arch_entry *entry, size_t *len)
{
	const void *dtb = gmem_ptr(mem, entry->arg, DT_TREE_MAX);

	assert(dtb);
	*len = fdt_totalsize(dtb);
	return dtb;
}
