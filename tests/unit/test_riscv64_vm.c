// SPDX-License-Identifier: Apache-2.0
/*
 * What vm.c, cpu.c, load.c, regs.c and probe.c of riscv64 ask of KVM, on whatever KVM is here:
 * a small kernel is loaded as a real one is, and says with what it was entered.
 */
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/images.h"
#include "tests/unit/unit.h"
#include "vmm/arch/arch.h"
#include "vmm/arch/riscv64/cpu.h"
#include "vmm/arch/riscv64/layout.h"
#include "vmm/arch/riscv64/tree.h"

#define NCPUS	 2
#define TOLD_GPA 0x08000000ull /* where the kernel says it; nothing is there */
#define INITRD	 "some bytes of an initrd"

static const struct {
	struct kimage_header head;
	uint32_t code[10];
} kernel = {
	.head = {.code = {0x0400006f},	 /* j code */
		 .text_offset = 2 * MIB, /* as Linux has it */
		 .image_size = 64 * KIB,
		 .magic = KIMAGE_RISCV64},
	.code = {0x080002b7, /* lui t0, 0x8000 */
		 0x00a2b023, /* sd a0, 0(t0) */
		 0x00b2b023, /* sd a1, 0(t0) */
		 0x535258b7, /* lui a7, 0x53525 */
		 0x35488893, /* addi a7, a7, 0x354: SBI's system reset */
		 0x00000813, /* li a6, 0 */
		 0x00000513, /* li a0, 0: shutdown */
		 0x00000593, /* li a1, 0 */
		 0x00000073, /* ecall */
		 0x0000006f},
};

/* vCPUs without threads: the tests run the first by hand. */
static struct {
	struct kvm_host host;
	struct kvm_vm vm;
	struct gmem mem;
	struct vcpu_set set;
	struct kvm_vcpu vcpu[NCPUS];
	struct arch_boot boot;
	struct arch_entry entry;
} box;
static struct err err;

#define OK(call) ck_assert_msg((call) == 0, "%s", err.msg)

static void box_open(uint64_t ram)
{
	struct gmem_span span[GMEM_MAX_REGIONS];
	unsigned n;

	OK(kvm_host_open(&box.host, &err));
	OK(arch_host_init(&box.host, ram, &err));
	OK(kvm_vm_create(&box.vm, &box.host, &err));
	OK(arch_vm_init(&box.vm, &err));
	OK(arch_ram_layout(ram, span, &n, &err));
	OK(gmem_create(&box.mem, span, n, &err));
	OK(kvm_vm_add_memory(&box.vm, &box.mem, &err));
	box.set.vm = &box.vm;
	for (unsigned i = 0; i < NCPUS; i++) {
		struct kvm_vcpu *v = &box.vcpu[i];

		*v = (struct kvm_vcpu){.set = &box.set, .id = i};
		v->fd = kvm_ioctl(box.vm.fd, KVM_CREATE_VCPU, (void *)(uintptr_t)i);
		ck_assert_int_ge(v->fd, 0);
		v->run = mmap(NULL, box.host.run_len, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd,
			      0);
		ck_assert(v->run != MAP_FAILED);
	}
	OK(arch_vm_ready(&box.vm, NCPUS, &err));
	box.boot = (struct arch_boot){.mem = &box.mem,
				      .kernel_fd = images_file(&kernel, sizeof(kernel)),
				      .initrd_fd = images_file(INITRD, sizeof(INITRD)),
				      .kernel_name = "k",
				      .initrd_name = "i",
				      .cmdline = "some words",
				      .vcpu = box.vcpu,
				      .cpus = NCPUS,
				      .virtio_slots = 1};
}

static void box_boot(void)
{
	OK(arch_load(&box.boot, &box.entry, &err));
	for (unsigned i = 0; i < NCPUS; i++)
		OK(arch_vcpu_init(&box.vcpu[i], &box.mem, NCPUS, &box.entry, &err));
}

