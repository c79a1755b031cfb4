// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <unistd.h>

#include "tests/unit/driver.h"
#include "tests/unit/kvm_guest.h"
#include "tests/unit/tiny_kernel.h"
#include "tests/unit/unit.h"
#include "vmm/base/fd.h"
#include "vmm/machine/private.h"

static const uint8_t idle[] = {0xeb, 0xfe};

static uint32_t mmio_read(struct machine *m, uint64_t gpa)
{
	uint32_t v;

	bus_read(&m->mmio, gpa, 4, &v);
	return v;
}

START_TEST(the_balloon_sits_in_the_slot_the_tables_announce)
{
	struct tiny_machine t;
	uint64_t gpa;

	tiny_create(&t, 1, true, idle, sizeof(idle));
	ck_assert_uint_eq(t.m->virtio_slots, 1);
	gpa = arch_virtio_slot(0).gpa;
	ck_assert_uint_eq(mmio_read(t.m, gpa), 0x74726976);
	ck_assert_uint_eq(mmio_read(t.m, gpa + 8), 5);
	ck_assert_uint_eq(mmio_read(t.m, arch_virtio_slot(1).gpa), 0xffffffff);
	ck_assert_uint_eq(t.m->stats_bell.gpa, gpa + VIRTIO_MMIO_NOTIFY);
	ck_assert_uint_eq(t.m->stats_bell.queue, BALLOON_VQ_STATS);
	tiny_destroy(&t);
}
END_TEST

START_TEST(without_a_balloon_no_slot_answers)
{
	struct tiny_machine t;

	tiny_create(&t, 1, false, idle, sizeof(idle));
	ck_assert_uint_eq(t.m->virtio_slots, 0);
	ck_assert_uint_eq(mmio_read(t.m, arch_virtio_slot(0).gpa), 0xffffffff);
	ck_assert_int_lt(t.m->stats_bell.fd, 0);
	tiny_destroy(&t);
}
END_TEST

START_TEST(every_platform_device_answers)
{
	struct tiny_machine t;
	const struct arch_dev *dev;
	unsigned n;

	tiny_create(&t, 1, false, idle, sizeof(idle));
	dev = arch_devices(&n);
	ck_assert_uint_ge(n, 1);
	for (unsigned i = 0; i < n; i++) {
		const struct bus *bus = dev[i].pio ? &t.m->pio : &t.m->mmio;
		bool found = false;

		for (unsigned w = 0; w < bus->nwindows; w++)
			found |= bus->window[w].base == dev[i].base &&
				 bus->window[w].len == dev[i].len;
		ck_assert_msg(found, "device %u has no window", i);
	}
	tiny_destroy(&t);
}
END_TEST

START_TEST(a_reset_gives_the_driver_a_fresh_device)
{
	struct tiny_machine t;
	uint32_t ack = VIRTIO_S_ACKNOWLEDGE;
	uint64_t status;

	tiny_create(&t, 1, true, idle, sizeof(idle));
	status = arch_virtio_slot(0).gpa + 0x70;
	bus_write(&t.m->mmio, status, 4, &ack);
	ck_assert_uint_eq(mmio_read(t.m, status), VIRTIO_S_ACKNOWLEDGE);
	machine_devices_reset(t.m);
	ck_assert_uint_eq(mmio_read(t.m, status), 0);
	tiny_destroy(&t);
}
END_TEST

static uint64_t interrupts(struct machine *m)
{
	struct balloon_status s;

	balloon_query(m->balloon, &s);
	return s.interrupts;
}

/* A message of one page, and its answer, which is there when the kick is over. */
static void send(struct machine *m, struct ring *r)
{
	const uint32_t pfn = 0x800;

	ring_poke(&m->mem, 0x700000, &pfn, sizeof(pfn));
	ring_add(r, &(struct ring_buf){0x700000, sizeof(pfn), false}, 1);
	drv_kick(&m->balloon_mmio, BALLOON_VQ_DEFLATE);
	ck_assert_uint_eq(ring_used_pending(r), 1);
}

static void take(struct ring *r)
{
	uint16_t head;
	uint32_t len;

	ck_assert(ring_used(r, &head, &len));
	ring_set_used_event(r, r->last_used);
}

