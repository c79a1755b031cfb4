/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for the tests of vmm/machine/trim.c: real memory, engine and balloon, with a guest
 * that the test plays. Every step of a trim is by itself, and no KVM is needed: see
 * trim_fake.h.
 *
 * Whatever is discarded is checked then and there: vCPUs are parked, devices are at rest, and
 * the guest holds its memory still.
 */
#ifndef AEROSTAT_TESTS_TRIM_FIXTURE_H
#define AEROSTAT_TESTS_TRIM_FIXTURE_H

#include <poll.h>

#include "tests/unit/trim_fake.h"

/* The states of a trim that is under way. */
static const enum trim_state on[] = {TRIM_ARMING, TRIM_HINTING, TRIM_SIFTING, TRIM_DISCARDING};
#define NON (sizeof(on) / sizeof(on[0]))

/* ---- memory ---- */

static inline int trim_discard(void *opaque, void *hva, size_t len)
{
	struct virtio_device *dev = &m.balloon->dev;

	(void)opaque;
	fake.discards++;
	if (!fake.by_balloon) {
		ck_assert_int_eq(m.trim.info.state, TRIM_DISCARDING);
		ck_assert(fake.parked);
		ck_assert_int_eq(pthread_mutex_trylock(&dev->lock), EBUSY);
		ck_assert_int_eq(m.balloon->hint.info.state,
				 m.trim.last ? HINT_GUEST_DONE : HINT_RUNNING);
		ck_assert_uint_eq(m.balloon->hint.field, m.balloon->hint.info.id);
	}
	for (uint64_t i = 0; i < TRIM_PAGES; i++) {
		uint8_t *p = gmem_index_to_hva(&m.mem, i);

		if (p >= (uint8_t *)hva && p < (uint8_t *)hva + len)
			fake.gone[i] = true;
	}
	return really_discard(hva, len);
}

static struct call_backend trim_backend = {.discard = trim_discard};

static inline uint64_t trim_gpa(uint64_t index)
{
	return index < TRIM_LOW ? PAGE(index) : PAGE(HIGH_PFN + index - TRIM_LOW);
}

/* The guest fills a page. */
static inline void guest_write(uint64_t index, uint8_t byte)
{
	ck_assert(!fake.parked);
	memset(gmem_index_to_hva(&m.mem, index), byte, GMEM_PAGE_SIZE);
	if (fake.on >> (index >= TRIM_LOW) & 1)
		bitmap_set(fake.dirty, index);
}

/* A device of ours does, of which KVM knows nothing. */
static inline void device_write(uint64_t index, uint8_t byte)
{
	memset(gmem_index_to_hva(&m.mem, index), byte, GMEM_PAGE_SIZE);
	gmem_dirty(&m.mem, trim_gpa(index), GMEM_PAGE_SIZE);
}

/* Are the pages [from, to) gone, and empty, or were they never discarded? */
static inline void trim_check_gone(uint64_t from, uint64_t to, bool gone)
{
	for (; from < to; from++) {
		const uint8_t *p = gmem_index_to_hva(&m.mem, from);

		if (fake.gone[from] != gone)
			ck_abort_msg("page %llu is %s", (unsigned long long)from,
				     gone ? "there" : "gone");
		if (gone && (*p || memcmp(p, p + 1, GMEM_PAGE_SIZE - 1)))
			ck_abort_msg("page %llu is not empty", (unsigned long long)from);
	}
}

/* ---- the machine ---- */

static struct vm_config vm_cfg;

static inline void trim_setup(void)
{
	const struct gmem_span spans[] = {{0, PAGE(TRIM_LOW)}, {4 * GIB, PAGE(TRIM_HIGH)}};
	const struct reclaim_config sync = {.kind = RECLAIM_SYNC};
	struct balloon_owner owner = {.change_fd = -1, .alarm = {fix_set_alarm, &f}};

	log_set_level(LOG_ERROR);
	memset(&m, 0, sizeof(m));
	memset(&f, 0, sizeof(f));
	memset(&fake, 0, sizeof(fake));
	fake.cap = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
	fake.now = 1000 * NSEC_PER_SEC;
	ck_assert_int_eq(gmem_create(&m.mem, spans, 2, NULL), 0);
	memset(m.mem.region[0].hva, PATTERN, m.mem.region[0].len);
	memset(m.mem.region[1].hva, PATTERN, m.mem.region[1].len);
	vm_cfg = (struct vm_config){.balloon = fix_config(0)};
	vm_cfg.balloon.hinting = true;
	m.cfg = &vm_cfg;
	m.state = MACHINE_RUNNING;
	m.host.fd = m.vm.fd = KVM_FD;
	m.vm.host = &m.host;
	m.wake_fd = fd_eventfd();
	ck_assert_int_eq(irq_line_init(&f.irq, 5), 0);
	ck_assert_int_eq(machine_trim_init(&m), 0);
	m.reclaim = reclaim_create_with(&m.mem, &sync, &call_backend_ops, &trim_backend);
	owner.hint_fd = m.trim.hint_fd;
	m.balloon = balloon_create(&vm_cfg.balloon, &m.mem, m.reclaim, &f.irq, &owner);
	ck_assert(m.reclaim && m.balloon);
	virtio_mmio_init(&m.balloon_mmio, balloon_virtio(m.balloon));
	/* The driver's view: the same pages, and the device's registers. */
	f.mem = m.mem;
	f.b = m.balloon;
	f.mmio = m.balloon_mmio;
}

