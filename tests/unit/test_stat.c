// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/stat.h"

#include "tests/unit/qmp_fixture.h"
#include "tests/unit/unit.h"

START_TEST(test_vm_without_a_balloon)
{
	struct qmp_fixture f;
	char want[768];

	qmp_fixture_setup(&f);
	f.m.cfg.balloon.enabled = false;
	f.m.state = MACHINE_PAUSED;
	f.m.info = (struct machine_info){.resident = 11,
					 .overhead = 12,
					 .exits = 13,
					 .uptime_ms = 14,
					 .resets = 15,
					 .console_out = 16,
					 .console_dropped = 17,
					 .memory = {.backing = "hugetlb",
						    .thp = "none",
						    .host_page = 2 * MIB,
						    .prealloc = true,
						    .warning = {"a", "b"},
						    .nwarnings = 2}};
	snprintf(want, sizeof(want),
		 "{\"name\": \"vm\", \"status\": \"paused\", \"running\": false, \"pid\": %d, "
		 "\"cpus\": 2, \"ram_bytes\": 536870912, \"resident_bytes\": 11, "
		 "\"overhead_bytes\": 12, \"exits\": 13, \"uptime_ms\": 14, \"resets\": 15, "
		 "\"console_out_bytes\": 16, \"console_dropped_bytes\": 17, \"memory\": "
		 "{\"backing\": \"hugetlb\", \"host_page_bytes\": 2097152, \"thp\": \"none\", "
		 "\"prealloc\": true, \"lock\": false, \"warnings\": [\"a\", \"b\"]}, "
		 "\"balloon\": null}",
		 getpid());
	assert_json(stat_vm(&f.vm), want);
}
END_TEST

START_TEST(test_balloon)
{
	struct qmp_fixture f;
	struct balloon_status *st = &f.m.balloon.st;
	json_t *vm;

	qmp_fixture_setup(&f);
	*st = (struct balloon_status){
		.state = BALLOON_STALLED,
		.driver = true,
		.needs_reset = true,
		.features = 1ull << 32 | 3,
		.target = 21,
		.actual = 22,
		.ballooned = 23,
		.progress_age_ms = 24,
		.oom_deflates = 25,
		.inflate_msgs = 26,
		.deflate_msgs = 27,
		.notifies = 28,
		.interrupts = 29,
		.violations = 30,
		.poison = 0xaaaaaaaa,
		.reporting = {.blocks = 51,
			      .reported = 52,
			      .discarded = 53,
			      .skipped_min = 54,
			      .skipped_rate = 55,
			      .skipped_poison = 56,
			      .skipped_partial = 57,
			      .skipped_stop = 58,
			      .failed = 59,
			      .ns = 60999},
		.hint = {.state = HINT_FAILED,
			 .why = HINT_WHY_NO_STOP,
			 .id = 61,
			 .blocks = 62,
			 .bytes = 63,
			 .useless = 64,
			 .late_blocks = 65,
			 .stray_commands = 66,
			 .pinned = true},
		.reclaim = {.pages = {.pending = 2,
				      .discarded = 3,
				      .double_inflates = 31,
				      .stray_deflates = 32},
			    .backend = "thread",
			    .discarding = 4,
			    .backlog_max = 5,
			    .backlog_peak = 6,
			    .full_waits = 37,
			    .give_waits = 38,
			    .discard_runs = 39,
			    .fallbacks = 40,
			    .discard_calls = 33,
			    .discard_bytes = 34,
			    .discard_errors = 35,
			    .bad_pfns = 36,
			    .released = 7},
	};
	f.m.balloon.interval = 10;
	vm = stat_vm(&f.vm);
	ck_assert(json_is_true(json_object_get(vm, "running")));
	assert_json(
		json_incref(json_object_get(vm, "balloon")),
		"{\"state\": \"stalled\", \"driver\": true, \"needs_reset\": true, "
		"\"features\": 4294967299, \"target_bytes\": 21, \"actual_bytes\": 22, "
		"\"ballooned_bytes\": 23, \"progress_age_ms\": 24, \"oom_deflates\": 25, "
		"\"inflate_messages\": 26, \"deflate_messages\": 27, \"notifies\": 28, "
		"\"interrupts\": 29, \"violations\": 30, \"reclaim\": {\"backend\": "
		"\"thread\", "
		"\"sync\": false, \"pending_bytes\": 8192, \"parked_bytes\": 0, "
		"\"held_bytes\": 0, \"discarding_bytes\": 16384, "
		"\"discarded_bytes\": 12288, \"double_inflates\": 31, \"stray_deflates\": 32, "
		"\"bad_pfns\": 36, \"backlog_max_bytes\": 20480, \"backlog_peak_bytes\": "
		"24576, "
		"\"backlog_waits\": 37, \"deflate_waits\": 38, \"discard_runs\": 39, "
		"\"discard_fallbacks\": 40, \"discard_calls\": 33, \"discard_bytes_total\": "
		"34, "
		"\"discard_errors\": 35, \"released_bytes\": 28672}, \"poison\": 2863311530, "
		"\"reporting\": {\"blocks\": 51, \"reported_bytes\": 52, "
		"\"discarded_bytes\": 53, \"skipped_min_bytes\": 54, "
		"\"skipped_rate_bytes\": 55, \"skipped_poison_bytes\": 56, "
		"\"skipped_partial_bytes\": 57, \"skipped_stop_bytes\": 58, "
		"\"failed_bytes\": 59, \"discard_us\": 60}, "
		"\"hinting\": {\"state\": \"failed\", \"reason\": \"no stop\", \"id\": 61, "
		"\"blocks\": 62, \"hinted_bytes\": 63, \"useless_blocks\": 64, "
		"\"late_blocks\": 65, \"stray_commands\": 66, \"pinned\": true}, \"trim\": "
		"null, "
		"\"stats_interval_seconds\": 10, \"statistics\": null}");
	json_decref(vm);
}
END_TEST

