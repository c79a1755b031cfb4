// SPDX-License-Identifier: Apache-2.0
/* A trim that goes well: which pages go, when, and what is told. Its other ends:
 * test_trim_ends.c. */
#include "tests/unit/trim_fixture.h"

static struct trim_info query(void)
{
	struct trim_info info;

	machine_trim_query(&m, &info);
	return info;
}

/* ---- step by step ---- */

START_TEST(the_logs_are_armed_before_the_guest_is_asked)
{
	trim_setup();
	trim_driver();
	drv_take_isr(&f.mmio);
	guest_write(100, 1);
	trim_start();
	ck_assert_uint_eq(fake.on, 3);
	ck_assert_ptr_nonnull(gmem_dirty_map(&m.mem));
	/* A slice for each region, and the guest hears nothing until all are done. */
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_ARMING);
	ck_assert_uint_eq(bitmap_next(fake.dirty, TRIM_PAGES, 0, true), TRIM_LOW);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_STOP);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), 0);
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_HINTING);
	ck_assert_uint_eq(bitmap_next(fake.dirty, TRIM_PAGES, 0, true), TRIM_PAGES);
	ck_assert_uint_eq(lx_hint_field(&f), fix_hint(&f).id);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
	trim_teardown();
}
END_TEST

START_TEST(all_that_is_hinted_goes)
{
	struct trim_info info;

	trim_setup();
	trim_driver();
	trim_reach(TRIM_HINTING);
	trim_hint_begin();
	trim_hint(HINT_FROM, HINT_TO);
	trim_hint(TRIM_LOW, TRIM_PAGES);
	/* The guest's end is heard of at once, not at the next look. */
	ck_assert_int_eq(trim_state(), TRIM_HINTING);
	trim_hint_end();
	trim_event();
	ck_assert(!fd_drain(fake.event_fd));
	ck_assert_int_eq(trim_state(), TRIM_SIFTING);
	ck_assert_uint_eq(lx_hint_field(&f), fix_hint(&f).id);
	drv_take_isr(&f.mmio);
	trim_fire_until(TRIM_DONE);
	trim_check_over(TRIM_DONE, "");
	ck_assert(!fake.parked);
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	ck_assert_uint_eq(drv_take_isr(&f.mmio), VIRTIO_ISR_CONFIG);
	trim_check_gone(0, HINT_FROM, false);
	trim_check_gone(HINT_FROM, HINT_TO, true);
	trim_check_gone(HINT_TO, TRIM_LOW, false);
	trim_check_gone(TRIM_LOW, TRIM_PAGES, true);

	info = query();
	ck_assert_uint_eq(info.seq, 1);
	ck_assert_uint_eq(info.blocks, 6);
	ck_assert_uint_eq(info.hinted, PAGE(HINTED + TRIM_HIGH));
	ck_assert_uint_eq(info.discarded, info.hinted);
	ck_assert_uint_eq(info.kept | info.ballooned | info.failed, 0);
	ck_assert_uint_eq(info.pauses, 1);
	ck_assert_uint_gt(info.pause_ns, 0);
	ck_assert_uint_eq(info.pause_ns, info.pause_max_ns);
	ck_assert_uint_gt(info.elapsed_ns, 0);
	/* What has ended doesn't go on ageing. */
	ck_assert_uint_eq(query().elapsed_ns, info.elapsed_ns);
	trim_teardown();
}
END_TEST

START_TEST(one_after_the_other)
{
	trim_setup();
	trim_driver();
	for (unsigned i = 1; i <= 3; i++) {
		trim_reach(TRIM_DISCARDING);
		ck_assert_uint_eq(query().seq, i);
		trim_fire_until(TRIM_DONE);
		ck_assert_uint_eq(query().discarded, PAGE(HINTED));
		trim_check_gone(HINT_FROM, HINT_TO, true);
		ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
		for (uint64_t p = HINT_FROM; p < HINT_TO; p++)
			guest_write(p, PATTERN);
		memset(fake.gone, 0, sizeof(fake.gone));
	}
	trim_teardown();
}
END_TEST