static inline void trim_driver(void)
{
	fix_prepare(&f, EVERYTHING | HINTS | VIRTIO_FEATURE(BALLOON_F_BIT_PAGE_POISON));
	ck_assert(drv_ok(&f.mmio));
}

static inline void trim_teardown(void)
{
	machine_trim_abort(&m, "the VM has ended");
	machine_trim_fini(&m);
	ck_assert_int_eq(fake.event_fd, -1);
	balloon_destroy(m.balloon);
	reclaim_destroy(m.reclaim);
	irq_line_fini(&f.irq);
	fd_close(&m.wake_fd);
	gmem_destroy(&m.mem);
}

static inline enum trim_state trim_state(void)
{
	return m.trim.info.state;
}

/* The timer goes off. It's on whenever a trim is under way. */
static inline void trim_fire(void)
{
	ck_assert_uint_gt(fake.delay, 0);
	fake.now += fake.delay;
	fake.delay = 0;
	fake.timer(&m);
	ck_assert(trim_active(trim_state()) == !!fake.delay);
}

/* The loop looks at hint_fd. */
static inline void trim_event(void)
{
	struct pollfd p = {.fd = fake.event_fd, .events = POLLIN};

	if (poll(&p, 1, 0) == 1)
		fake.event(&m, POLLIN);
}

static inline void trim_start(void)
{
	ck_assert_int_eq(machine_trim(&m, NULL), 0);
	ck_assert_int_eq(trim_state(), TRIM_ARMING);
}

static inline void trim_fire_until(enum trim_state state)
{
	for (unsigned i = 0; trim_state() != state; i++) {
		ck_assert_uint_lt(i, 1000);
		trim_fire();
	}
}

/* The guest's part of a session: pages [from, to) by blocks of 4 MiB at most. */
static inline void trim_hint_begin(void)
{
	lx_hint_command(&f, lx_hint_field(&f));
}

static inline void trim_hint(uint64_t from, uint64_t to)
{
	for (uint64_t n; from < to; from += n) {
		n = to - from < 1024 ? to - from : 1024;
		lx_hint_block(&f, (uint32_t)(trim_gpa(from) >> GMEM_PAGE_SHIFT), (uint32_t)n);
	}
}

static inline void trim_hint_end(void)
{
	lx_hint_command(&f, HINT_ID_STOP);
}

/* What was hinted until now is enough for a part. */
static inline void trim_part_is_due(void)
{
	m.trim.taken = m.balloon->hint.info.bytes - TRIM_PART;
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_SIFTING);
	ck_assert(!m.trim.last);
}

/* Up to a state that is under way, with a guest that plays along. */
static inline void trim_reach(enum trim_state state)
{
	trim_start();
	if (state >= TRIM_HINTING)
		trim_fire_until(TRIM_HINTING);
	if (state >= TRIM_SIFTING) {
		trim_hint_begin();
		trim_hint(HINT_FROM, HINT_TO);
		trim_hint_end();
		trim_event();
		ck_assert_int_eq(trim_state(), TRIM_SIFTING);
	}
	if (state >= TRIM_DISCARDING)
		trim_fire_until(TRIM_DISCARDING);
}

/* Nothing of a trim is left: the guest has its memory, no log is on, no timer. */
static inline void trim_check_over(enum trim_state state, const char *why)
{
	ck_assert_int_eq(trim_state(), state);
	ck_assert_str_eq(m.trim.info.why, why);
	ck_assert_uint_eq(fake.on, 0);
	ck_assert_uint_eq(fake.delay, 0);
	ck_assert_ptr_null(gmem_dirty_map(&m.mem));
	ck_assert_ptr_null(m.trim.set);
	ck_assert_ptr_null(m.trim.dirty.map);
	ck_assert_uint_le(m.balloon->hint.field, HINT_ID_DONE);
	ck_assert_int_eq(machine_trim_cancel(&m), -EINVAL);
}

/* Nothing of what is hinted was, or is, discarded; the guest gets it all back. */
static inline void trim_check_untouched(enum trim_state state, const char *why)
{
	trim_check_over(state, why);
	trim_event();
	ck_assert(!fake.parked);
	ck_assert_uint_eq(fake.discards, 0);
	trim_check_gone(0, TRIM_PAGES, false);
	ck_assert_uint_eq(m.trim.info.discarded, 0);
}

/* The next trim is as if nothing had been. */
static inline void trim_check_next(void)
{
	lx_hint_field(&f);
	if (m.balloon->hint.started)
		lx_hint_command(&f, HINT_ID_STOP);
	lx_hint_field(&f);
	trim_reach(TRIM_DISCARDING);
	trim_fire_until(TRIM_DONE);
	trim_check_over(TRIM_DONE, "");
	trim_check_gone(HINT_FROM, HINT_TO, true);
	ck_assert_uint_eq(m.trim.info.seq, 2);
}

#endif
