// SPDX-License-Identifier: Apache-2.0
/*
 * The dirty log with a guest of thirty bytes, which in 64-bit user mode adds 1 to the first
 * byte of every page that a list names, rings, and begins anew. Nothing else of it writes.
 */
#include "vmm/kvm/dirty.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/virtio/virtqueue.h"
#include "tests/unit/kvm_guest.h"
#include "tests/unit/ring.h"
#include "tests/unit/unit.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/fd.h"
#include "vmm/base/size.h"
#include "vmm/reclaim/discard.h"
#include "vmm/reclaim/hintset.h"

/* 2 MiB at 0, and at 16 MiB 300 MiB and 100 pages: more than a slice, and no multiple of 64. */
#define LOW_PAGES  512u
#define HIGH_GPA   (16 * MIB)
#define HIGH_PAGES (300u * 256 + 100)
#define HIGH_PFN   (HIGH_GPA >> GMEM_PAGE_SHIFT)
#define NPAGES	   (LOW_PAGES + HIGH_PAGES)

/* The guest's own: it runs here, so KVM may log these pages; a page that is only read counts as
 * written when KVM maps it writable at once. */
#define OWN_PAGES 6u

#define CODE_GPA 0x1000
#define PML4_GPA 0x2000
#define PDPT_GPA 0x3000
#define PD_GPA	 0x4000
#define LIST_GPA 0x5000
#define BELL_GPA 0x3f000000

static const struct gmem_span spans[] = {{0, LOW_PAGES *GMEM_PAGE_SIZE},
					 {HIGH_GPA, HIGH_PAGES *GMEM_PAGE_SIZE}};

/* Present, writable, for user mode, accessed, dirty: so that nobody has to set those. */
#define PTE 0x67u
#define BIG 0x80u

static const uint8_t code[] = {
	0xbe, 0x00, 0x50, 0x00, 0x00, /* start: mov esi, LIST_GPA */
	0x48, 0x8b, 0x06,	      /* next: mov rax, [rsi] */
	0x48, 0x85, 0xc0,	      /* test rax, rax */
	0x74, 0x08,		      /* jz ring */
	0xfe, 0x00,		      /* inc byte [rax] */
	0x48, 0x83, 0xc6, 0x08,	      /* add rsi, 8 */
	0xeb, 0xf0,		      /* jmp next */
	0xb8, 0x00, 0x00, 0x00, 0x3f, /* ring: mov eax, BELL_GPA */
	0x89, 0x00,		      /* mov [rax], eax */
	0xeb, 0xe2,		      /* jmp start */
};

/* Stands in for ioctl(2), by the linker; see the Makefile. */
int __wrap_ioctl(int fd, unsigned long req, void *arg);
int __real_ioctl(int fd, unsigned long req, void *arg);

static unsigned long fail_req;
static unsigned fail_nth; /* counts down; the one that gets to 0 fails */
static int cap_mask = ~0; /* of the manual mode's flags */

int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	if (req == fail_req && fail_nth && !--fail_nth) {
		errno = EIO;
		return -1;
	}
	if (req == KVM_CHECK_EXTENSION && (long)arg == KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
		return __real_ioctl(fd, req, arg) & cap_mask;
	return __real_ioctl(fd, req, arg);
}

struct guest {
	struct kvm_guest g;
	struct kvm_dirty log;
	_Atomic unsigned rung;
};

static void on_bell(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct guest *t = opaque;

	(void)off;
	(void)len;
	(void)value;
	vcpus_hold(&t->g.vcpus);
	atomic_fetch_add(&t->rung, 1);
}

static uint64_t on_read(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	(void)off;
	(void)len;
	return 0;
}

static const struct bus_ops bell_ops = {.read = on_read, .write = on_bell};

static void poke64(struct gmem *mem, uint64_t gpa, uint64_t v)
{
	ring_poke(mem, gpa, &v, sizeof(v));
}

static void load(struct gmem *mem)
{
	ring_poke(mem, CODE_GPA, code, sizeof(code));
	poke64(mem, PML4_GPA, PDPT_GPA | PTE);
	poke64(mem, PDPT_GPA, PD_GPA | PTE);
	for (uint64_t i = 0; i < 512; i++)
		poke64(mem, PD_GPA + 8 * i, i * 2 * MIB | PTE | BIG);
}