START_TEST(test_balloon_that_never_moved)
{
	struct qmp_fixture f;
	json_t *vm;

	qmp_fixture_setup(&f);
	fake_machine_answer_stats(&f.m, 77);
	vm = stat_vm(&f.vm);
	ck_assert(json_is_null(
		json_object_get(json_object_get(vm, "balloon"), "progress_age_ms")));
	assert_json(
		json_incref(json_object_get(json_object_get(vm, "balloon"), "statistics")),
		"{\"seq\": 1, \"age_ms\": 0, \"unknown_tags\": 3, \"bytes\": {\"free\": 77}, "
		"\"counts\": {\"major-faults\": 17}}");
	json_decref(vm);
}
END_TEST

START_TEST(test_trim)
{
	struct qmp_fixture f;
	json_t *vm;

	qmp_fixture_setup(&f);
	f.m.trim = (struct trim_info){.state = TRIM_FAILED,
				      .why = "it rained",
				      .seq = 1,
				      .blocks = 2,
				      .hinted = 3,
				      .discarded = 4,
				      .ballooned = 5,
				      .failed = 6,
				      .kept = UINT64_MAX,
				      .pauses = 8,
				      .pause_ns = 9999,
				      .pause_max_ns = 10999,
				      .elapsed_ns = 11999999};
	vm = stat_vm(&f.vm);
	assert_json(
		json_incref(json_object_get(json_object_get(vm, "balloon"), "trim")),
		"{\"seq\": 1, \"state\": \"failed\", \"reason\": \"it rained\", \"blocks\": 2, "
		"\"hinted_bytes\": 3, \"discarded_bytes\": 4, \"ballooned_bytes\": 5, "
		"\"failed_bytes\": 6, \"kept_bytes\": 9223372036854775807, \"pauses\": 8, "
		"\"pause_us\": 9, \"pause_max_us\": 10, \"elapsed_ms\": 11}");
	assert_json(json_incref(json_object_get(json_object_get(vm, "balloon"), "hinting")),
		    "{\"state\": \"none\", \"reason\": \"\", \"id\": 0, \"blocks\": 0, "
		    "\"hinted_bytes\": 0, \"useless_blocks\": 0, \"late_blocks\": 0, "
		    "\"stray_commands\": 0, \"pinned\": false}");
	json_decref(vm);
}
END_TEST

/* Every tag shows once, under its unit; what the guest left out doesn't show. */
START_TEST(test_all_statistics)
{
	struct balloon_stats s = {.present = (1u << BALLOON_STATS_TAGS) - 1};
	json_t *o, *bytes, *counts;

	for (unsigned t = 0; t < BALLOON_STATS_TAGS; t++)
		s.value[t] = 100 + t;
	o = stat_statistics(&s, 1, 2);
	bytes = json_object_get(o, "bytes");
	counts = json_object_get(o, "counts");
	ck_assert_uint_eq(json_object_size(bytes) + json_object_size(counts),
			  BALLOON_STATS_TAGS);
	for (unsigned t = 0; t < BALLOON_STATS_TAGS; t++) {
		json_t *in = balloon_stats_is_bytes(t) ? bytes : counts;

		ck_assert_int_eq(json_integer_value(json_object_get(in, balloon_stats_name(t))),
				 100 + t);
	}
	json_decref(o);
	s.present = 0;
	assert_json(stat_statistics(&s, 1, 2),
		    "{\"seq\": 2, \"age_ms\": 1, \"unknown_tags\": 0, \"bytes\": {}, "
		    "\"counts\": {}}");
}
END_TEST

/* A guest may claim any number: it never shows as a negative one. */
START_TEST(test_numbers_beyond_63_bits)
{
	assert_json(stat_number(0), "0");
	assert_json(stat_number(INT64_MAX), "9223372036854775807");
	assert_json(stat_number(1ull << 63), "9223372036854775807");
	assert_json(stat_number(UINT64_MAX), "9223372036854775807");
}
END_TEST

UNIT_MAIN("stat", test_vm_without_a_balloon, test_balloon, test_balloon_that_never_moved,
	  test_trim, test_all_statistics, test_numbers_beyond_63_bits)