START_TEST(a_guest_that_has_nothing_free)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_HINTING);
	trim_hint_begin();
	trim_hint_end();
	trim_event();
	trim_fire_until(TRIM_DONE);
	trim_check_over(TRIM_DONE, "");
	ck_assert_uint_eq(query().hinted | query().kept, 0);
	ck_assert_uint_eq(fake.discards, 0);
	trim_teardown();
}
END_TEST

/* ---- what stays ---- */

/*
 * Somebody writes a page that is hinted, filling it with `byte`, at some moment; 0 may go, if
 * that's seen in time, and all else has to stay. zeroed: the guest did that before, when it
 * allocated the page for the hint.
 */
enum moment { ALLOCATED, HINTING, FETCHED, REARMED, SIFTED };

static const struct {
	enum moment when;
	bool device, zeroed;
	uint8_t byte;
	bool goes;
} writes[] = {
	{ALLOCATED, false, false, 0, true},
	{ALLOCATED, false, false, 1, false},
	{HINTING, false, false, 0, true},
	{HINTING, false, false, 1, false},
	{HINTING, false, true, 1, false},
	/* The log that tells it wasn't fetched yet: it stays in the set's way. */
	{FETCHED, false, false, 0, false},
	{FETCHED, false, false, 1, false},
	/* The log forgets it, but then its contents are looked at. */
	{FETCHED, false, true, 0, true},
	{FETCHED, false, true, 1, false},
	{REARMED, false, false, 1, false},
	{REARMED, false, true, 0, false},
	{REARMED, false, true, 1, false},
	{SIFTED, false, false, 1, false},
	{SIFTED, false, true, 0, false},
	{SIFTED, false, true, 1, false},
	/* Devices' log is told of all, and forgets nothing. */
	{ALLOCATED, true, false, 1, false},
	{HINTING, true, false, 0, false},
	{HINTING, true, true, 1, false},
	{FETCHED, true, true, 1, false},
	{REARMED, true, false, 1, false},
	{SIFTED, true, true, 1, false},
};
#define NWRITES (sizeof(writes) / sizeof(writes[0]))

/* Where, among pages that nobody writes. */
static uint64_t place(unsigned i)
{
	return HINT_FROM + 100 + 67 * i;
}

static void play(enum moment now)
{
	for (unsigned i = 0; i < NWRITES; i++) {
		if (now == ALLOCATED && writes[i].zeroed)
			guest_write(place(i), 0);
		if (writes[i].when != now)
			continue;
		if (writes[i].device)
			device_write(place(i), writes[i].byte);
		else
			guest_write(place(i), writes[i].byte);
	}
}

START_TEST(what_is_written_meanwhile)
{
	uint64_t from = HINT_FROM, kept = 0;

	trim_setup();
	trim_driver();
	trim_reach(TRIM_HINTING);
	play(ALLOCATED);
	trim_hint_begin();
	trim_hint(HINT_FROM, HINT_TO);
	play(HINTING);
	guest_write(100, 1);
	trim_hint_end();
	trim_event();
	ck_assert_int_eq(trim_state(), TRIM_SIFTING);
	play(FETCHED);
	while (!m.trim.rearmed)
		trim_fire();
	/* Of no others does the log forget anything. */
	ck_assert_uint_eq(bitmap_next(fake.dirty, TRIM_PAGES, 0, true), 100);
	play(REARMED);
	trim_fire_until(TRIM_DISCARDING);
	play(SIFTED);
	trim_fire_until(TRIM_DONE);
	for (unsigned i = 0; i < NWRITES; i++) {
		trim_check_gone(from, place(i), true);
		from = place(i) + 1;
		if (fake.gone[place(i)] != writes[i].goes)
			ck_abort_msg("write %u: is the page gone? %d", i, fake.gone[place(i)]);
		ck_assert_uint_eq(*gmem_index_to_hva(&m.mem, place(i)), writes[i].byte);
		kept += !writes[i].goes;
	}
	trim_check_gone(from, HINT_TO, true);
	ck_assert_uint_eq(query().kept, PAGE(kept));
	ck_assert_uint_eq(query().discarded, PAGE(HINTED - kept));
	trim_teardown();
}
END_TEST

