// SPDX-License-Identifier: Apache-2.0
/* A trim that is refused, fails, or is cancelled. */
#include <string.h>

#include "tests/unit/trim_fixture.h"

#define POISONS "the guest wants its free pages to keep what they hold"

/* ---- refused at once ---- */

static void expect_refusal(int rc)
{
	struct err err;

	ck_assert_int_eq(machine_trim(&m, &err), rc);
	ck_assert_uint_gt(strlen(err.msg), 0);
	ck_assert_uint_eq(m.trim.info.seq, 0);
	trim_check_untouched(TRIM_NONE, "");
}

START_TEST(refused)
{
	struct balloon *b;

	trim_setup();
	b = m.balloon;
	m.balloon = NULL;
	ck_assert_int_eq(machine_trim(&m, &(struct err){0}), -ENODEV);
	m.balloon = b;
	vm_cfg.balloon.hinting = false;
	expect_refusal(-EOPNOTSUPP);
	vm_cfg.balloon.hinting = true;
	expect_refusal(-ENOTCONN);
	fix_prepare(&f, EVERYTHING);
	ck_assert(drv_ok(&f.mmio));
	expect_refusal(-EOPNOTSUPP);
	trim_driver();
	drv_config_write(&f.mmio, 12, 4, 0xaa);
	expect_refusal(-EPERM);
	trim_driver();
	m.state = MACHINE_PAUSED;
	expect_refusal(-EAGAIN);
	m.state = MACHINE_ENDED;
	expect_refusal(-ESHUTDOWN);
	m.state = MACHINE_RUNNING;
	fake.cap = 0;
	expect_refusal(-ENOTSUP);
	fake.cap = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
	fake.fail_req = KVM_SET_USER_MEMORY_REGION;
	fake.fail_nth = 2;
	expect_refusal(-EIO);
	ring_add(&f.ring[0], &(struct ring_buf){PFNS_GPA, 3, false}, 1);
	fix_kick(&f, 0);
	expect_refusal(-EIO);
	trim_teardown();
}
END_TEST

START_TEST(one_at_a_time)
{
	for (unsigned i = 0; i < NON; i++) {
		struct err err;

		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		ck_assert_int_eq(machine_trim(&m, &err), -EBUSY);
		ck_assert_uint_eq(m.trim.info.seq, 1);
		ck_assert_int_eq(trim_state(), on[i]);
		trim_teardown();
	}
}
END_TEST

/* ---- the guest ---- */

/* A guest that is slow to read DONE, or never does. */
START_TEST(still_holding_the_last_ones)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_SIFTING);
	ck_assert_int_eq(machine_trim_cancel(&m), 0);
	trim_start();
	trim_fire();
	for (unsigned i = 0; i < 5; i++) {
		trim_fire();
		ck_assert_int_eq(trim_state(), TRIM_ARMING);
		/* Soon, and not at once. */
		ck_assert_uint_ge(fake.delay, NSEC_PER_MSEC);
		ck_assert_uint_le(fake.delay, NSEC_PER_SEC);
	}
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_HINTING);
	ck_assert_int_eq(machine_trim_cancel(&m), 0);

	trim_start();
	trim_fire();
	trim_fire();
	fake.now += TRIM_TIMEOUT_NS;
	trim_fire();
	trim_check_untouched(TRIM_FAILED, "the guest still holds what it hinted the last time");
	trim_teardown();
}
END_TEST

START_TEST(no_answer)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_HINTING);
	fake.now += TRIM_TIMEOUT_NS - NSEC_PER_SEC;
	trim_fire();
	ck_assert_int_eq(trim_state(), TRIM_HINTING);
	fake.now += NSEC_PER_SEC;
	trim_fire();
	trim_check_untouched(TRIM_FAILED, "the guest does not answer");
	ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_DONE);
	trim_check_next();
	trim_teardown();
}
END_TEST

