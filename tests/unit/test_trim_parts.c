// SPDX-License-Identifier: Apache-2.0
/* A trim that doesn't wait for the guest's end: parts of what it hints go before. */
#include "tests/unit/trim_fixture.h"

#define MIDDLE (HINT_FROM + HINTED / 2)

static void begin(void)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_HINTING);
	trim_hint_begin();
	trim_hint(HINT_FROM, MIDDLE);
}

static void end(void)
{
	trim_hint_end();
	trim_fire_until(TRIM_DONE);
	trim_check_over(TRIM_DONE, "");
}

START_TEST(less_than_a_part_waits)
{
	begin();
	m.trim.taken = m.balloon->hint.info.bytes - TRIM_PART + PAGE(1);
	for (unsigned i = 0; i < 3; i++) {
		trim_fire();
		ck_assert_int_eq(trim_state(), TRIM_HINTING);
	}
	m.trim.taken -= PAGE(1);
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_SIFTING);
	trim_teardown();
}
END_TEST

START_TEST(a_part_goes_while_the_guest_hints)
{
	struct trim_info info;

	begin();
	trim_part_is_due();
	ck_assert_uint_eq(lx_hint_field(&f), fix_hint(&f).id);
	trim_fire_until(TRIM_DISCARDING);
	trim_hint(MIDDLE, HINT_TO);
	trim_fire_until(TRIM_HINTING);
	trim_check_gone(HINT_FROM, MIDDLE, true);
	trim_check_gone(MIDDLE, HINT_TO, false);
	ck_assert_int_eq(fix_hint(&f).state, HINT_RUNNING);
	ck_assert_uint_eq(lx_hint_field(&f), fix_hint(&f).id);
	end();
	trim_check_gone(HINT_FROM, HINT_TO, true);
	machine_trim_query(&m, &info);
	ck_assert_uint_eq(info.hinted, PAGE(HINTED));
	ck_assert_uint_eq(info.discarded, PAGE(HINTED));
	ck_assert_uint_eq(info.kept, 0);
	trim_teardown();
}
END_TEST

START_TEST(zeros_of_a_part_go_and_the_rest_stays)
{
	begin();
	for (uint64_t p = HINT_FROM; p < MIDDLE; p++)
		guest_write(p, p % 2 ? 7 : 0);
	trim_part_is_due();
	trim_fire_until(TRIM_HINTING);
	for (uint64_t p = HINT_FROM; p < MIDDLE; p++)
		trim_check_gone(p, p + 1, !(p % 2));
	end();
	trim_teardown();
}
END_TEST

/*
 * Hinted, and taken as a part; hinted again, so that it waits for the next one, too; and then
 * used. To arm it for the part that is at hand makes the log forget of that use.
 */
START_TEST(a_page_that_is_hinted_twice_and_used)
{
	begin();
	guest_write(HINT_FROM, 0);
	trim_part_is_due();
	trim_hint(HINT_FROM, HINT_FROM + 2);
	guest_write(HINT_FROM, 7);
	trim_fire_until(TRIM_HINTING);
	trim_check_gone(HINT_FROM, HINT_FROM + 1, false);
	trim_check_gone(HINT_FROM + 1, MIDDLE, true);
	memset(fake.gone, 0, sizeof(fake.gone));
	end();
	trim_check_gone(HINT_FROM, HINT_FROM + 1, false);
	ck_assert_uint_eq(*gmem_index_to_hva(&m.mem, HINT_FROM), 7);
	trim_teardown();
}
END_TEST

/* What was taken as a part counts anew when it is hinted again: not for ever. */
START_TEST(a_guest_that_goes_round_and_round)
{
	begin();
	m.balloon->hint.info.bytes += PAGE(TRIM_PAGES);
	m.trim.taken = m.balloon->hint.info.bytes;
	for (unsigned i = 0; i < 2; i++) {
		fake.now += TRIM_TIMEOUT_NS / 2 + NSEC_PER_SEC;
		trim_hint(MIDDLE + i, MIDDLE + i + 1);
		trim_fire();
	}
	trim_check_untouched(TRIM_FAILED, "the guest does not come to an end");
	trim_teardown();
}
END_TEST

/* At any moment of a part the driver may go, or somebody cancel. */
START_TEST(it_ends_in_a_part)
{
	static const enum trim_state at[] = {TRIM_SIFTING, TRIM_DISCARDING};

	for (unsigned i = 0; i < 4; i++) {
		begin();
		trim_part_is_due();
		trim_fire_until(at[i / 2]);
		if (i % 2) {
			ck_assert_int_eq(machine_trim_cancel(&m), 0);
			trim_check_untouched(TRIM_CANCELLED, "");
		} else {
			drv_reset(&f.mmio);
			trim_fire_until(TRIM_FAILED);
			trim_check_untouched(TRIM_FAILED,
					     "the guest's balloon driver went away");
		}
		trim_teardown();
	}
}
END_TEST

UNIT_MAIN("trim_parts", less_than_a_part_waits, a_part_goes_while_the_guest_hints,
	  zeros_of_a_part_go_and_the_rest_stays, a_page_that_is_hinted_twice_and_used,
	  a_guest_that_goes_round_and_round, it_ends_in_a_part)