/* A guest that fills all that it allocates: more than is looked at in one go. */
START_TEST(a_guest_that_zeroes_everything)
{
	unsigned slices = 0;

	trim_setup();
	trim_driver();
	trim_reach(TRIM_HINTING);
	for (uint64_t p = HINT_FROM; p < HINT_TO; p++)
		guest_write(p, 0);
	trim_hint_begin();
	trim_hint(HINT_FROM, HINT_TO);
	trim_hint_end();
	trim_event();
	while (!m.trim.rearmed)
		trim_fire();
	for (; trim_state() == TRIM_SIFTING; slices++) {
		if (slices == 1) {
			guest_write(HINT_FROM, 1);   /* was looked at */
			guest_write(HINT_TO - 1, 1); /* will be */
		}
		trim_fire();
	}
	ck_assert_uint_eq(slices, 2);
	trim_fire_until(TRIM_DONE);
	trim_check_gone(HINT_FROM + 1, HINT_TO - 1, true);
	ck_assert(!fake.gone[HINT_FROM] && !fake.gone[HINT_TO - 1]);
	ck_assert_uint_eq(query().kept, PAGE(2));
	trim_teardown();
}
END_TEST

/* Under pressure the guest takes pages back, and may give them to its balloon. */
START_TEST(what_is_ballooned_meanwhile)
{
	const uint32_t pfn[] = {HINT_FROM + 10, HINT_FROM + 11, HINT_FROM + 500};

	trim_setup();
	trim_driver();
	trim_reach(TRIM_SIFTING);
	fake.by_balloon = true;
	fix_tell(&f, BALLOON_VQ_INFLATE, pfn, 3);
	fake.by_balloon = false;
	trim_fire_until(TRIM_DONE);
	ck_assert_uint_eq(query().ballooned, PAGE(3));
	ck_assert_uint_eq(query().discarded, PAGE(HINTED - 3));
	ck_assert_uint_eq(query().kept, 0);
	trim_check_gone(HINT_FROM, HINT_TO, true);
	ck_assert_uint_eq(fix_query(&f).ballooned, PAGE(3));
	fix_tell(&f, BALLOON_VQ_DEFLATE, pfn, 3);
	ck_assert_uint_eq(fix_query(&f).reclaim.pages.stray_deflates, 0);
	trim_teardown();
}
END_TEST

static int refuse(void *opaque, void *hva, size_t len)
{
	return hva == gmem_index_to_hva(&m.mem, HINT_FROM) ? -ENOMEM
							   : trim_discard(opaque, hva, len);
}

START_TEST(what_the_host_refuses)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_DISCARDING);
	trim_backend.discard = refuse;
	trim_fire_until(TRIM_DONE);
	trim_backend.discard = trim_discard;
	ck_assert_uint_gt(query().failed, 0);
	ck_assert_uint_eq(query().failed + query().discarded, PAGE(HINTED));
	ck_assert_uint_eq(query().kept, 0);
	trim_teardown();
}
END_TEST

/* ---- turns ---- */

static uint64_t per_page_ns;

static int take_time(void *opaque, void *hva, size_t len)
{
	fake.now += per_page_ns * (len >> GMEM_PAGE_SHIFT);
	return trim_discard(opaque, hva, len);
}

static unsigned turns;

/* Between turns the guest runs, and uses a page that is gone, and one that is to go. */
static void use_two_pages(void)
{
	if (trim_state() != TRIM_DISCARDING)
		return;
	guest_write(HINT_FROM + turns, 2);
	guest_write(HINT_TO - 1 - turns, 3);
	turns++;
}

