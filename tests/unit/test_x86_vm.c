// SPDX-License-Identifier: Apache-2.0
/* What vm.c, cpu.c, report.c and probe.c ask of KVM, on whatever KVM is here. */
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/kvm_guest.h"
#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"
#include "vmm/arch/x86_64/cpuid.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/base/fd.h"
#include "vmm/io/pm_regs.h"

#define CODE_GPA 0x20000ull
#define NCPUS	 3

/* vCPUs without threads: the tests run them by hand. */
struct box {
	struct kvm_host host;
	struct kvm_vm vm;
	struct gmem mem;
	struct vcpu_set set;
	struct kvm_vcpu vcpu[NCPUS];
};

static void box_open(struct box *b, const struct arch_entry *entry)
{
	const struct gmem_span span = {.gpa = 0, .len = 1 << 20};
	struct err err = {{0}};

	memset(b, 0, sizeof(*b));
	ck_assert_int_eq(kvm_host_open(&b->host, &err), 0);
	ck_assert_int_eq(kvm_vm_create(&b->vm, &b->host, &err), 0);
	ck_assert_msg(arch_vm_init(&b->vm, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(gmem_create(&b->mem, &span, 1, &err), 0);
	ck_assert_int_eq(kvm_vm_add_memory(&b->vm, &b->mem, &err), 0);
	b->set.vm = &b->vm;
	for (unsigned i = 0; i < NCPUS; i++) {
		struct kvm_vcpu *v = &b->vcpu[i];

		*v = (struct kvm_vcpu){.set = &b->set, .id = i};
		v->fd = kvm_ioctl(b->vm.fd, KVM_CREATE_VCPU, (void *)(uintptr_t)i);
		ck_assert_int_ge(v->fd, 0);
		v->run = mmap(NULL, b->host.run_len, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
			      0);
		ck_assert(v->run != MAP_FAILED);
		ck_assert_msg(arch_vcpu_init(v, &b->mem, NCPUS, entry, &err) == 0, "%s",
			      err.msg);
	}
}

static void box_close(struct box *b)
{
	for (unsigned i = 0; i < NCPUS; i++) {
		munmap(b->vcpu[i].run, b->host.run_len);
		fd_close(&b->vcpu[i].fd);
	}
	kvm_vm_destroy(&b->vm);
	gmem_destroy(&b->mem);
	kvm_host_close(&b->host);
}

static const struct arch_entry bits64 = {.pc = CODE_GPA, .arg = 0x1234567};
static const struct arch_entry pvh = {.pvh = true, .pc = CODE_GPA, .arg = 0x7654321};

START_TEST(the_pic_is_masked)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_PIC_MASTER};
	struct box b;

	box_open(&b, &pvh);
	ck_assert_int_eq(kvm_ioctl(b.vm.fd, KVM_GET_IRQCHIP, &chip), 0);
	ck_assert_uint_eq(chip.chip.pic.imr, 0xff);
	chip.chip_id = KVM_IRQCHIP_PIC_SLAVE;
	ck_assert_int_eq(kvm_ioctl(b.vm.fd, KVM_GET_IRQCHIP, &chip), 0);
	ck_assert_uint_eq(chip.chip.pic.imr, 0xff);
	box_close(&b);
}
END_TEST

static uint32_t lapic_register(const struct kvm_vcpu *v, unsigned off)
{
	struct kvm_lapic_state s;
	uint32_t r;

	ck_assert_int_eq(kvm_ioctl(v->fd, KVM_GET_LAPIC, &s), 0);
	memcpy(&r, s.regs + off, sizeof(r));
	return r;
}

START_TEST(interrupt_inputs_and_run_states)
{
	struct box b;

	box_open(&b, &bits64);
	for (unsigned i = 0; i < NCPUS; i++) {
		struct kvm_mp_state mp;

		ck_assert_int_eq(kvm_ioctl(b.vcpu[i].fd, KVM_GET_MP_STATE, &mp), 0);
		ck_assert_uint_eq(mp.mp_state,
				  i ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE);
		ck_assert_uint_eq(lapic_register(&b.vcpu[i], 0x20) >> 24, i);
		ck_assert_uint_eq(lapic_register(&b.vcpu[i], 0x350), i ? 0x10000 : 0x700);
		ck_assert_uint_eq(lapic_register(&b.vcpu[i], 0x360), 0x400);
	}
	box_close(&b);
}
END_TEST

