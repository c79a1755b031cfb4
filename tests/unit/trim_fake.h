/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What trim_fixture.h's machine has in place of the real thing, by the linker (see the
 * Makefile): KVM's dirty log, which is a bitmap here; the clock; parking of vCPUs; the event
 * loop, whose timer and event go off when the test says so.
 */
#ifndef AEROSTAT_TESTS_TRIM_FAKE_H
#define AEROSTAT_TESTS_TRIM_FAKE_H

#include <sys/ioctl.h>

#include "devices/balloon/internal.h"
#include "tests/unit/balloon_hint_fixture.h"
#include "vmm/base/bitmap.h"
#include "vmm/base/size.h"
#include "vmm/machine/private.h"

/* 32 MiB at 0: more than is looked at in one go. A hole; 1 MiB at 4 GiB. */
#define TRIM_LOW   8192u
#define TRIM_HIGH  256u
#define TRIM_PAGES (TRIM_LOW + TRIM_HIGH)
#define KVM_FD	   9999 /* no descriptor of ours */

/* What the guest hints, unless a test says otherwise: by index, as everywhere below. */
#define HINT_FROM 2048u
#define HINT_TO	  7168u
#define HINTED	  (HINT_TO - HINT_FROM)

static struct machine m;
static struct fixture f; /* the driver */

static struct {
	/* KVM's log, and what it fails with EIO: the nth request of a kind, counting down. */
	uint64_t dirty[TRIM_PAGES / 64];
	unsigned on; /* bit i: slot i is logged */
	int cap;
	unsigned long fail_req;
	unsigned fail_nth;

	uint64_t now;
	bool parked;
	void (*timer)(void *opaque);
	uint64_t delay; /* 0: it's off */
	loop_fn event;
	int event_fd;

	/* Hooks of a test. */
	void (*on_take)(void); /* before */
	void (*on_run)(void);  /* vCPUs run on */

	bool by_balloon; /* who discards now */
	unsigned discards;
	bool gone[TRIM_PAGES];
} fake;

/* ---- what stands in for the real ones ---- */

int __wrap_ioctl(int fd, unsigned long req, void *arg);
uint64_t __wrap_clock_now_ns(void);
struct loop_timer *__wrap_loop_timer_create(struct loop *l, void (*fn)(void *), void *opaque);
void __wrap_loop_timer_set(struct loop_timer *t, uint64_t delay_ns, uint64_t period_ns);
void __wrap_loop_timer_destroy(struct loop_timer *t);
int __wrap_loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *opaque);
void __wrap_loop_del(struct loop *l, int fd);
void __wrap_loop_stop(struct loop *l);
void __wrap_vcpus_pause(struct vcpu_set *s);
void __wrap_vcpus_resume(struct vcpu_set *s);
struct hintset *__wrap_balloon_hint_take(struct balloon *b);
struct hintset *__real_balloon_hint_take(struct balloon *b);

static inline int kvm_set_slot(const struct kvm_userspace_memory_region *slot)
{
	const struct gmem_region *g = &m.mem.region[slot->slot];
	bool on = slot->flags & KVM_MEM_LOG_DIRTY_PAGES;

	ck_assert_uint_eq(slot->memory_size, g->len);
	/* Initially all are set. */
	if (on)
		memset(fake.dirty + g->index / 64, 0xff, g->len >> (GMEM_PAGE_SHIFT + 3));
	fake.on = (fake.on & ~(1u << slot->slot)) | (unsigned)on << slot->slot;
	return 0;
}

static inline int kvm_get_log(const struct kvm_dirty_log *log)
{
	const struct gmem_region *g = &m.mem.region[log->slot];

	ck_assert(fake.on >> log->slot & 1);
	memcpy(log->dirty_bitmap, fake.dirty + g->index / 64, g->len >> (GMEM_PAGE_SHIFT + 3));
	return 0;
}

static inline int kvm_clear_log(const struct kvm_clear_dirty_log *log)
{
	const struct gmem_region *g = &m.mem.region[log->slot];
	const uint64_t *bits = log->dirty_bitmap;
	uint64_t first = (g->index + log->first_page) / 64;

	ck_assert(fake.on >> log->slot & 1);
	ck_assert(!(log->first_page % 64) && !(log->num_pages % 64));
	for (uint64_t w = 0; w < log->num_pages / 64; w++)
		fake.dirty[first + w] &= ~bits[w];
	return 0;
}

int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	ck_assert_int_eq(fd, KVM_FD);
	if (req == fake.fail_req && fake.fail_nth && !--fake.fail_nth) {
		errno = EIO;
		return -1;
	}
	switch (req) {
	case KVM_CHECK_EXTENSION:
		return fake.cap;
	case KVM_ENABLE_CAP:
		return 0;
	case KVM_SET_USER_MEMORY_REGION:
		return kvm_set_slot(arg);
	case KVM_GET_DIRTY_LOG:
		return kvm_get_log(arg);
	case KVM_CLEAR_DIRTY_LOG:
		return kvm_clear_log(arg);
	default:
		ck_abort_msg("ioctl 0x%lx", req);
	}
}

uint64_t __wrap_clock_now_ns(void)
{
	return fake.now += 100;
}

struct loop_timer *__wrap_loop_timer_create(struct loop *l, void (*fn)(void *), void *opaque)
{
	(void)l;
	ck_assert_ptr_eq(opaque, &m);
	fake.timer = fn;
	return (struct loop_timer *)&fake.timer;
}

void __wrap_loop_timer_set(struct loop_timer *t, uint64_t delay_ns, uint64_t period_ns)
{
	ck_assert_ptr_eq(t, &fake.timer);
	ck_assert_uint_eq(period_ns, 0);
	fake.delay = delay_ns;
}

void __wrap_loop_timer_destroy(struct loop_timer *t)
{
	ck_assert_ptr_eq(t, &fake.timer);
}

int __wrap_loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *opaque)
{
	(void)l;
	(void)events;
	ck_assert_ptr_eq(opaque, &m);
	fake.event_fd = fd;
	fake.event = fn;
	return 0;
}

void __wrap_loop_del(struct loop *l, int fd)
{
	(void)l;
	ck_assert_int_eq(fd, fake.event_fd);
	fake.event_fd = -1;
}

void __wrap_loop_stop(struct loop *l)
{
	(void)l;
}

void __wrap_vcpus_pause(struct vcpu_set *s)
{
	ck_assert_ptr_eq(s, &m.vcpus);
	fake.parked = true;
}

void __wrap_vcpus_resume(struct vcpu_set *s)
{
	ck_assert_ptr_eq(s, &m.vcpus);
	ck_assert(fake.parked);
	fake.parked = false;
	if (fake.on_run)
		fake.on_run();
}

struct hintset *__wrap_balloon_hint_take(struct balloon *b)
{
	if (fake.on_take)
		fake.on_take();
	return __real_balloon_hint_take(b);
}

#endif
