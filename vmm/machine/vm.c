// SPDX-License-Identifier: Apache-2.0
/* One incarnation of the VM in KVM. A guest reboot builds a new one: no state can leak over. */
#include <errno.h>

#include "vmm/machine/private.h"

static int wire(struct machine *m, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < m->nirqs && !rc; i++)
		rc = kvm_vm_irqfd(&m->vm, m->irqs[i].fd, m->irqs[i].gsi, err);
	if (!rc && m->stats_bell.fd >= 0)
		rc = kvm_vm_ioeventfd(&m->vm, m->stats_bell.fd, m->stats_bell.gpa,
				      m->stats_bell.queue, err);
	return rc;
}

int machine_vm_create(struct machine *m, struct err *err)
{
	int rc = kvm_vm_create(&m->vm, &m->host, err);

	if (!rc)
		rc = arch_vm_init(&m->vm, err);
	if (!rc)
		rc = kvm_vm_add_memory(&m->vm, &m->mem, err);
	if (!rc)
		rc = wire(m, err);
	if (!rc)
		rc = vcpus_create(&m->vcpus, &m->vm, m->cfg->cpus, &m->pio, &m->mmio,
				  m->wake_fd, err);
	if (!rc)
		rc = vcpus_start(&m->vcpus, err);
	if (rc)
		machine_vm_destroy(m);
	return rc;
}

void machine_vm_destroy(struct machine *m)
{
	m->past_exits += vcpus_exits(&m->vcpus);
	vcpus_destroy(&m->vcpus);
	kvm_vm_destroy(&m->vm);
}

int machine_vm_boot(struct machine *m, struct err *err)
{
	const struct arch_boot boot = {
		.mem = &m->mem,
		.kernel_fd = m->kernel_fd,
		.initrd_fd = m->initrd_fd,
		.kernel_name = m->cfg->kernel,
		.initrd_name = m->cfg->initrd,
		.cmdline = m->cfg->params ? m->cfg->params : "",
		.cpus = m->cfg->cpus,
		.virtio_slots = m->virtio_slots,
	};
	struct arch_entry entry;
	int rc = arch_load(&boot, &entry, err);

	for (unsigned i = 0; i < m->vcpus.n && !rc; i++)
		rc = arch_vcpu_init(&m->vcpus.vcpu[i], &m->mem, m->vcpus.n, &entry, err);
	if (!rc)
		vcpus_resume(&m->vcpus);
	return rc;
}
