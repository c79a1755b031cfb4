// SPDX-License-Identifier: Apache-2.0
/* The status register and the features negotiated through it. */
#include "devices/virtio/virtio.h"

#include "tests/unit/virtio_fixture.h"

/* From each status that a driver can reach, every value of the register. */
START_TEST(status_transitions)
{
	static const uint8_t from[] = {
		0,  A,	    A | D,	A | D | F,	A | D | F | OK,
		FA, A | FA, A | D | FA, A | D | F | FA, A | D | F | OK | FA};
	static const uint8_t next[] = {A, A | D, A | D | F, A | D | F | OK};

	setup();
	for (unsigned i = 0; i < sizeof(from); i++) {
		for (uint32_t v = 0; v < 0x200; v++) {
			uint64_t before;
			uint32_t want = from[i];

			negotiate(0);
			dev->status = from[i];
			before = dev->violations;
			if (!v || (i < 4 && v == next[i]))
				want = v;
			else if (i < 5 && v == (from[i] | FA))
				want = v;
			virtio_set_status(dev, v);
			ck_assert_msg(dev->status == want, "0x%x over 0x%x gave 0x%x", v,
				      from[i], dev->status);
			ck_assert_uint_eq(dev->violations - before,
					  want == from[i] && v != from[i]);
		}
	}
	teardown();
}
END_TEST

START_TEST(driver_can_neither_set_nor_clear_needs_reset)
{
	setup();
	go_live();
	virtio_set_status(dev, A | D | F | OK | NR);
	ck_assert_uint_eq(dev->status, A | D | F | OK);
	virtio_violation(dev, "test");
	ck_assert_uint_eq(dev->status, A | D | F | OK | NR);
	virtio_set_status(dev, A | D | F | OK);
	ck_assert_uint_eq(dev->status, A | D | F | OK | NR);
	virtio_set_status(dev, A | D | F | OK | FA);
	ck_assert_uint_eq(dev->status, A | D | F | OK | NR | FA);
	virtio_set_status(dev, 0);
	ck_assert_uint_eq(dev->status, 0);

	/* Latched before DRIVER_OK, which then doesn't bring the device to life. */
	negotiate(0);
	virtio_violation(dev, "test");
	virtio_set_status(dev, A | D | F | OK | NR);
	ck_assert_uint_eq(dev->status, A | D | F | OK | NR);
	ck_assert_uint_eq(f.oks, 1);
	ck_assert(!virtio_live(dev));
	teardown();
}
END_TEST

START_TEST(features_ok_is_granted_or_not)
{
	const struct {
		uint64_t accepted;
		bool granted;
	} cases[] = {
		{V1, true},
		{V1 | FAKE_FEATURES, true},
		{V1 | FAKE_FEATURES | 1ull << 28 | 1ull << 29, true},
		{0, false},
		{FAKE_FEATURES, false},
		{V1 | 1ull << 1, false},
		{V1 | 1ull << 33, false},
		{V1 | 1ull << 63, false},
		{~0ull, false},
	};

	setup();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		virtio_set_status(dev, 0);
		virtio_set_status(dev, A);
		virtio_set_status(dev, A | D);
		accept_features(cases[i].accepted);
		virtio_set_status(dev, A | D | F);
		ck_assert_msg(dev->status == (cases[i].granted ? (A | D | F) : (A | D)),
			      "case %u", i);
	}
	/* Not granted, the driver may think again. */
	accept_features(V1);
	virtio_set_status(dev, A | D | F);
	ck_assert_uint_eq(dev->status, A | D | F);
	teardown();
}
END_TEST

START_TEST(features_are_settable_from_driver_to_features_ok)
{
	setup();
	accept_features(V1);
	ck_assert_uint_eq(dev->acked, 0);
	virtio_set_status(dev, A);
	accept_features(V1);
	ck_assert_uint_eq(dev->acked, 0);
	ck_assert_uint_eq(dev->violations, 4);
	virtio_set_status(dev, A | D);
	accept_features(V1 | VIRTIO_FEATURE(FAKE_F_HIGH));
	virtio_set_features(dev, 2, 0);
	ck_assert_uint_eq(dev->violations, 4);
	virtio_set_features(dev, 2, 1); /* bits 64 on don't exist */
	virtio_set_features(dev, 0xffffffff, 1);
	ck_assert_uint_eq(dev->violations, 6);
	ck_assert_uint_eq(dev->acked, V1 | VIRTIO_FEATURE(FAKE_F_HIGH));
	virtio_set_status(dev, A | D | F);
	accept_features(V1 | VIRTIO_FEATURE(FAKE_F_LONG));
	ck_assert_uint_eq(dev->acked, V1 | VIRTIO_FEATURE(FAKE_F_HIGH));
	ck_assert(virtio_has(dev, FAKE_F_HIGH));
	ck_assert(!virtio_has(dev, FAKE_F_LONG));
	teardown();
}
END_TEST

START_TEST(accepted_but_not_offered_is_not_had)
{
	setup();
	virtio_set_status(dev, A);
	virtio_set_status(dev, A | D);
	accept_features(~0ull);
	ck_assert(virtio_has(dev, FAKE_F_LONG));
	ck_assert(!virtio_has(dev, 1));
	ck_assert(!virtio_has(dev, 63));
	teardown();
}
END_TEST

UNIT_MAIN("virtio_status", status_transitions, driver_can_neither_set_nor_clear_needs_reset,
	  features_ok_is_granted_or_not, features_are_settable_from_driver_to_features_ok,
	  accepted_but_not_offered_is_not_had)