static void enter_user_mode(const struct kvm_vcpu *v)
{
	struct kvm_segment data = {.limit = 0xffffffff,
				   .selector = 0x2b,
				   .type = 3,
				   .present = 1,
				   .dpl = 3,
				   .db = 1,
				   .s = 1,
				   .g = 1};
	struct kvm_regs regs = {.rip = CODE_GPA, .rflags = 2};
	struct kvm_sregs s;

	ck_assert_int_eq(kvm_ioctl(v->fd, KVM_GET_SREGS, &s), 0);
	s.ds = s.es = s.ss = s.fs = s.gs = data;
	s.cs = data;
	s.cs.selector = 0x33;
	s.cs.type = 11;
	s.cs.db = 0;
	s.cs.l = 1;
	s.cr0 = 0x80010033; /* PG, WP, NE, ET, MP, PE */
	s.cr3 = PML4_GPA;
	s.cr4 = 0x20;	/* PAE */
	s.efer = 0x501; /* LMA, LME, SCE */
	ck_assert_int_eq(kvm_ioctl(v->fd, KVM_SET_SREGS, &s), 0);
	ck_assert_int_eq(kvm_ioctl(v->fd, KVM_SET_REGS, &regs), 0);
}

static void setup_with(struct guest *t, enum gmem_backing backing)
{
	const struct gmem_config config = {.backing = backing};
	struct kvm_guest *g = &t->g;

	memset(t, 0, sizeof(*t));
	ck_assert_int_eq(bus_add(&g->mmio, BELL_GPA, 8, &bell_ops, t), 0);
	ck_assert_int_eq(kvm_host_open(&g->host, NULL), 0);
	ck_assert_int_eq(kvm_vm_create(&g->vm, &g->host, NULL), 0);
	ck_assert_int_eq(gmem_create_with(&g->mem, spans, 2, &config, NULL), 0);
	ck_assert_int_eq(kvm_vm_add_memory(&g->vm, &g->mem, NULL), 0);
	load(&g->mem);
	g->stop_fd = fd_eventfd();
	ck_assert_int_eq(
		vcpus_create(&g->vcpus, &g->vm, 1, &g->pio, &g->mmio, g->stop_fd, NULL), 0);
	enter_user_mode(&g->vcpus.vcpu[0]);
	ck_assert_int_eq(vcpus_start(&g->vcpus, NULL), 0);
}

static void setup(struct guest *t)
{
	setup_with(t, GMEM_ANON);
}

static void teardown(struct guest *t)
{
	kvm_dirty_stop(&t->log);
	kvm_guest_destroy(&t->g);
}

/* Let the guest write the n pages once. */
static void write_pages(struct guest *t, const uint64_t *pfn, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		poke64(&t->g.mem, LIST_GPA + 8 * i, pfn[i] << GMEM_PAGE_SHIFT);
	poke64(&t->g.mem, LIST_GPA + 8 * n, 0);
	atomic_store(&t->rung, 0);
	vcpus_resume(&t->g.vcpus);
	for (int ms = 0; ms < 20000 && !atomic_load(&t->rung); ms++)
		usleep(1000);
	vcpus_pause(&t->g.vcpus);
	ck_assert_int_eq(vcpus_stop_reason(&t->g.vcpus).kind, VCPU_STOP_NONE);
	ck_assert_uint_eq(atomic_load(&t->rung), 1);
}

static void arm_all(struct kvm_dirty *d)
{
	uint64_t at = 0;
	int rc;

	do {
		rc = kvm_dirty_arm(d, NULL, &at, NULL);
	} while (rc > 0);
	ck_assert_int_eq(rc, 0);
}

/* The log holds these pages, in ascending order, and no others but the guest's own. */
static void check_log(struct kvm_dirty *d, const uint64_t *pfn, unsigned n)
{
	uint64_t at = OWN_PAGES;

	ck_assert_int_eq(kvm_dirty_fetch(d, NULL), 0);
	for (unsigned i = 0; i < n; i++, at++) {
		uint64_t index;

		ck_assert(gmem_pfn_to_index(d->mem, pfn[i], &index));
		at = bitmap_next(d->map, NPAGES, at, true);
		ck_assert_uint_eq(at, index);
	}
	ck_assert_uint_eq(bitmap_next(d->map, NPAGES, at, true), NPAGES);
}