START_TEST(the_guest_runs_between_turns)
{
	struct trim_info info;

	trim_setup();
	trim_driver();
	trim_reach(TRIM_DISCARDING);
	per_page_ns = TRIM_TURN_NS / 3 / 512 + 1; /* two chunks of the first size are a turn */
	trim_backend.discard = take_time;
	fake.on_run = use_two_pages;
	for (unsigned n = 1; trim_state() == TRIM_DISCARDING; n++) {
		trim_fire();
		ck_assert(!fake.parked);
		if (trim_state() != TRIM_DISCARDING)
			break;
		info = query();
		ck_assert_uint_eq(info.pauses, n);
		ck_assert_uint_eq(info.discarded, PAGE(1024 * n));
		ck_assert_uint_le(info.pause_max_ns, TRIM_TURN_NS);
		/* It is let alone for twice as long as it was parked. */
		ck_assert_uint_ge(fake.delay, 2 * (info.pause_ns / n) * 9 / 10);
	}
	trim_backend.discard = trim_discard;
	fake.on_run = NULL;
	trim_check_over(TRIM_DONE, "");
	info = query();
	/* The last turn's writes came too late to matter. */
	ck_assert_uint_eq(info.pauses, turns);
	ck_assert_uint_eq(info.pauses, 5);
	ck_assert_uint_eq(info.kept, PAGE(4));
	for (unsigned i = 0; i < turns; i++)
		ck_assert_uint_eq(*gmem_index_to_hva(&m.mem, HINT_FROM + i), 2);
	trim_check_gone(HINT_FROM + turns, HINT_TO - turns, true);
	for (unsigned i = 0; i + 1 < turns; i++) {
		ck_assert_uint_eq(*gmem_index_to_hva(&m.mem, HINT_TO - 1 - i), 3);
		ck_assert(!fake.gone[HINT_TO - 1 - i]);
	}
	trim_teardown();
}
END_TEST

/* A slow host: chunks shrink until they fit into a turn. */
START_TEST(chunks_follow_the_speed)
{
	uint64_t max = 0;

	trim_setup();
	trim_driver();
	trim_reach(TRIM_DISCARDING);
	per_page_ns = TRIM_TURN_NS / 256;
	trim_backend.discard = take_time;
	for (unsigned n = 0; trim_state() == TRIM_DISCARDING; n++) {
		uint64_t before = m.trim.info.pause_ns;

		trim_fire();
		if (n > 2 && m.trim.info.pause_ns - before > max)
			max = m.trim.info.pause_ns - before;
	}
	trim_backend.discard = trim_discard;
	ck_assert_uint_le(max, TRIM_TURN_NS + TRIM_TURN_NS / 100);
	ck_assert_uint_gt(max, TRIM_TURN_NS / 2);
	ck_assert_uint_eq(query().discarded, PAGE(HINTED));
	/* A fast one: few calls, not ten chunks of the first size. */
	lx_hint_field(&f);
	fake.discards = 0;
	trim_reach(TRIM_DISCARDING);
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_DONE);
	ck_assert_uint_lt(fake.discards, 6);
	ck_assert_uint_eq(query().pauses, 1);
	trim_teardown();
}
END_TEST

/* What comes first: the guest's wish for a reboot, say. */
START_TEST(vcpus_that_are_wanted_stay_parked)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_DISCARDING);
	m.wishes = WISH_RESET;
	trim_fire();
	ck_assert(fake.parked);
	ck_assert(fd_drain(m.wake_fd));
	trim_teardown();
}
END_TEST

UNIT_MAIN("trim", the_logs_are_armed_before_the_guest_is_asked, all_that_is_hinted_goes,
	  one_after_the_other, a_guest_that_has_nothing_free, what_is_written_meanwhile,
	  a_guest_that_zeroes_everything, what_is_ballooned_meanwhile, what_the_host_refuses,
	  the_guest_runs_between_turns, chunks_follow_the_speed,
	  vcpus_that_are_wanted_stay_parked)
