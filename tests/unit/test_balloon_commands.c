// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "tests/unit/qmp_fixture.h"
#include "tests/unit/unit.h"
#include "vmm/ctl/commands.h"

START_TEST(test_balloon_says_what_the_guest_keeps)
{
	struct qmp_fixture f;
	struct balloon *b = &f.m.balloon;

	qmp_fixture_setup(&f);
	assert_return(&f, "balloon", "{\"value\": 268435456}", "{}");
	ck_assert_uint_eq(b->st.target, 256 * MIB);
	/* A part of a page is the guest's. */
	assert_return(&f, "balloon", "{\"value\": 268435457}", "{}");
	ck_assert_uint_eq(b->st.target, 256 * MIB - 4096);
	assert_return(&f, "balloon", "{\"value\": 1}", "{}");
	ck_assert_uint_eq(b->st.target, 512 * MIB - 4096);
	/* All it has, and more than that. */
	assert_return(&f, "balloon", "{\"value\": 536870912}", "{}");
	ck_assert_uint_eq(b->st.target, 0);
	b->st.target = 1;
	assert_return(&f, "balloon", "{\"value\": 9223372036854775807}", "{}");
	ck_assert_uint_eq(b->st.target, 0);
	assert_fails(&f, "balloon", "{\"value\": 0}", "GenericError", "'value'");
	assert_fails(&f, "balloon", "{\"value\": -1}", "GenericError", "'value'");
}
END_TEST

START_TEST(test_query_balloon)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	assert_return(&f, "query-balloon", "{}", "{\"actual\": 536870912}");
	f.m.balloon.st.actual = 512 * MIB - 4096;
	f.m.balloon.st.target = 7 * MIB;
	assert_return(&f, "query-balloon", "{}", "{\"actual\": 4096}");
	/* As in QEMU a guest without a driver has all its memory. */
	f.m.balloon.st.actual = 0;
	f.m.balloon.st.driver = false;
	assert_return(&f, "query-balloon", "{}", "{\"actual\": 536870912}");
}
END_TEST

START_TEST(test_target)
{
	struct qmp_fixture f;
	struct balloon *b = &f.m.balloon;

	qmp_fixture_setup(&f);
	assert_return(&f, "x-aerostat-balloon", "{\"target\": 104857600}",
		      "{\"target_bytes\": 104857600}");
	ck_assert_uint_eq(b->st.target, 100 * MIB);
	assert_return(&f, "x-aerostat-balloon", "{\"target\": 8191}",
		      "{\"target_bytes\": 4096}");
	assert_return(&f, "x-aerostat-balloon", "{\"target\": 0}", "{\"target_bytes\": 0}");
	assert_return(&f, "x-aerostat-balloon", "{\"target\": 536866816}",
		      "{\"target_bytes\": 536866816}");
	assert_fails(&f, "x-aerostat-balloon", "{\"target\": 536870912}", "GenericError",
		     "below 536870912 bytes");
	assert_fails(&f, "x-aerostat-balloon", "{\"target\": 9223372036854775807}",
		     "GenericError", "below 536870912 bytes");
	assert_fails(&f, "x-aerostat-balloon", "{\"target\": -1}", "GenericError", "'target'");
	assert_fails(&f, "x-aerostat-balloon", "{}", "GenericError", "one of");
	assert_fails(&f, "x-aerostat-balloon", "{\"target\": 0, \"relative\": 0}",
		     "GenericError", "one of");
	ck_assert_uint_eq(b->st.target, 536866816);
}
END_TEST

START_TEST(test_relative_target)
{
	struct qmp_fixture f;
	struct balloon *b = &f.m.balloon;

	qmp_fixture_setup(&f);
	b->st.target = 100 * MIB;
	b->st.actual = 3 * MIB; /* has no part in it */
	assert_return(&f, "x-aerostat-balloon", "{\"relative\": 104857600}",
		      "{\"target_bytes\": 209715200}");
	assert_return(&f, "x-aerostat-balloon", "{\"relative\": -52428800}",
		      "{\"target_bytes\": 157286400}");
	assert_return(&f, "x-aerostat-balloon", "{\"relative\": 0}",
		      "{\"target_bytes\": 157286400}");
	/* Both ways a part of a page is the guest's. */
	assert_return(&f, "x-aerostat-balloon", "{\"relative\": 1}",
		      "{\"target_bytes\": 157286400}");
	assert_return(&f, "x-aerostat-balloon", "{\"relative\": -1}",
		      "{\"target_bytes\": 157282304}");
	assert_fails(&f, "x-aerostat-balloon", "{\"relative\": 379588608}", "GenericError",
		     "all of the VM's memory");
	assert_fails(&f, "x-aerostat-balloon", "{\"relative\": 9223372036854775807}",
		     "GenericError", "all of the VM's memory");
	ck_assert_uint_eq(b->st.target, 157282304);
	assert_return(&f, "x-aerostat-balloon", "{\"relative\": -157282305}",
		      "{\"target_bytes\": 0}");
	assert_return(&f, "x-aerostat-balloon", "{\"relative\": -9223372036854775808}",
		      "{\"target_bytes\": 0}");
}
END_TEST

