// SPDX-License-Identifier: Apache-2.0
/* A trim of a machine that is paused in the middle of it. */
#include "tests/unit/trim_fixture.h"

/* Whatever happens, and however long it takes, a trim stands still. */
static void stand_still(enum trim_state state)
{
	struct trim_info info;

	ck_assert_int_eq(machine_pause(&m), 0);
	for (unsigned i = 0; i < 3; i++) {
		fake.now += TRIM_TIMEOUT_NS;
		trim_event();
		if (fake.delay)
			fake.timer(&m);
		machine_trim_query(&m, &info);
		ck_assert_int_eq(info.state, state);
		ck_assert_uint_eq(fake.discards, 0);
	}
	ck_assert_int_eq(machine_resume(&m), 0);
	ck_assert(!fake.parked);
	ck_assert_int_eq(trim_state(), state);
}

START_TEST(paused)
{
	for (unsigned i = 0; i < NON; i++) {
		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		stand_still(on[i]);
		if (on[i] < TRIM_SIFTING) {
			trim_fire_until(TRIM_HINTING);
			trim_hint_begin();
			trim_hint(HINT_FROM, HINT_TO);
			trim_hint_end();
			trim_event();
		}
		trim_fire_until(TRIM_DONE);
		trim_check_gone(HINT_FROM, HINT_TO, true);
		trim_teardown();
	}
}
END_TEST

/* In the middle of its hints; and after its stop, which nobody heard of before the pause. */
static void hint_at_once(void)
{
	trim_hint(HINT_FROM + 50, HINT_FROM + 100);
}

START_TEST(paused_while_the_guest_hints)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_HINTING);
	trim_hint_begin();
	trim_hint(HINT_FROM, HINT_FROM + 50);
	trim_event();
	fake.on_run = hint_at_once;
	stand_still(TRIM_HINTING);
	fake.on_run = NULL;
	trim_hint(HINT_FROM + 100, HINT_TO);
	trim_hint_end();
	stand_still(TRIM_HINTING);
	trim_fire_until(TRIM_DONE);
	trim_check_gone(HINT_FROM, HINT_TO, true);
	trim_teardown();
}
END_TEST

/* The guest had no time to read DONE in the pause. */
START_TEST(paused_before_the_guest_takes_note)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_SIFTING);
	ck_assert_int_eq(machine_trim_cancel(&m), 0);
	trim_start();
	stand_still(TRIM_ARMING);
	trim_fire();
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_ARMING);
	lx_hint_field(&f);
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_HINTING);
	trim_teardown();
}
END_TEST

START_TEST(paused_and_cancelled)
{
	for (unsigned i = 0; i < NON; i++) {
		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		ck_assert_int_eq(machine_pause(&m), 0);
		ck_assert_int_eq(machine_trim_cancel(&m), 0);
		ck_assert_int_eq(machine_resume(&m), 0);
		trim_check_untouched(TRIM_CANCELLED, "");
		trim_check_next();
		trim_teardown();
	}
}
END_TEST

UNIT_MAIN("trim_pause", paused, paused_while_the_guest_hints,
	  paused_before_the_guest_takes_note, paused_and_cancelled)