/* Ends of regions, of words and of slices, and some between. */
static const uint64_t some[] = {
	6,
	63,
	64,
	300,
	LOW_PAGES - 1,
	HIGH_PFN,
	HIGH_PFN + 1,
	HIGH_PFN + KVM_DIRTY_SLICE - 1,
	HIGH_PFN + KVM_DIRTY_SLICE,
	HIGH_PFN + HIGH_PAGES - 1,
};
#define NSOME (sizeof(some) / sizeof(some[0]))

START_TEST(the_log_shows_what_the_guest_wrote_and_nothing_else)
{
	static const uint64_t before[] = {7, 63, HIGH_PFN + 5}, more[] = {300, 400};
	uint64_t all[NSOME + 1], at = 0;
	unsigned steps = 0;
	struct guest t;

	setup(&t);
	write_pages(&t, before, 3);
	ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, NULL), 0);
	/* Until it is armed every page counts as written. */
	ck_assert_int_eq(kvm_dirty_fetch(&t.log, NULL), 0);
	if (t.log.initially_set)
		ck_assert_uint_eq(bitmap_next(t.log.map, NPAGES, 0, false), NPAGES);
	write_pages(&t, before, 3);
	while (kvm_dirty_arm(&t.log, NULL, &at, NULL))
		steps++;
	if (t.log.initially_set)
		ck_assert_uint_eq(steps, 2); /* and one more: three slices in two regions */
	check_log(&t.log, NULL, 0);

	write_pages(&t, some, NSOME);
	check_log(&t.log, some, NSOME);
	/* To fetch doesn't clear. */
	check_log(&t.log, some, NSOME);
	write_pages(&t, more, 2);
	memcpy(all, some, sizeof(some));
	memmove(all + 5, all + 4, sizeof(some) - 4 * sizeof(some[0]));
	all[4] = 400;
	check_log(&t.log, all, NSOME + 1);

	/* Armed again it begins anew, for pages that are mapped and writable, too. */
	if (t.log.initially_set) {
		arm_all(&t.log);
		check_log(&t.log, NULL, 0);
		write_pages(&t, more, 2);
		check_log(&t.log, more, 2);
	}
	teardown(&t);
}
END_TEST

/* Some pages begin anew, and the others' marks stay. */
START_TEST(some_pages_are_armed_again)
{
	static const uint64_t first[] = {300, 301, HIGH_PFN + KVM_DIRTY_SLICE,
					 HIGH_PFN + HIGH_PAGES - 1};
	static const uint64_t rest[] = {300, HIGH_PFN + KVM_DIRTY_SLICE};
	static const uint64_t again[] = {300, 301, HIGH_PFN + KVM_DIRTY_SLICE};
	uint64_t which[NPAGES / 64 + 1] = {0}, at = 0;
	unsigned steps = 0;
	struct guest t;
	int rc;

	setup(&t);
	ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, NULL), 0);
	arm_all(&t.log);
	write_pages(&t, first, 4);
	check_log(&t.log, first, 4);
	bitmap_set(which, 301);
	bitmap_set(which, 302); /* wasn't written, and isn't */
	bitmap_set(which, NPAGES - 1);
	do {
		rc = kvm_dirty_arm(&t.log, which, &at, NULL);
		ck_assert_int_ge(rc, 0);
		steps++;
	} while (rc);
	ck_assert_uint_eq(steps, 3);
	check_log(&t.log, rest, 2);
	write_pages(&t, first + 1, 1);
	check_log(&t.log, again, 3);
	teardown(&t);
}
END_TEST

static void discard(const struct gmem *mem, uint64_t index, uint64_t pages)
{
	const struct gmem_region *r = &mem->region[1];
	struct discard_counters counters = {0};
	struct discard_run run = {.hva = gmem_index_to_hva(mem, index),
				  .len = pages << GMEM_PAGE_SHIFT,
				  .fd = r->fd,
				  .fd_off = r->fd_off + ((index - r->index) << GMEM_PAGE_SHIFT),
				  .advice = r->dontneed};
	struct discard d;

	discard_init(&d, &counters);
	discard_one(&d, &run);
	ck_assert(run.done && !run.rc);
	discard_fini(&d);
}