START_TEST(a_driver_that_takes_no_answer_is_interrupted)
{
	struct tiny_machine t;
	struct ring r;

	tiny_create(&t, 1, true, idle, sizeof(idle));
	ring_init(&r, &t.m->mem, 0x600000, 8, true);
	ck_assert(drv_negotiate(&t.m->balloon_mmio, VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX)));
	ck_assert(drv_queue(&t.m->balloon_mmio, BALLOON_VQ_DEFLATE, &r));
	ck_assert(drv_ok(&t.m->balloon_mmio));
	for (unsigned i = 0; i < 3; i++) {
		send(t.m, &r);
		take(&r);
		tiny_run(&t, 20);
	}
	ck_assert_uint_eq(interrupts(t.m), 0);
	send(t.m, &r);
	ck_assert_uint_eq(interrupts(t.m), 0);
	tiny_run(&t, 20);
	ck_assert_uint_eq(interrupts(t.m), 1);
	/* The alarm of one driver is nothing to the next, nor to a machine that goes away. */
	take(&r);
	machine_devices_reset(t.m);
	tiny_run(&t, 20);
	ck_assert_uint_eq(interrupts(t.m), 1);
	ring_init(&r, &t.m->mem, 0x600000, 8, true);
	ck_assert(drv_negotiate(&t.m->balloon_mmio, VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX)));
	ck_assert(drv_queue(&t.m->balloon_mmio, BALLOON_VQ_DEFLATE, &r));
	ck_assert(drv_ok(&t.m->balloon_mmio));
	send(t.m, &r);
	tiny_destroy(&t);
}
END_TEST

/* ---- reporting ---- */

#define REPORT_GPA 0x400000ull
#define REPORT_LEN 0x100000u

/* A driver without statistics: reporting is its queue 2, if it numbers as Linux does. */
static void reporting_up(struct machine *m, struct ring *r)
{
	ring_init(r, &m->mem, 0x600000, 32, true);
	ck_assert(drv_negotiate(&m->balloon_mmio,
				VIRTIO_FEATURE(VIRTIO_F_BIT_EVENT_IDX) |
					VIRTIO_FEATURE(BALLOON_F_BIT_REPORTING)));
	ck_assert(drv_queue(&m->balloon_mmio, 2, r));
	ck_assert(drv_ok(&m->balloon_mmio));
}

static void queue_report(struct machine *m, struct ring *r)
{
	memset(gmem_ptr(&m->mem, REPORT_GPA, REPORT_LEN), 0xa5, REPORT_LEN);
	ring_add(r, &(struct ring_buf){REPORT_GPA, REPORT_LEN, true}, 1);
}

static bool until_used(struct ring *r)
{
	for (unsigned i = 0; i < 2000 && !ring_used_pending(r); i++)
		usleep(1000);
	return ring_used_pending(r);
}

START_TEST(a_bell_rings_for_whatever_queue_has_its_number)
{
	struct tiny_machine t;
	struct ring r;

	tiny_create(&t, 1, true, idle, sizeof(idle));
	reporting_up(t.m, &r);
	queue_report(t.m, &r);
	fd_signal(t.m->stats_bell.fd);
	tiny_run(&t, 20);
	ck_assert(until_used(&r));
	ck_assert_uint_eq(*(uint8_t *)gmem_ptr(&t.m->mem, REPORT_GPA, 1), 0);
	tiny_destroy(&t);
}
END_TEST

START_TEST(a_paused_machine_takes_no_reports)
{
	struct tiny_machine t;
	struct ring r;

	tiny_create(&t, 1, true, idle, sizeof(idle));
	reporting_up(t.m, &r);
	ck_assert_int_eq(machine_start(t.m, NULL), 0);
	ck_assert_int_eq(machine_pause(t.m), 0);
	queue_report(t.m, &r);
	fd_signal(t.m->stats_bell.fd);
	tiny_run(&t, 50);
	ck_assert_uint_eq(ring_used_pending(&r), 0);
	ck_assert_uint_eq(*(uint8_t *)gmem_ptr(&t.m->mem, REPORT_GPA, 1), 0xa5);
	ck_assert_int_eq(machine_resume(t.m), 0);
	ck_assert(until_used(&r));
	ck_assert_uint_eq(*(uint8_t *)gmem_ptr(&t.m->mem, REPORT_GPA, 1), 0);
	tiny_destroy(&t);
}
END_TEST

UNIT_MAIN_KVM("devices", the_balloon_sits_in_the_slot_the_tables_announce,
	      without_a_balloon_no_slot_answers, every_platform_device_answers,
	      a_reset_gives_the_driver_a_fresh_device,
	      a_driver_that_takes_no_answer_is_interrupted,
	      a_bell_rings_for_whatever_queue_has_its_number, a_paused_machine_takes_no_reports)
