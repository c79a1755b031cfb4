// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/speed.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/arch/arch.h"
#include "vmm/base/clock.h"
#include "vmm/base/fd.h"

#define SLICES	   (1000000u / (2 * SPEED_TURNS))
#define SLICES_MIN 4u

int speed_open(struct speed *s, const struct kvm_host *host, const void *code, size_t len,
	       struct err *err)
{
	const struct gmem_span ram = {.gpa = 0, .len = SPEED_RAM_LEN};
	int rc;

	*s = (struct speed){.vm.fd = -1, .fd = -1, .run_len = host->run_len};
	rc = gmem_create(&s->mem, &ram, 1, err);
	if (!rc)
		rc = kvm_vm_create(&s->vm, host, err);
	if (!rc)
		rc = kvm_vm_add_memory(&s->vm, &s->mem, err);
	if (rc)
		return rc;
	s->fd = kvm_ioctl(s->vm.fd, KVM_CREATE_VCPU, NULL);
	if (s->fd < 0)
		return err_sys(err, s->fd, "KVM_CREATE_VCPU");
	s->run = mmap(NULL, s->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->run == MAP_FAILED) {
		s->run = NULL;
		return err_sys(err, -errno, "cannot map a vCPU's state");
	}
	memcpy(gmem_ptr(&s->mem, SPEED_CODE_GPA, len), code, len);
	return 0;
}

void speed_close(struct speed *s)
{
	if (s->run)
		munmap(s->run, s->run_len);
	fd_close(&s->fd);
	kvm_vm_destroy(&s->vm);
	gmem_destroy(&s->mem);
}

static int run_slice(struct speed *s, uint32_t exit_reason, struct err *err)
{
	int rc = kvm_ioctl(s->fd, KVM_RUN, NULL);

	if (rc < 0)
		return err_sys(err, rc, "KVM_RUN of a speed test");
	if (s->run->exit_reason != exit_reason)
		return err_set(err, -EIO,
			       "KVM can't run a loop of guest kernel code: exit reason %u",
			       s->run->exit_reason);
	return 0;
}

/*
 * The fastest slice counts: in others the host may have done something else. A slow KVM is slow
 * in all of them, and known as such after a few.
 */
int speed_measure(struct speed *s, uint32_t exit_reason, uint64_t *ns, struct err *err)
{
	uint64_t begin = clock_now_ns(), start = begin, best = UINT64_MAX;

	for (unsigned n = 0;
	     n < SLICES && (n < SLICES_MIN || start - begin < ARCH_PROBE_SLOW_NS); n++) {
		int rc = run_slice(s, exit_reason, err);
		uint64_t now = clock_now_ns();

		if (rc)
			return rc;
		if (now - start < best)
			best = now - start;
		start = now;
	}
	*ns = best * SLICES;
	return 0;
}
