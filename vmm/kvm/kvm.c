// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/base/fd.h"

int kvm_ioctl(int fd, unsigned long req, void *arg)
{
	int r;

	do {
		r = ioctl(fd, req, arg);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int kvm_host_cap(const struct kvm_host *h, int cap)
{
	int r = kvm_ioctl(h->fd, KVM_CHECK_EXTENSION, (void *)(long)cap);

	return r < 0 ? 0 : r;
}

static int check_caps(struct kvm_host *h, struct err *err)
{
	static const struct {
		int cap;
		const char *name;
	} need[] = {
		{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
		{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
		{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
		{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
	};

	for (unsigned i = 0; i < sizeof(need) / sizeof(need[0]); i++) {
		if (!kvm_host_cap(h, need[i].cap))
			return err_set(err, -ENOTSUP, "this host's KVM lacks %s", need[i].name);
	}
	return 0;
}

int kvm_host_open(struct kvm_host *h, struct err *err)
{
	int rc;

	*h = (struct kvm_host){.fd = open("/dev/kvm", O_RDWR | O_CLOEXEC)};
	if (h->fd < 0)
		return err_sys(err, -errno, "cannot open /dev/kvm");
	rc = kvm_ioctl(h->fd, KVM_GET_API_VERSION, NULL);
	if (rc != KVM_API_VERSION) {
		kvm_host_close(h);
		return err_set(err, -ENOTSUP, "/dev/kvm speaks API version %d, not %d", rc,
			       KVM_API_VERSION);
	}
	rc = kvm_ioctl(h->fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (rc < 0) {
		kvm_host_close(h);
		return err_sys(err, rc, "KVM_GET_VCPU_MMAP_SIZE");
	}
	h->run_len = (uint32_t)rc;
	/* Absent: api.rst says to assume what KVM_CAP_NR_VCPUS says, and 4 if that's absent
	 * too. */
	rc = kvm_host_cap(h, KVM_CAP_MAX_VCPUS);
	if (!rc)
		rc = kvm_host_cap(h, KVM_CAP_NR_VCPUS);
	h->max_vcpus = rc ? (uint32_t)rc : 4;
	rc = check_caps(h, err);
	if (rc)
		kvm_host_close(h);
	return rc;
}

void kvm_host_close(struct kvm_host *h)
{
	fd_close(&h->fd);
}

int kvm_vm_create(struct kvm_vm *vm, const struct kvm_host *h, struct err *err)
{
	int fd = kvm_ioctl(h->fd, KVM_CREATE_VM, (void *)h->vm_type);

	*vm = (struct kvm_vm){.host = h, .fd = fd < 0 ? -1 : fd};
	if (fd < 0)
		return err_sys(err, fd, "KVM_CREATE_VM");
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

void kvm_vm_destroy(struct kvm_vm *vm)
{
	if (vm->irqchip)
		fd_close(&vm->irqchip_fd);
	vm->irqchip = 0;
	fd_close(&vm->fd);
}

int kvm_vm_irqchip(struct kvm_vm *vm, uint32_t type, struct err *err)
{
	struct kvm_create_device dev = {.type = type, .flags = KVM_CREATE_DEVICE_TEST};
	int rc = kvm_ioctl(vm->fd, KVM_CREATE_DEVICE, &dev);

	if (rc)
		return -ENODEV;
	dev.flags = 0;
	rc = kvm_ioctl(vm->fd, KVM_CREATE_DEVICE, &dev);
	if (rc)
		return err_sys(err, rc, "KVM_CREATE_DEVICE of type %u", type);
	vm->irqchip = type;
	vm->irqchip_fd = (int)dev.fd;
	return 0;
}

int kvm_vm_irqchip_set(struct kvm_vm *vm, uint32_t group, uint64_t attr, const void *value,
		       struct err *err)
{
	struct kvm_device_attr req = {.group = group, .attr = attr, .addr = (uintptr_t)value};
	int rc = kvm_ioctl(vm->irqchip_fd, KVM_SET_DEVICE_ATTR, &req);

	return rc ? err_sys(err, rc, "KVM_SET_DEVICE_ATTR of the interrupt controller, %u.%llu",
			    group, (unsigned long long)attr)
		  : 0;
}

int kvm_vm_set_slot(struct kvm_vm *vm, const struct gmem *mem, unsigned i, uint32_t flags,
		    struct err *err)
{
	struct kvm_userspace_memory_region slot = {
		.slot = i,
		.flags = flags,
		.guest_phys_addr = mem->region[i].gpa,
		.memory_size = mem->region[i].len,
		.userspace_addr = (uintptr_t)mem->region[i].hva,
	};
	int rc = kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot);

	return rc ? err_sys(err, rc, "KVM_SET_USER_MEMORY_REGION at gpa %#llx",
			    (unsigned long long)slot.guest_phys_addr)
		  : 0;
}

int kvm_vm_add_memory(struct kvm_vm *vm, const struct gmem *mem, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < mem->nregions && !rc; i++)
		rc = kvm_vm_set_slot(vm, mem, i, 0, err);
	return rc;
}

int kvm_vm_irqfd(struct kvm_vm *vm, int efd, uint32_t gsi, struct err *err)
{
	struct kvm_irqfd req = {.fd = (uint32_t)efd, .gsi = gsi};
	int rc = kvm_ioctl(vm->fd, KVM_IRQFD, &req);

	return rc ? err_sys(err, rc, "KVM_IRQFD for GSI %u", gsi) : 0;
}

int kvm_vm_irq_pulse(const struct kvm_vm *vm, uint32_t gsi)
{
	struct kvm_irq_level line = {.irq = gsi, .level = 1};
	int rc = kvm_ioctl(vm->fd, KVM_IRQ_LINE, &line);

	line.level = 0;
	return rc ? rc : kvm_ioctl(vm->fd, KVM_IRQ_LINE, &line);
}

int kvm_vcpu_interrupt(int vcpu_fd, bool level)
{
	/* KVM_INTERRUPT_SET and KVM_INTERRUPT_UNSET of the headers that have them. */
	struct kvm_interrupt line = {.irq = level ? -1u : -2u};

	return kvm_ioctl(vcpu_fd, KVM_INTERRUPT, &line);
}

int kvm_vm_ioeventfd(struct kvm_vm *vm, int efd, uint64_t gpa, uint32_t value, struct err *err)
{
	struct kvm_ioeventfd req = {
		.datamatch = value,
		.addr = gpa,
		.len = 4,
		.fd = efd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};
	int rc = kvm_ioctl(vm->fd, KVM_IOEVENTFD, &req);

	return rc ? err_sys(err, rc, "KVM_IOEVENTFD at gpa %#llx", (unsigned long long)gpa) : 0;
}