static void box_close(void)
{
	for (unsigned i = 0; i < NCPUS; i++) {
		munmap(box.vcpu[i].run, box.host.run_len);
		fd_close(&box.vcpu[i].fd);
	}
	fd_close(&box.boot.kernel_fd);
	fd_close(&box.boot.initrd_fd);
	kvm_vm_destroy(&box.vm);
	gmem_destroy(&box.mem);
	kvm_host_close(&box.host);
}

static uint64_t told(void)
{
	const struct kvm_run *run = box.vcpu[0].run;
	uint64_t v;

	ck_assert_int_eq(kvm_ioctl(box.vcpu[0].fd, KVM_RUN, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_MMIO);
	ck_assert(run->mmio.is_write);
	ck_assert_uint_eq(run->mmio.phys_addr, TOLD_GPA);
	ck_assert_uint_eq(run->mmio.len, sizeof(v));
	memcpy(&v, run->mmio.data, sizeof(v));
	return v;
}

START_TEST(a_kernel_is_entered_and_ends_the_machine)
{
	const struct kvm_run *run;

	box_open(8 * MIB);
	box_boot();
	run = box.vcpu[0].run;
	ck_assert_uint_eq(box.entry.pc, RISCV64_RAM_GPA + 2 * MIB);
	ck_assert_uint_eq(told(), 0); /* a0: the hart's number */
	ck_assert_uint_eq(told(), box.entry.arg);
	ck_assert_int_eq(kvm_ioctl(box.vcpu[0].fd, KVM_RUN, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_SYSTEM_EVENT);
	ck_assert_uint_eq(run->system_event.type, KVM_SYSTEM_EVENT_SHUTDOWN);
	box_close();
}
END_TEST

START_TEST(only_the_first_hart_runs)
{
	struct kvm_mp_state state[NCPUS];

	box_open(8 * MIB);
	box_boot();
	for (unsigned i = 0; i < NCPUS; i++)
		ck_assert_int_eq(kvm_ioctl(box.vcpu[i].fd, KVM_GET_MP_STATE, &state[i]), 0);
	ck_assert_uint_eq(state[0].mp_state, KVM_MP_STATE_RUNNABLE);
	ck_assert_uint_eq(state[1].mp_state, KVM_MP_STATE_STOPPED);
	box_close();
}
END_TEST

START_TEST(the_tree_is_of_this_kvm)
{
	static const char *const cpu = "/cpus/cpu@1";
	struct riscv64_hart hart;
	const char *isa;
	const void *dtb;
	uint64_t initrd;
	size_t size;
	int len;

	box_open(8 * MIB);
	box_boot();
	OK(riscv64_hart_read(box.vcpu[0].fd, &hart, &err));
	/* i, m, a and c are what a Linux guest can't be without; no CPU counts below 1 kHz. */
	ck_assert_uint_eq(hart.isa & 0x63, 0x63);
	ck_assert_uint_gt(hart.timebase, 1000);
	ck_assert(arch_has_dtb());
	dtb = arch_dtb(&box.mem, &box.entry, &size);
	ck_assert_int_eq(fdt_check_full(dtb, size), 0);
	ck_assert_uint_ge(box.entry.arg, box.entry.pc + kernel.head.image_size);
	ck_assert_uint_eq(box.entry.arg / (2 * MIB), (box.entry.arg + size - 1) / (2 * MIB));
	isa = fdt_getprop(dtb, fdt_path_offset(dtb, cpu), "riscv,isa", &len);
	ck_assert_ptr_nonnull(isa);
	ck_assert_int_eq(strncmp(isa, "rv64im", 6), 0);
	memcpy(&initrd,
	       fdt_getprop(dtb, fdt_path_offset(dtb, "/chosen"), "linux,initrd-start", &len),
	       sizeof(initrd));
	initrd = fdt64_to_cpu(initrd);
	ck_assert_uint_ge(initrd, box.entry.arg + size);
	ck_assert_mem_eq(gmem_ptr(&box.mem, initrd, sizeof(INITRD)), INITRD, sizeof(INITRD));
	box_close();
}
END_TEST

START_TEST(a_report_has_the_registers)
{
	const struct vcpu_stop stop = {.kind = VCPU_STOP_UNKNOWN_EXIT, .code = 99};
	char text[4096], pc[64];

	box_open(8 * MIB);
	box_boot();
	snprintf(pc, sizeof(pc), "pc   %016llx", (unsigned long long)box.entry.pc);
	arch_vcpu_report(&box.vcpu[0], &box.mem, &stop, text, sizeof(text));
	ck_assert_msg(strstr(text, "supervisor mode, interrupts off, MMU off"), "%s", text);
	ck_assert_msg(strstr(text, pc), "%s", text);
	ck_assert_msg(strstr(text, "6f 00 00 04"), "%s", text);
	box_close();
}
END_TEST

/* The external interrupt is bit 9 of sip; a PLIC of ours sets it this way. */
START_TEST(a_vcpu_sees_its_interrupt)
{
	const struct vcpu_stop stop = {.kind = VCPU_STOP_UNKNOWN_EXIT, .code = 99};
	char text[4096];

	box_open(8 * MIB);
	box_boot();
	if (box.host.irqs == KVM_IRQS_VCPU) {
		ck_assert_int_eq(kvm_vcpu_interrupt(box.vcpu[0].fd, true), 0);
		arch_vcpu_report(&box.vcpu[0], &box.mem, &stop, text, sizeof(text));
		ck_assert_msg(strstr(text, "sip  0000000000000200"), "%s", text);
		ck_assert_int_eq(kvm_vcpu_interrupt(box.vcpu[0].fd, false), 0);
	} else {
		ck_assert_uint_ne(box.vm.irqchip, 0);
		ck_assert_int_eq(kvm_vm_irq_pulse(&box.vm, RISCV64_SERIAL_GSI), 0);
		ck_assert_int_lt(kvm_vm_irq_pulse(&box.vm, RISCV64_SOURCES + 1), 0);
	}
	arch_vcpu_report(&box.vcpu[0], &box.mem, &stop, text, sizeof(text));
	ck_assert_msg(strstr(text, "sip  0000000000000000"), "%s", text);
	box_close();
}
END_TEST

START_TEST(what_does_not_fit_is_an_error)
{
	static const char big[2 * MIB];

	box_open(2 * MIB);
	ck_assert_int_eq(arch_load(&box.boot, &box.entry, &err), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "kernel 'k'"));
	box_close();
	box_open(6 * MIB);
	fd_close(&box.boot.initrd_fd);
	box.boot.initrd_fd = images_file(big, sizeof(big));
	ck_assert_int_eq(arch_load(&box.boot, &box.entry, &err), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "initrd 'i'"));
	box_close();
}
END_TEST

