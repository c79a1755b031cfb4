// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/tiny_kernel.h"

#include <assert.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/base/clock.h"

#define LOAD_GPA 0x100000u

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	struct {
		Elf64_Nhdr nh;
		char name[4];
		uint64_t entry;
	} note;
	uint8_t code[256];
};

int tiny_kernel(const void *code, size_t len)
{
	struct image img = {
		.eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		       .e_type = ET_EXEC,
		       .e_machine = EM_X86_64,
		       .e_version = EV_CURRENT,
		       .e_entry = LOAD_GPA,
		       .e_phoff = offsetof(struct image, ph),
		       .e_ehsize = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 2},
		.ph = {{.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_offset = offsetof(struct image, code),
			.p_vaddr = LOAD_GPA,
			.p_paddr = LOAD_GPA,
			.p_filesz = sizeof(img.code),
			.p_memsz = sizeof(img.code)},
		       {.p_type = PT_NOTE,
			.p_offset = offsetof(struct image, note),
			.p_filesz = sizeof(img.note),
			.p_memsz = sizeof(img.note),
			.p_align = 4}},
		.note = {.nh = {.n_namesz = 4, .n_descsz = 8, .n_type = 18},
			 .name = "Xen",
			 .entry = LOAD_GPA},
	};
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert(len <= sizeof(img.code));
	memcpy(img.code, code, len);
	assert(fd >= 0 && write(fd, &img, sizeof(img)) == (ssize_t)sizeof(img));
	return fd;
}

static void on_event(void *opaque, enum machine_event ev)
{
	struct tiny_machine *t = opaque;

	t->events[ev]++;
}

void tiny_create(struct tiny_machine *t, unsigned n, bool balloon, const void *code, size_t len)
{
	struct err err;

	memset(t, 0, sizeof(*t));
	t->kernel_fd = tiny_kernel(code, len);
	snprintf(t->kernel_path, sizeof(t->kernel_path), "/proc/self/fd/%d", t->kernel_fd);
	vm_config_init(&t->cfg);
	t->cfg.kernel = t->kernel_path;
	t->cfg.mem = 32 * MIB;
	t->cfg.cpus = n;
	t->cfg.console = CONSOLE_NONE;
	t->cfg.balloon.enabled = balloon;
	assert(!vm_config_check(&t->cfg, &err));
	t->loop = loop_create();
	assert(t->loop);
	t->m = machine_create(&t->cfg, t->loop, &err);
	if (!t->m)
		fprintf(stderr, "%s\n", err.msg);
	assert(t->m);
	machine_listen(t->m, on_event, t);
}

void tiny_destroy(struct tiny_machine *t)
{
	machine_destroy(t->m);
	loop_destroy(t->loop);
	close(t->kernel_fd);
}

static void on_timeout(void *opaque)
{
	loop_stop(opaque);
}

bool tiny_run(struct tiny_machine *t, unsigned ms)
{
	struct loop_timer *timer = loop_timer_create(t->loop, on_timeout, t->loop);

	assert(timer);
	loop_timer_set(timer, ms * NSEC_PER_MSEC, 0);
	loop_run(t->loop);
	loop_timer_destroy(timer);
	return machine_state(t->m) == MACHINE_ENDED;
}