/* A page that a discard emptied isn't dirty; one that the guest writes afterwards is. */
static void check_discard(enum gmem_backing backing)
{
	static const uint64_t two[] = {300, HIGH_PFN + 1000};
	struct guest t;
	uint8_t *p;

	setup_with(&t, backing);
	write_pages(&t, two, 2);
	ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, NULL), 0);
	arm_all(&t.log);
	p = gmem_ptr(&t.g.mem, HIGH_GPA + 1000 * GMEM_PAGE_SIZE, 1);
	ck_assert_uint_eq(*p, 1);
	discard(&t.g.mem, LOW_PAGES, 2048);
	check_log(&t.log, NULL, 0);
	ck_assert_uint_eq(*p, 0);
	write_pages(&t, two + 1, 1);
	check_log(&t.log, two + 1, 1);
	ck_assert_uint_eq(*p, 1);
	teardown(&t);
}

START_TEST(a_discard_sets_no_bit)
{
	check_discard(GMEM_ANON);
	check_discard(GMEM_MEMFD);
}
END_TEST

/* What devices write is in their own map, and not in KVM's; the guest's writes the reverse. */
START_TEST(devices_have_a_map_of_their_own)
{
	static const uint64_t guests[] = {300}, rings[] = {16};
	struct virtqueue vq = {.num_max = 8};
	struct vq_seg seg[8];
	struct vq_chain c = {.seg = seg, .seg_max = 8};
	struct ring ring;
	struct guest t;
	const char *why;

	setup(&t);
	ring_init(&ring, &t.g.mem, rings[0] << GMEM_PAGE_SHIFT, 8, true);
	vq.num = 8;
	vq.desc_gpa = ring.desc_gpa;
	vq.avail_gpa = ring.avail_gpa;
	vq.used_gpa = ring.used_gpa;
	ck_assert_int_eq(vq_enable(&vq, &t.g.mem, true, false, &why), 0);
	ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, NULL), 0);
	arm_all(&t.log);
	ck_assert_int_eq(gmem_dirty_start(&t.g.mem), 0);

	ring_add(&ring, &(struct ring_buf){0x20000, 16, false}, 1);
	ck_assert_int_eq(vq_pop(&vq, &c), 1);
	vq_push(&vq, c.head, 0);
	write_pages(&t, guests, 1);
	check_log(&t.log, guests, 1);
	ck_assert_uint_eq(bitmap_next(gmem_dirty_map(&t.g.mem), NPAGES, 0, true), rings[0]);
	ck_assert_uint_eq(bitmap_next(gmem_dirty_map(&t.g.mem), NPAGES, rings[0] + 1, true),
			  NPAGES);
	teardown(&t);
}
END_TEST

/* Adding 1 to a byte 256 times leaves it as it was, and its page written. */
static void write_zeros(struct guest *t, uint64_t pfn)
{
	uint64_t list[256];

	for (unsigned i = 0; i < 256; i++)
		list[i] = pfn;
	write_pages(t, list, 256);
}

/* What a trim does with hints, page by page; see vmm/reclaim/hintset.h. */
START_TEST(hinted_pages_that_nobody_will_miss)
{
	enum { UNTOUCHED = 300, ZEROED, USED, ZEROED_THEN_USED, DEVICES };
	static const uint64_t untouched[] = {UNTOUCHED}, used[] = {USED},
			      then_used[] = {ZEROED_THEN_USED};
	struct hintset *set;
	uint64_t at = 0, start, n;
	struct guest t;
	int rc;

	setup(&t);
	write_pages(&t, untouched, 1);
	ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, NULL), 0);
	arm_all(&t.log);
	ck_assert_int_eq(gmem_dirty_start(&t.g.mem), 0);
	set = hintset_create(&t.g.mem);
	ck_assert_ptr_nonnull(set);
	write_zeros(&t, ZEROED);
	write_zeros(&t, ZEROED_THEN_USED);
	hintset_add(set, UNTOUCHED << GMEM_PAGE_SHIFT, 5 << GMEM_PAGE_SHIFT);
	write_pages(&t, used, 1);

	ck_assert_int_eq(kvm_dirty_fetch(&t.log, NULL), 0);
	hintset_mask(set, t.log.map);
	while ((rc = kvm_dirty_arm(&t.log, t.log.map, &at, NULL)))
		ck_assert_int_eq(rc, 1);
	at = 0;
	while (hintset_drop_used(set, t.log.map, &at, 2))
		;
	ck_assert_uint_eq(hintset_pages(set), 4); /* without USED */
	write_pages(&t, then_used, 1);
	poke64(&t.g.mem, DEVICES << GMEM_PAGE_SHIFT, 1);
	gmem_dirty(&t.g.mem, DEVICES << GMEM_PAGE_SHIFT, 8);

	ck_assert_int_eq(kvm_dirty_fetch(&t.log, NULL), 0);
	hintset_drop(set, t.log.map);
	hintset_drop(set, gmem_dirty_map(&t.g.mem));
	at = 0;
	ck_assert(hintset_next(set, &at, NPAGES, true, &start, &n));
	ck_assert(start == UNTOUCHED && n == 2);
	ck_assert(!hintset_next(set, &at, NPAGES, true, &start, &n));
	hintset_destroy(set);
	teardown(&t);
}
END_TEST

