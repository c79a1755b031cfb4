// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/cpu.h"
#include "vmm/base/clock.h"
#include "vmm/base/fd.h"

/* The loop has two instructions a turn and reports to us after each slice. */
#define PROBE_INSTRUCTIONS 1000000u
#define SLICE_INSTRUCTIONS 20000u
#define SLICES		   (PROBE_INSTRUCTIONS / SLICE_INSTRUCTIONS)
#define CODE_GPA	   0x1000ull
#define DONE_PORT	   0x80

enum x86_virt x86_virt_parse(FILE *cpuinfo)
{
	enum x86_virt found = X86_VIRT_NONE;
	char *line = NULL, *word, *state;
	size_t cap = 0;

	while (getline(&line, &cap, cpuinfo) > 0) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		for (word = strtok_r(line, " \t\n:", &state); word;
		     word = strtok_r(NULL, " \t\n:", &state)) {
			if (!strcmp(word, "svm"))
				found = X86_VIRT_SVM;
			else if (!strcmp(word, "vmx"))
				found = X86_VIRT_VMX;
		}
		break;
	}
	free(line);
	return found;
}

enum x86_virt x86_host_virt(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	enum x86_virt virt;

	if (!f)
		return X86_VIRT_NONE;
	virt = x86_virt_parse(f);
	fclose(f);
	return virt;
}

void arch_host_virt(char *out, size_t len)
{
	static const char *const names[] = {
		[X86_VIRT_NONE] = "none (no svm or vmx in /proc/cpuinfo)",
		[X86_VIRT_SVM] = "AMD SVM",
		[X86_VIRT_VMX] = "Intel VT-x",
	};

	snprintf(out, len, "%s", names[x86_host_virt()]);
}

struct probe {
	struct gmem mem;
	struct kvm_vm vm;
	int fd; /* the vCPU */
	struct kvm_run *run;
	size_t run_len;
};

static void probe_close(struct probe *p)
{
	if (p->run)
		munmap(p->run, p->run_len);
	fd_close(&p->fd);
	kvm_vm_destroy(&p->vm);
	gmem_destroy(&p->mem);
}

static void write_code(struct probe *p)
{
	static const uint8_t code[] = {
		0xb9, 0,	 0, 0, 0, /* again: mov ecx, turns */
		0x49,			  /* turn: dec ecx */
		0x75, 0xfd,		  /* jnz turn */
		0xe6, DONE_PORT,	  /* out DONE_PORT, al */
		0xeb, 0xf4,		  /* jmp again */
	};
	const uint32_t turns = SLICE_INSTRUCTIONS / 2;
	uint8_t *at = gmem_ptr(&p->mem, CODE_GPA, sizeof(code));

	memcpy(at, code, sizeof(code));
	memcpy(at + 1, &turns, sizeof(turns));
}

static int probe_open(struct probe *p, const struct kvm_host *host, struct err *err)
{
	const struct gmem_span ram = {.gpa = 0, .len = 2 * GMEM_PAGE_SIZE};
	int rc;

	*p = (struct probe){.vm.fd = -1, .fd = -1, .run_len = host->run_len};
	rc = gmem_create(&p->mem, &ram, 1, err);
	if (!rc)
		rc = kvm_vm_create(&p->vm, host, err);
	if (!rc)
		rc = kvm_vm_add_memory(&p->vm, &p->mem, err);
	if (rc)
		return rc;
	p->fd = kvm_ioctl(p->vm.fd, KVM_CREATE_VCPU, NULL);
	if (p->fd < 0)
		return err_sys(err, p->fd, "KVM_CREATE_VCPU");
	p->run = mmap(NULL, p->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	if (p->run == MAP_FAILED) {
		p->run = NULL;
		return err_sys(err, -errno, "cannot map a vCPU's state");
	}
	write_code(p);
	return 0;
}

/* Flat 32-bit protected mode in ring 0: the PVH entry's state. */
static int probe_set_state(struct probe *p, struct err *err)
{
	const struct arch_entry entry = {.pvh = true, .pc = CODE_GPA};
	struct kvm_regs regs = x86_entry_regs(&entry);
	struct kvm_sregs sregs;
	int rc;

	rc = kvm_ioctl(p->fd, KVM_GET_SREGS, &sregs);
	if (rc)
		return err_sys(err, rc, "KVM_GET_SREGS");
	x86_entry_sregs(&sregs, &entry);
	rc = kvm_ioctl(p->fd, KVM_SET_SREGS, &sregs);
	if (rc)
		return err_sys(err, rc, "KVM_SET_SREGS");
	rc = kvm_ioctl(p->fd, KVM_SET_REGS, &regs);
	return rc ? err_sys(err, rc, "KVM_SET_REGS") : 0;
}

static int run_slice(struct probe *p, struct err *err)
{
	int rc = kvm_ioctl(p->fd, KVM_RUN, NULL);

	if (rc < 0)
		return err_sys(err, rc, "KVM_RUN of a speed test");
	if (p->run->exit_reason != KVM_EXIT_IO || p->run->io.port != DONE_PORT)
		return err_set(err, -EIO,
			       "KVM can't run a loop of guest kernel code: exit reason %u",
			       p->run->exit_reason);
	return 0;
}

/* A slow KVM is known as such after a few slices; the rest is extrapolated. */
static int probe_time(struct probe *p, uint64_t *ns, struct err *err)
{
	uint64_t start = clock_now_ns(), elapsed = 0;
	unsigned n = 0;

	while (n < SLICES && elapsed < ARCH_PROBE_SLOW_NS) {
		int rc = run_slice(p, err);

		if (rc)
			return rc;
		n++;
		elapsed = clock_now_ns() - start;
	}
	*ns = elapsed * SLICES / n;
	return 0;
}

int arch_probe_speed(const struct kvm_host *host, uint64_t *ns, struct err *err)
{
	struct probe p;
	int rc = probe_open(&p, host, err);

	if (!rc)
		rc = probe_set_state(&p, err);
	if (!rc)
		rc = probe_time(&p, ns, err);
	probe_close(&p);
	return rc;
}