/* As long as something new comes it may go on. */
START_TEST(no_end)
{
	struct trim_info info;

	trim_setup();
	trim_driver();
	trim_reach(TRIM_HINTING);
	trim_hint_begin();
	for (unsigned i = 0; i < 5; i++) {
		fake.now += TRIM_TIMEOUT_NS / 2;
		trim_hint(HINT_FROM + i, HINT_FROM + i + 1);
		/* Whoever asks first: a client that waits asks all the time. */
		if (i % 2)
			machine_trim_query(&m, &info);
		trim_fire();
		ck_assert_int_eq(trim_state(), TRIM_HINTING);
	}
	/* The same once more is nothing new. */
	for (unsigned i = 0; i < 2; i++) {
		fake.now += TRIM_TIMEOUT_NS / 2 + NSEC_PER_SEC;
		trim_hint(HINT_FROM, HINT_FROM + 1);
		trim_fire();
	}
	trim_check_untouched(TRIM_FAILED, "the guest does not come to an end");
	trim_teardown();
}
END_TEST

START_TEST(the_driver_goes_away)
{
	for (unsigned i = 0; i < NON; i++) {
		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		drv_reset(&f.mmio);
		trim_event();
		if (on[i] != TRIM_HINTING)
			trim_fire_until(TRIM_FAILED);
		trim_check_untouched(TRIM_FAILED,
				     on[i] == TRIM_ARMING
					     ? "the guest has no balloon driver"
					     : "the guest's balloon driver went away");
		trim_driver();
		ck_assert_uint_eq(lx_hint_field(&f), HINT_ID_STOP);
		trim_check_next();
		trim_teardown();
	}
}
END_TEST

/* Between the look at the session and the taking of its set, by a vCPU. */
static void reset_now(void)
{
	fake.on_take = NULL;
	drv_reset(&f.mmio);
}

START_TEST(the_driver_goes_away_just_then)
{
	trim_setup();
	trim_driver();
	fake.on_take = reset_now;
	trim_start();
	trim_fire_until(TRIM_HINTING);
	trim_hint_begin();
	trim_hint(HINT_FROM, HINT_TO);
	trim_hint_end();
	trim_event();
	trim_fire();
	trim_check_untouched(TRIM_FAILED, "the guest's balloon driver went away");
	trim_driver();
	trim_check_next();
	trim_teardown();
}
END_TEST

START_TEST(the_driver_breaks_the_protocol)
{
	for (unsigned i = 0; i < NON; i++) {
		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		ring_add(&f.ring[0], &(struct ring_buf){PFNS_GPA, 3, false}, 1);
		fix_kick(&f, 0);
		trim_fire_until(TRIM_FAILED);
		trim_check_untouched(TRIM_FAILED,
				     "the guest's balloon driver broke the protocol");
		trim_driver();
		trim_check_next();
		trim_teardown();
	}
}
END_TEST

/* A driver may write the field at any moment; pages that it poisoned aren't to become zeros. */
START_TEST(poison_in_the_middle)
{
	for (unsigned i = 0; i < NON; i++) {
		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		drv_config_write(&f.mmio, 12, 4, 0xaaaaaaaa);
		if (on[i] < TRIM_SIFTING) {
			trim_fire_until(TRIM_HINTING);
			trim_hint_begin();
			trim_hint(HINT_FROM, HINT_TO);
			trim_hint_end();
			trim_event();
		}
		trim_fire_until(TRIM_FAILED);
		trim_check_untouched(TRIM_FAILED, POISONS);
		ck_assert_uint_eq(m.trim.info.pauses, 1);
		drv_config_write(&f.mmio, 12, 4, 0);
		trim_check_next();
		trim_teardown();
	}
}
END_TEST

/* ---- the host ---- */

static void expect_failure(unsigned long req, unsigned nth, enum trim_state state,
			   const char *name)
{
	trim_setup();
	trim_driver();
	trim_start();
	fake.fail_req = req;
	fake.fail_nth = nth;
	for (unsigned i = 0; i < 100 && trim_state() < state; i++) {
		trim_fire();
		if (trim_state() == TRIM_HINTING) {
			trim_hint_begin();
			trim_hint(HINT_FROM, HINT_TO);
			guest_write(HINT_FROM, 0);
			guest_write(TRIM_LOW, 0);
			trim_hint(TRIM_LOW, TRIM_PAGES);
			trim_hint_end();
			trim_event();
		}
	}
	if (state != TRIM_FAILED)
		trim_fire_until(TRIM_FAILED);
	ck_assert_ptr_nonnull(strstr(m.trim.info.why, name));
	trim_check_untouched(TRIM_FAILED, m.trim.info.why);
	ck_assert_uint_eq(fake.fail_nth, 0);
	trim_check_next();
	trim_teardown();
}