START_TEST(test_failures_have_their_class)
{
	struct qmp_fixture f;
	struct balloon *b = &f.m.balloon;

	qmp_fixture_setup(&f);
	b->st.driver = false;
	assert_fails(&f, "balloon", "{\"value\": 4096}", "DeviceNotActive", BALLOON_NO_DRIVER);
	assert_fails(&f, "x-aerostat-balloon", "{\"target\": 0}", "DeviceNotActive",
		     BALLOON_NO_DRIVER);
	assert_fails(&f, "x-aerostat-balloon-stats", "{}", "DeviceNotActive",
		     BALLOON_NO_DRIVER);
	b->st.driver = true;
	b->st.needs_reset = true;
	assert_fails(&f, "balloon", "{\"value\": 4096}", "GenericError", "resets it");
	b->st.needs_reset = false;
	b->set_target_rc = -ERANGE;
	assert_fails(&f, "balloon", "{\"value\": 4096}", "GenericError", "below 536870912");
	b->set_target_rc = -EBUSY;
	assert_fails(&f, "balloon", "{\"value\": 4096}", "GenericError", "busy");
	b->stats_negotiated = false;
	assert_fails(&f, "x-aerostat-balloon-stats", "{}", "GenericError", "no statistics");

	f.m.cfg.balloon.enabled = false;
	assert_fails(&f, "balloon", "{\"value\": 1}", "DeviceNotActive", "'vm' has no balloon");
	assert_fails(&f, "query-balloon", "{}", "DeviceNotActive", "'vm' has no balloon");
	assert_fails(&f, "x-aerostat-balloon", "{\"target\": 0}", "DeviceNotActive",
		     "'vm' has no balloon");
	assert_fails(&f, "x-aerostat-balloon-stats", "{}", "DeviceNotActive", "no balloon");
	assert_fails(&f, "x-aerostat-set-stats-interval", "{\"seconds\": 1}", "DeviceNotActive",
		     "no balloon");
}
END_TEST

START_TEST(test_statistics_on_demand)
{
	struct qmp_fixture f;
	struct balloon *b = &f.m.balloon;

	qmp_fixture_setup(&f);
	assert_return(&f, "x-aerostat-balloon-stats", "{}",
		      "{\"fresh\": false, \"seq\": 0, \"statistics\": null}");
	ck_assert_uint_eq(b->requests, 1);
	/* Asked already: waiting costs the guest nothing. */
	assert_return(&f, "x-aerostat-balloon-stats", "{\"max_age_ms\": 1000}",
		      "{\"fresh\": false, \"seq\": 0, \"statistics\": null}");
	ck_assert_uint_eq(b->requests, 1);
	fake_machine_answer_stats(&f.m, 5000);
	b->stats_age_ms = 1000;
	assert_return(&f, "x-aerostat-balloon-stats", "{\"max_age_ms\": 1000}",
		      "{\"fresh\": true, \"seq\": 1, \"statistics\": {\"seq\": 1, \"age_ms\": "
		      "1000, \"unknown_tags\": 3, \"bytes\": {\"free\": 5000}, \"counts\": "
		      "{\"major-faults\": 17}}}");
	ck_assert_uint_eq(b->requests, 1);
	/* Too old, so the guest is asked again; what there is comes along. */
	b->stats_age_ms = 1001;
	json_decref(qmp_ask(&f, "{\"execute\": \"x-aerostat-balloon-stats\", \"arguments\": "
				"{\"max_age_ms\": 1000}}"));
	ck_assert_uint_eq(b->requests, 2);
	assert_return(&f, "x-aerostat-balloon-stats", "{}",
		      "{\"fresh\": false, \"seq\": 1, \"statistics\": {\"seq\": 1, \"age_ms\": "
		      "1001, \"unknown_tags\": 3, \"bytes\": {\"free\": 5000}, \"counts\": "
		      "{\"major-faults\": 17}}}");
	/* Fresh enough ones are given even when the driver has gone since. */
	b->st.driver = false;
	json_decref(qmp_ask(&f, "{\"execute\": \"x-aerostat-balloon-stats\", \"arguments\": "
				"{\"max_age_ms\": 2000}}"));
	ck_assert_uint_eq(b->requests, 2);
}
END_TEST

START_TEST(test_stats_interval)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	assert_return(&f, "x-aerostat-set-stats-interval", "{\"seconds\": 4294967295}", "{}");
	ck_assert_uint_eq(f.m.balloon.interval, UINT32_MAX);
	assert_return(&f, "x-aerostat-set-stats-interval", "{\"seconds\": 0}", "{}");
	ck_assert_uint_eq(f.m.balloon.interval, 0);
}
END_TEST

START_TEST(test_audit)
{
	struct qmp_fixture f;

	qmp_fixture_setup(&f);
	f.m.balloon.audit = (struct audit){.pages = 512, .resident = 3, .method = GMEM_MINCORE};
	assert_return(&f, "x-aerostat-audit", "{}",
		      "{\"discarded_bytes\": 2097152, \"resident_bytes\": 12288, \"method\": "
		      "\"mincore\"}");
	/* What went to the host can be looked for without the guest's help. */
	f.m.balloon.st.driver = false;
	f.m.balloon.audit.method = GMEM_SEEK_DATA;
	assert_return(&f, "x-aerostat-audit", "{}",
		      "{\"discarded_bytes\": 2097152, \"resident_bytes\": 12288, \"method\": "
		      "\"seek-data\"}");
	f.m.balloon.audit_rc = -ENOMEM;
	assert_fails(&f, "x-aerostat-audit", "{}", "GenericError", "memory");
	f.m.cfg.balloon.enabled = false;
	assert_fails(&f, "x-aerostat-audit", "{}", "DeviceNotActive", "no balloon");
}
END_TEST

UNIT_MAIN("balloon_commands", test_balloon_says_what_the_guest_keeps, test_query_balloon,
	  test_target, test_relative_target, test_failures_have_their_class,
	  test_statistics_on_demand, test_stats_interval, test_audit)