START_TEST(cpuid_reads_back)
{
	union {
		struct kvm_cpuid2 c;
		uint8_t room[sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2)];
	} u;
	struct box b;

	box_open(&b, &bits64);
	for (unsigned i = 0; i < NCPUS; i++) {
		const struct kvm_cpuid_entry2 *e;

		memset(&u, 0, sizeof(u));
		u.c.nent = 256;
		ck_assert_int_eq(kvm_ioctl(b.vcpu[i].fd, KVM_GET_CPUID2, &u), 0);
		e = x86_cpuid_find(&u.c, 1, 0);
		ck_assert_ptr_nonnull(e);
		ck_assert_uint_eq(e->ebx >> 16, i << 8 | NCPUS);
		ck_assert(e->ecx & 1u << 31);
		ck_assert(e->edx & 1u << 28);
		e = x86_cpuid_find(&u.c, 0xb, 1);
		ck_assert_ptr_nonnull(e);
		ck_assert_uint_eq(e->edx, i);
		ck_assert_uint_eq(e->eax, 2);
		e = x86_cpuid_find(&u.c, 0x40000000, 0);
		ck_assert_ptr_nonnull(e);
		ck_assert_uint_eq(e->ebx, 0x4b4d564b); /* "KVMK" */
	}
	box_close(&b);
}
END_TEST

static uint64_t msr(const struct kvm_vcpu *v, uint32_t index)
{
	union {
		struct kvm_msrs list;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} m = {.list.nmsrs = 1};

	m.list.entries[0].index = index;
	ck_assert_int_eq(kvm_ioctl(v->fd, KVM_GET_MSRS, &m), 1);
	return m.list.entries[0].data;
}

START_TEST(msrs_fpu_and_segments_read_back)
{
	struct kvm_sregs s;
	struct kvm_fpu fpu;
	struct box b;

	box_open(&b, &bits64);
	for (unsigned i = 0; i < NCPUS; i++) {
		ck_assert(msr(&b.vcpu[i], 0x1a0) & 1);
		ck_assert_uint_eq(msr(&b.vcpu[i], 0x2ff), 0x806);
		ck_assert_int_eq(kvm_ioctl(b.vcpu[i].fd, KVM_GET_FPU, &fpu), 0);
		ck_assert_uint_eq(fpu.fcw, 0x37f);
	}
	ck_assert_int_eq(kvm_ioctl(b.vcpu[0].fd, KVM_GET_SREGS, &s), 0);
	ck_assert_uint_eq(s.cs.selector, 0x10);
	ck_assert(s.cs.l == 1 && s.cs.db == 0);
	ck_assert_uint_eq(s.efer & 0x500, 0x500);
	ck_assert_uint_eq(s.cr3, X86_PAGE_TABLES_GPA);
	ck_assert_int_eq(kvm_ioctl(b.vcpu[1].fd, KVM_GET_SREGS, &s), 0);
	ck_assert_uint_eq(s.cs.base, 0xffff0000);
	box_close(&b);
}
END_TEST