START_TEST(kvm_fails)
{
	/* Arming, first and second slice; anew, the same. */
	for (unsigned nth = 1; nth <= 4; nth++)
		expect_failure(KVM_CLEAR_DIRTY_LOG, nth, nth > 2 ? TRIM_SIFTING : TRIM_FAILED,
			       "KVM_CLEAR_DIRTY_LOG");
	/* Two regions, before and in the turn. */
	for (unsigned nth = 1; nth <= 4; nth++)
		expect_failure(KVM_GET_DIRTY_LOG, nth, TRIM_FAILED, "KVM_GET_DIRTY_LOG");
}
END_TEST

/* ---- from outside ---- */

START_TEST(cancelled)
{
	for (unsigned i = 0; i < NON; i++) {
		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		drv_take_isr(&f.mmio);
		ck_assert_int_eq(machine_trim_cancel(&m), 0);
		trim_check_untouched(TRIM_CANCELLED, "");
		ck_assert_uint_eq(lx_hint_field(&f),
				  on[i] == TRIM_ARMING ? HINT_ID_STOP : HINT_ID_DONE);
		ck_assert_uint_eq(drv_take_isr(&f.mmio),
				  on[i] == TRIM_ARMING ? 0 : VIRTIO_ISR_CONFIG);
		trim_check_next();
		trim_teardown();
	}
}
END_TEST

/* What was discarded is. */
static int slowly(void *opaque, void *hva, size_t len)
{
	fake.now += TRIM_TURN_NS;
	return trim_discard(opaque, hva, len);
}

START_TEST(cancelled_between_turns)
{
	trim_setup();
	trim_driver();
	trim_reach(TRIM_DISCARDING);
	trim_backend.discard = slowly;
	trim_fire();
	trim_backend.discard = trim_discard;
	ck_assert_int_eq(trim_state(), TRIM_DISCARDING);
	ck_assert_int_eq(machine_trim_cancel(&m), 0);
	trim_check_over(TRIM_CANCELLED, "");
	ck_assert_uint_eq(m.trim.info.discarded, PAGE(512));
	ck_assert_uint_eq(m.trim.info.kept, 0);
	trim_check_gone(HINT_FROM, HINT_FROM + 512, true);
	trim_check_gone(HINT_FROM + 512, TRIM_PAGES, false);
	trim_check_next();
	trim_teardown();
}
END_TEST

START_TEST(aborted)
{
	for (unsigned i = 0; i < NON; i++) {
		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		machine_trim_abort(&m, "the guest rebooted");
		trim_check_untouched(TRIM_FAILED, "the guest rebooted");
		/* There's nothing to abort any more. */
		machine_trim_abort(&m, "the VM has ended");
		ck_assert_str_eq(m.trim.info.why, "the guest rebooted");
		virtio_mmio_reset(&m.balloon_mmio);
		trim_driver();
		trim_check_next();
		trim_teardown();

		trim_setup();
		trim_driver();
		trim_reach(on[i]);
		machine_quit(&m);
		fake.parked = false;
		trim_check_untouched(TRIM_FAILED, "the VM has ended");
		trim_teardown();
	}
}
END_TEST

START_TEST(names)
{
	for (unsigned s = 0; s < TRIM_STATES; s++) {
		ck_assert_uint_gt(strlen(trim_state_name((enum trim_state)s)), 0);
		ck_assert(trim_active((enum trim_state)s) ==
			  (s >= TRIM_ARMING && s <= TRIM_DISCARDING));
		for (unsigned t = 0; t < s; t++)
			ck_assert_str_ne(trim_state_name((enum trim_state)s),
					 trim_state_name((enum trim_state)t));
	}
}
END_TEST

UNIT_MAIN("trim_ends", refused, one_at_a_time, still_holding_the_last_ones, no_answer, no_end,
	  the_driver_goes_away, the_driver_goes_away_just_then, the_driver_breaks_the_protocol,
	  poison_in_the_middle, kvm_fails, cancelled, cancelled_between_turns, aborted, names)
