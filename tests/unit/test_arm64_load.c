// SPDX-License-Identifier: Apache-2.0
/* arch_load() of arm64, and what it loads, on the KVM that is here. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/unit/arm64_box.h"
#include "tests/unit/dtb.h"
#include "tests/unit/images.h"
#include "tests/unit/unit.h"
#include "vmm/arch/arm64/layout.h"
#include "vmm/arch/fdt/nodes.h"

static struct err err;
static struct images_kernel k;
static char initrd[70000];
static struct arch_entry entry;

static int load(struct box *b, int kernel_fd, int initrd_fd, const char *cmdline)
{
	const struct arch_boot boot = {
		.mem = &b->mem,
		.kernel_fd = kernel_fd,
		.initrd_fd = initrd_fd,
		.kernel_name = "k",
		.initrd_name = "i",
		.cmdline = cmdline,
		.vcpu = b->set.vcpu,
		.cpus = BOX_CPUS,
		.virtio_slots = 1,
	};

	return arch_load(&boot, &entry, &err);
}

START_TEST(everything_is_where_the_tree_says)
{
	int kernel_fd, initrd_fd;
	const void *dtb;
	struct box b;
	uint64_t at;
	size_t len;

	images_kernel(&k);
	memset(initrd, 'i', sizeof(initrd));
	kernel_fd = images_file(&k, sizeof(k));
	initrd_fd = images_file(initrd, sizeof(initrd));
	box_open(&b, BOX_RAM);
	ck_assert_msg(!load(&b, kernel_fd, initrd_fd, "a long command line"), "%s", err.msg);
	ck_assert_uint_eq(entry.pc, ARM64_RAM_GPA);
	ck_assert_uint_eq(entry.arg % 8, 0);
	ck_assert_uint_ge(entry.arg, ARM64_RAM_GPA + k.h.image_size);
	ck_assert_mem_eq(gmem_ptr(&b.mem, entry.pc, sizeof(k)), &k, sizeof(k));
	dtb = arch_dtb(&b.mem, &entry, &len);
	ck_assert(arch_has_dtb());
	ck_assert_int_eq(fdt_check_full(dtb, len), 0);
	ck_assert_str_eq(dtb_text(dtb, "/chosen", "bootargs"), "a long command line");
	ck_assert_str_eq(dtb_text(dtb, "/interrupt-controller@8000000", "compatible"),
			 b.vm.irqchip == KVM_DEV_TYPE_ARM_VGIC_V3 ? "arm,gic-v3"
								  : "arm,cortex-a15-gic");
	dtb_node(dtb, "/cpus/cpu@1");
	dtb_node(dtb, "/virtio@11000000");
	at = dtb_u64(dtb, "/chosen", "linux,initrd-start");
	ck_assert_uint_eq(dtb_u64(dtb, "/chosen", "linux,initrd-end"), at + sizeof(initrd));
	ck_assert_uint_ge(at, entry.arg + len);
	ck_assert_mem_eq(gmem_ptr(&b.mem, at, sizeof(initrd)), initrd, sizeof(initrd));
	/* Another boot, as after a reset. */
	ck_assert_int_eq(load(&b, kernel_fd, -1, "short"), 0);
	dtb = arch_dtb(&b.mem, &entry, &len);
	ck_assert_str_eq(dtb_text(dtb, "/chosen", "bootargs"), "short");
	ck_assert(!dtb_has(dtb, "/chosen", "linux,initrd-start"));
	box_close(&b);
	close(kernel_fd);
	close(initrd_fd);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
	int kernel_fd, initrd_fd;
	struct box b;

	images_kernel(&k);
	k.h.image_size = 2 * MIB;
	kernel_fd = images_file(&k, sizeof(k));
	initrd_fd = images_file(initrd, sizeof(initrd));
	/* Room for the kernel, and not for the tree; for the tree, and not for the initrd. */
	box_open(&b, 2 * MIB);
	ck_assert_int_eq(load(&b, kernel_fd, -1, ""), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "kernel 'k': needs RAM"));
	box_close(&b);
	box_open(&b, 2 * MIB + DT_TREE_MAX);
	ck_assert_msg(!load(&b, kernel_fd, -1, ""), "%s", err.msg);
	ck_assert_int_eq(load(&b, kernel_fd, initrd_fd, ""), -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "initrd 'i': 68.4 KiB do not fit"));
	box_close(&b);
	close(kernel_fd);
	close(initrd_fd);
}
END_TEST

#define SYSTEM_OFF   0x72800100 /* movk w0, #8 */
#define SYSTEM_RESET 0x72800120 /* movk w0, #9 */

/* Tells the device in slot 0 what x0 is, and has another vCPU tell it, too, and end. */
static const uint32_t two_cpus[] = {
	0xd2a22001,		/* mov x1, 0x11000000 */
	0xb9000020,		/* str w0, [x1] */
	0xd2b88000,		/* mov x0, 0xc4000003: CPU_ON */
	0xf2800060, 0xd2800021, /* mov x1, 1 */
	0x10000082,		/* adr x2, second */
	0xd2800ee3,		/* mov x3, 0x77 */
	0xd4000002,		/* hvc 0 */
	0x14000000,		/* b . */
	0xd2a22001,		/* second: mov x1, 0x11000000 */
	0xb9000420,		/* str w0, [x1, 4] */
	0x52b08000,		/* mov w0, 0x84000008 */
	SYSTEM_OFF, 0xd4000002, /* hvc 0 */
	0x14000000,		/* b . */
};
#define END_WORD 12

static _Atomic uint64_t told[2];

static void on_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	(void)opaque;
	if (off / 4 < 2 && len == 4)
		told[off / 4] = value;
}

static uint64_t on_read(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	(void)off;
	(void)len;
	return 0;
}

static void boot(uint32_t end, enum vcpu_stop_kind kind)
{
	static const struct bus_ops ops = {.read = on_read, .write = on_write};
	struct vcpu_stop stop;
	struct pollfd p;
	struct box b;
	int fd;

	images_kernel(&k);
	k.h.code[0] = 0x14000010; /* b to what follows the header */
	memcpy(k.code, two_cpus, sizeof(two_cpus));
	memcpy(k.code + 4 * END_WORD, &end, sizeof(end));
	fd = images_file(&k, sizeof(k));
	told[0] = told[1] = 0;
	box_open(&b, BOX_RAM);
	ck_assert_int_eq(bus_add(&b.mmio, ARM64_VIRTIO_GPA, 0x1000, &ops, NULL), 0);
	ck_assert_int_eq(load(&b, fd, -1, ""), 0);
	box_init(&b, &entry);
	ck_assert_int_eq(vcpus_start(&b.set, &err), 0);
	vcpus_resume(&b.set);
	p = (struct pollfd){.fd = b.stop_fd, .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	stop = vcpus_stop_reason(&b.set);
	ck_assert_int_eq(stop.kind, kind);
	ck_assert_uint_eq(stop.vcpu, 1);
	ck_assert_uint_eq(told[0], entry.arg);
	ck_assert_uint_eq(told[1], 0x77);
	box_close(&b);
	close(fd);
}

START_TEST(a_kernel_boots_two_cpus_and_ends)
{
	boot(SYSTEM_OFF, VCPU_STOP_POWEROFF);
	boot(SYSTEM_RESET, VCPU_STOP_RESET);
}
END_TEST

UNIT_MAIN("arm64_load", everything_is_where_the_tree_says, what_does_not_fit_is_refused,
	  a_kernel_boots_two_cpus_and_ends)