START_TEST(a_log_can_be_had_again)
{
	static const uint64_t one[] = {300};
	struct guest t;

	setup(&t);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, NULL), 0);
		arm_all(&t.log);
		write_pages(&t, one, 1);
		check_log(&t.log, one, 1);
		kvm_dirty_stop(&t.log);
		ck_assert_ptr_null(t.log.vm);
		write_pages(&t, one, 1);
	}
	kvm_dirty_stop(&t.log);
	teardown(&t);
}
END_TEST

/* A KVM with the manual mode only: it write-protects at the start, and that's all there is. */
START_TEST(without_initially_set)
{
	struct guest t;
	uint64_t at = 0;

	cap_mask = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	setup(&t);
	write_pages(&t, some, NSOME);
	ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, NULL), 0);
	ck_assert(!t.log.initially_set);
	check_log(&t.log, NULL, 0);
	ck_assert_int_eq(kvm_dirty_arm(&t.log, NULL, &at, NULL), 0);
	write_pages(&t, some, NSOME);
	check_log(&t.log, some, NSOME);
	check_log(&t.log, some, NSOME);
	teardown(&t);
}
END_TEST

START_TEST(a_kvm_without_manual_mode_is_refused)
{
	struct guest t;
	struct err err;

	cap_mask = 0;
	setup(&t);
	ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, &err), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.msg, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"));
	ck_assert_ptr_null(t.log.vm);
	ck_assert_ptr_null(t.log.map);
	teardown(&t);
}
END_TEST

/* Every call that can fail, does: the log is off then, and no slot keeps one. */
START_TEST(failures)
{
	static const struct {
		unsigned long req;
		unsigned nth;
		const char *text;
	} cases[] = {
		{KVM_ENABLE_CAP, 1, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2"},
		{KVM_SET_USER_MEMORY_REGION, 1, "at gpa 0:"},
		{KVM_SET_USER_MEMORY_REGION, 2, "at gpa 0x1000000:"},
	};
	struct guest t;
	struct err err;
	uint64_t at = 0;

	setup(&t);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kvm_dirty_log req = {.slot = 0};

		fail_req = cases[i].req;
		fail_nth = cases[i].nth;
		ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, &err), -EIO);
		ck_assert_ptr_nonnull(strstr(err.msg, cases[i].text));
		ck_assert_ptr_null(t.log.vm);
		ck_assert_int_eq(kvm_ioctl(t.g.vm.fd, KVM_GET_DIRTY_LOG, &req), -ENOENT);
	}
	ck_assert_int_eq(kvm_dirty_start(&t.log, &t.g.vm, &t.g.mem, &err), 0);
	if (t.log.initially_set) {
		fail_req = KVM_CLEAR_DIRTY_LOG;
		fail_nth = 2;
		ck_assert_int_eq(kvm_dirty_arm(&t.log, NULL, &at, &err), 1);
		ck_assert_uint_eq(at, LOW_PAGES);
		ck_assert_int_eq(kvm_dirty_arm(&t.log, NULL, &at, &err), -EIO);
		ck_assert_ptr_nonnull(strstr(err.msg, "KVM_CLEAR_DIRTY_LOG at gpa 0x1000000"));
		ck_assert_uint_eq(at, LOW_PAGES);
	}
	fail_req = KVM_GET_DIRTY_LOG;
	fail_nth = 2;
	ck_assert_int_eq(kvm_dirty_fetch(&t.log, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "KVM_GET_DIRTY_LOG at gpa 0x1000000"));
	fail_req = 0;
	teardown(&t);
}
END_TEST

UNIT_MAIN_KVM("dirty", the_log_shows_what_the_guest_wrote_and_nothing_else,
	      some_pages_are_armed_again, a_discard_sets_no_bit,
	      devices_have_a_map_of_their_own, hinted_pages_that_nobody_will_miss,
	      a_log_can_be_had_again, without_initially_set,
	      a_kvm_without_manual_mode_is_refused, failures)
