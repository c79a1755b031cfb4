// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/x86_64/probe.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/arch/arch.h"
#include "vmm/arch/speed.h"
#include "vmm/arch/x86_64/cpu.h"

#define DONE_PORT 0x80

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

/* Flat 32-bit protected mode in ring 0: the PVH entry's state. */
static int set_state(const struct speed *s, struct err *err)
{
	const struct arch_entry entry = {.pvh = true, .pc = SPEED_CODE_GPA};
	struct kvm_regs regs = x86_entry_regs(&entry);
	struct kvm_sregs sregs;
	int rc;

	rc = kvm_ioctl(s->fd, KVM_GET_SREGS, &sregs);
	if (rc)
		return err_sys(err, rc, "KVM_GET_SREGS");
	x86_entry_sregs(&sregs, &entry);
	rc = kvm_ioctl(s->fd, KVM_SET_SREGS, &sregs);
	if (rc)
		return err_sys(err, rc, "KVM_SET_SREGS");
	rc = kvm_ioctl(s->fd, KVM_SET_REGS, &regs);
	return rc ? err_sys(err, rc, "KVM_SET_REGS") : 0;
}

int arch_probe_speed(const struct kvm_host *host, uint64_t *ns, struct err *err)
{
	static const uint8_t code[] = {
		0xb9,
		SPEED_TURNS & 0xff,
		SPEED_TURNS >> 8,
		0,
		0,    /* again: mov ecx, turns */
		0x49, /* turn: dec ecx */
		0x75,
		0xfd, /* jnz turn */
		0xe6,
		DONE_PORT, /* out DONE_PORT, al */
		0xeb,
		0xf4, /* jmp again */
	};
	struct speed s;
	int rc = speed_open(&s, host, code, sizeof(code), err);

	if (!rc)
		rc = set_state(&s, err);
	if (!rc)
		rc = speed_measure(&s, KVM_EXIT_IO, ns, err);
	speed_close(&s);
	return rc;
}