START_TEST(a_host_has_its_limit)
{
	unsigned bits;

	OK(kvm_host_open(&box.host, &err));
	bits = riscv64_gpa_bits(&box.host);
	ck_assert_uint_ge(bits, 41);
	OK(arch_host_init(&box.host, (1ull << bits) - RISCV64_RAM_GPA, &err));
	ck_assert_int_eq(arch_host_init(&box.host, 1ull << bits, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "-m "));
	kvm_host_close(&box.host);
}
END_TEST

START_TEST(a_host_has_a_speed_and_says_what_it_is)
{
	uint64_t ns = 0;
	char text[128];

	OK(kvm_host_open(&box.host, &err));
	OK(arch_probe_speed(&box.host, &ns, &err));
	ck_assert_uint_gt(ns, 10000);
	kvm_host_close(&box.host);
	arch_host_virt(text, sizeof(text));
	ck_assert_msg(strstr(text, "H extension"), "%s", text);
}
END_TEST

static int run_all(void);
int main(void)
{
	if (!access("/dev/kvm", R_OK | W_OK))
		return run_all();
	printf("skip - no /dev/kvm\n");
	return 77;
}

UNIT_RUN(static int run_all(void), "riscv64_vm", a_kernel_is_entered_and_ends_the_machine,
	 only_the_first_hart_runs, the_tree_is_of_this_kvm, a_report_has_the_registers,
	 a_vcpu_sees_its_interrupt, what_does_not_fit_is_an_error, a_host_has_its_limit,
	 a_host_has_a_speed_and_says_what_it_is)
