// SPDX-License-Identifier: Apache-2.0
/* One incarnation of the VM in KVM. A guest reboot builds a new one: no state can leak over. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "vmm/base/fd.h"
#include "vmm/machine/private.h"

static int wire(struct machine *m, struct err *err)
{
	int rc = machine_irqs_connect(m, err);

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
		rc = vcpus_create(&m->vcpus, &m->vm, m->cfg->cpus, &m->pio, &m->mmio,
				  m->wake_fd, err);
	if (!rc)
		rc = arch_vm_ready(&m->vm, m->cfg->cpus, err);
	if (!rc)
		rc = wire(m, err);
	if (!rc)
		rc = vcpus_start(&m->vcpus, err);
	if (rc)
		machine_vm_destroy(m);
	return rc;
}

void machine_vm_destroy(struct machine *m)
{
	machine_irqs_disconnect(m);
	m->past_exits += vcpus_exits(&m->vcpus);
	vcpus_destroy(&m->vcpus);
	kvm_vm_destroy(&m->vm);
}

/* For the user alone: it has the seed of the guest's random numbers. */
static int dump_dtb(const struct machine *m, const struct arch_entry *entry, struct err *err)
{
	const char *path = m->cfg->dump_dtb;
	size_t len;
	const void *dtb = arch_dtb(&m->mem, entry, &len);
	int fd, rc;

	assert(dtb);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : fd_write_full(fd, dtb, len);
	if (fd >= 0 && close(fd) && !rc)
		rc = -errno;
	return rc ? err_sys(err, rc, "--dump-dtb '%.100s'", path) : 0;
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
		.vcpu = m->vcpus.vcpu,
		.cpus = m->cfg->cpus,
		.virtio_slots = m->virtio_slots,
	};
	struct arch_entry entry;
	int rc = arch_load(&boot, &entry, err);

	if (!rc && m->cfg->dump_dtb && !m->resets)
		rc = dump_dtb(m, &entry, err);
	for (unsigned i = 0; i < m->vcpus.n && !rc; i++)
		rc = arch_vcpu_init(&m->vcpus.vcpu[i], &m->mem, m->vcpus.n, &entry, err);
	if (!rc)
		vcpus_resume(&m->vcpus);
	return rc;
}