/* A kernel that asks the BIOS for a reset: in real mode at F000:FFF0. */
START_TEST(the_reset_vector_runs)
{
	struct kvm_regs regs = {.rip = 0xfff0, .rflags = 2};
	const struct kvm_run *run;
	struct kvm_sregs real, s;
	struct box b;

	box_open(&b, &pvh);
	run = b.vcpu[0].run;
	ck_assert_int_eq(kvm_ioctl(b.vcpu[0].fd, KVM_GET_SREGS, &s), 0);
	/* Another vCPU is still in real mode, as its reset left it. */
	ck_assert_int_eq(kvm_ioctl(b.vcpu[1].fd, KVM_GET_SREGS, &real), 0);
	real.apic_base = s.apic_base;
	real.cs.base = 0xf0000;
	ck_assert_int_eq(kvm_ioctl(b.vcpu[0].fd, KVM_SET_SREGS, &real), 0);
	ck_assert_int_eq(kvm_ioctl(b.vcpu[0].fd, KVM_SET_REGS, &regs), 0);
	ck_assert_int_eq(kvm_ioctl(b.vcpu[0].fd, KVM_RUN, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_IO);
	ck_assert_uint_eq(run->io.port, X86_PM_PORT + PM_REG_RESET);
	ck_assert_uint_eq(*((const uint8_t *)run + run->io.data_offset), PM_RESET_VALUE);
	box_close(&b);
}
END_TEST

/* Run code in the entry's state; it tells us a register by a port. Gives what it wrote. */
static uint32_t run_and_get(const struct arch_entry *entry, const void *code, size_t len)
{
	const struct kvm_run *run;
	uint32_t value = 0;
	struct box b;

	box_open(&b, entry);
	run = b.vcpu[0].run;
	memcpy(gmem_ptr(&b.mem, CODE_GPA, len), code, len);
	ck_assert_int_eq(kvm_ioctl(b.vcpu[0].fd, KVM_RUN, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_IO);
	ck_assert(run->io.direction == KVM_EXIT_IO_OUT && run->io.size == 4);
	memcpy(&value, (const uint8_t *)run + run->io.data_offset, sizeof(value));
	box_close(&b);
	return value;
}

START_TEST(the_64_bit_entry_runs)
{
	static const uint8_t code[] = {
		0x48, 0xb8, 0,	  0, 0, 0, 1, 0, 0, 0, /* mov rax, 1 << 32 */
		0x48, 0x01, 0xf0,		       /* add rax, rsi */
		0x48, 0xc1, 0xe8, 4,		       /* shr rax, 4 */
		0xe7, 0x80,			       /* out 80h, eax */
	};

	ck_assert_uint_eq(run_and_get(&bits64, code, sizeof(code)), 0x10123456);
}
END_TEST

START_TEST(the_pvh_entry_runs)
{
	static const uint8_t code[] = {
		0x89, 0xd8, /* mov eax, ebx */
		0x40,	    /* inc eax: in 64-bit code a prefix */
		0xe7, 0x80, /* out 80h, eax */
	};

	ck_assert_uint_eq(run_and_get(&pvh, code, sizeof(code)), 0x7654322);
}
END_TEST

static void run_into(struct box *b, const struct arch_entry *entry, const void *code,
		     size_t len, char *text, size_t size)
{
	struct kvm_run *run;
	struct vcpu_stop stop = {0};

	box_open(b, entry);
	run = b->vcpu[0].run;
	if (len)
		memcpy(gmem_ptr(&b->mem, CODE_GPA, len), code, len);
	ck_assert_int_eq(kvm_ioctl(b->vcpu[0].fd, KVM_RUN, NULL), 0);
	if (run->exit_reason == KVM_EXIT_SHUTDOWN) {
		stop.kind = VCPU_STOP_SHUTDOWN;
	} else {
		ck_assert_uint_eq(run->exit_reason, KVM_EXIT_INTERNAL_ERROR);
		stop.kind = VCPU_STOP_INTERNAL_ERROR;
		stop.code = run->internal.suberror;
	}
	arch_vcpu_report(&b->vcpu[0], &b->mem, &stop, text, size);
	box_close(b);
}

START_TEST(a_triple_fault_is_reported)
{
	static const uint8_t ud2[] = {0x0f, 0x0b};
	char text[4096];
	struct box b;

	run_into(&b, &bits64, ud2, sizeof(ud2), text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "vCPU 0 stopped: triple fault"));
	/* AMD resets the registers on the way out. */
	if (!strstr(text, "reset since"))
		ck_assert_ptr_nonnull(strstr(text, "memory at rip: 0f 0b"));
}
END_TEST

/* No KVM can run code from where no memory is. */
START_TEST(code_outside_of_memory_is_reported)
{
	const struct arch_entry nowhere = {.pc = X86_VIRTIO_GPA};
	char text[4096];
	struct box b;

	run_into(&b, &nowhere, NULL, 0, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "internal error 1"));
	ck_assert_ptr_nonnull(strstr(text, "rip  00000000d0000000"));
	ck_assert_ptr_nonnull(strstr(text, "not RAM"));
}
END_TEST

START_TEST(the_speed_is_measured)
{
	struct kvm_host host;
	struct err err = {{0}};
	uint64_t ns = 0;

	ck_assert_int_eq(kvm_host_open(&host, &err), 0);
	ck_assert_msg(arch_probe_speed(&host, &ns, &err) == 0, "%s", err.msg);
	/* A million instructions: no CPU needs less than 10 us, no useful KVM a minute. */
	ck_assert_uint_gt(ns, 10000);
	ck_assert_uint_lt(ns, 60000000000ull);
	kvm_host_close(&host);
}
END_TEST

UNIT_MAIN_KVM("x86_vm", the_pic_is_masked, interrupt_inputs_and_run_states, cpuid_reads_back,
	      msrs_fpu_and_segments_read_back, the_reset_vector_runs, the_64_bit_entry_runs,
	      the_pvh_entry_runs, a_triple_fault_is_reported,
	      code_outside_of_memory_is_reported, the_speed_is_measured)
