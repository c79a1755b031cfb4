// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "vmm/cli/vm_report.h"

static const char *balloon(const char *json)
{
	static char buf[REPORT_BALLOON];
	json_t *j = json_loads(json, JSON_DECODE_ANY, NULL);

	report_balloon(j, buf);
	json_decref(j);
	return buf;
}

START_TEST(a_balloon_in_one_line)
{
	ck_assert_str_eq(balloon("null"), "none");
	ck_assert_str_eq(balloon("{\"driver\": true, \"state\": \"inflating\", "
				 "\"ballooned_bytes\": 1048576, \"target_bytes\": 4194304}"),
			 "inflating, holds 1.0 MiB of 4.0 MiB asked for");
	ck_assert_str_eq(balloon("{\"driver\": false, \"target_bytes\": 4194304}"),
			 "no driver, 4.0 MiB asked for");
	ck_assert_str_eq(
		balloon("{\"driver\": true, \"needs_reset\": true, "
			"\"ballooned_bytes\": 4096}"),
		"broken by the guest's driver, holds 4.0 KiB until it resets the device");
}
END_TEST

START_TEST(members_may_be_missing_or_odd)
{
	json_t *j = json_loads("{\"n\": -5, \"t\": 7, \"u\": \"x\"}", 0, NULL);
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_uint_eq(report_number(j, "n"), 0);
	ck_assert_uint_eq(report_number(j, "u"), 0);
	ck_assert_uint_eq(report_number(j, "none"), 0);
	ck_assert_uint_eq(report_number(NULL, "none"), 0);
	ck_assert_uint_eq(report_number(j, "t"), 7);
	ck_assert_str_eq(report_text(j, "t"), "");
	ck_assert_str_eq(report_text(j, "u"), "x");
	ck_assert_str_eq(report_text(NULL, "u"), "");
	report_vm(j, f);
	report_statistics(j, true, f);
	report_statistics(NULL, true, f);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "balloon         none\n"));
	free(text);
	json_decref(j);
}
END_TEST

START_TEST(what_memory_is_made_of)
{
	json_t *j = json_loads("{\"memory\": {\"backing\": \"hugetlb\", \"host_page_bytes\": "
			       "1073741824, \"thp\": \"none\", \"prealloc\": true, \"lock\": "
			       "true, \"warnings\": [\"one\", 2, \"three\"]}}",
			       0, NULL);
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	report_vm(j, f);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "  backing       hugetlb in pages of 1.0 GiB, "
					   "preallocated, locked\n"));
	ck_assert_ptr_nonnull(strstr(text, "  note          one\n"));
	ck_assert_ptr_nonnull(strstr(text, "  note          three\n"));
	free(text);
	json_decref(j);
	j = json_loads("{\"memory\": {\"backing\": \"anon\", \"thp\": \"on\"}}", 0, NULL);
	f = open_memstream(&text, &len);
	report_vm(j, f);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, ", with transparent huge pages\n"));
	free(text);
	json_decref(j);
}
END_TEST

static bool balloon_lines_have(const char *balloon_json, const char *line)
{
	json_t *j = json_pack("{s:o}", "balloon", json_loads(balloon_json, 0, NULL));
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool has;

	report_vm(j, f);
	fclose(f);
	has = strstr(text, line);
	free(text);
	json_decref(j);
	return has;
}

START_TEST(what_the_guest_reported)
{
	const char *three = "{\"reporting\": {\"blocks\": 3, \"reported_bytes\": 8388608, "
			    "\"discarded_bytes\": 4194304}}";
	const char *poison = "{\"poison\": 170, \"reporting\": {\"reported_bytes\": 1}}";

	ck_assert(balloon_lines_have(
		three, "  reported free 8.0 MiB in 3 blocks, 4.0 MiB of it returned\n"));
	ck_assert(!balloon_lines_have(three, "  poison"));
	ck_assert(balloon_lines_have(poison, "  poison        the guest fills free pages"));
	ck_assert(!balloon_lines_have("{\"reporting\": {\"blocks\": 0}}", "  reported"));
	ck_assert(!balloon_lines_have("{}", "  reported"));
}
END_TEST

START_TEST(what_the_guest_hinted)
{
	const char *finished = "{\"hinting\": {\"state\": \"finished\", \"reason\": \"\", "
			       "\"id\": 2, \"blocks\": 3, \"hinted_bytes\": 8388608, "
			       "\"pinned\": false}}";
	const char *pinned = "{\"hinting\": {\"state\": \"failed\", \"reason\": \"no stop\", "
			     "\"id\": 2, \"pinned\": true}}";

	ck_assert(balloon_lines_have(finished,
				     "  hinted free   8.0 MiB in 3 blocks, finished\n"));
	ck_assert(balloon_lines_have(pinned,
				     "  hinted free   0 B in 0 blocks, failed: no stop; "
				     "the guest may still hold them\n"));
	ck_assert(!balloon_lines_have("{\"hinting\": {\"state\": \"none\", \"id\": 0}}",
				      "  hinted"));
	ck_assert(!balloon_lines_have("{}", "  hinted"));
}
END_TEST

START_TEST(the_last_trim)
{
	const char *done = "{\"trim\": {\"state\": \"done\", \"reason\": \"\", "
			   "\"discarded_bytes\": 1048576, \"hinted_bytes\": 4194304, "
			   "\"pauses\": 3, \"pause_max_us\": 4099, \"elapsed_ms\": 3210}}";
	const char *failed = "{\"trim\": {\"state\": \"failed\", \"reason\": \"it rained\", "
			     "\"hinted_bytes\": 4194304, \"elapsed_ms\": 700}}";

	ck_assert(balloon_lines_have(done,
				     "  trim          done, 1.0 MiB of 4.0 MiB free returned "
				     "in 3.2 s; 3 pauses, the longest 4.1 ms\n"));
	ck_assert(balloon_lines_have(failed,
				     "  trim          failed: it rained, 0 B of 4.0 MiB "
				     "free returned in 0.7 s\n"));
	ck_assert(!balloon_lines_have("{\"trim\": null}", "  trim"));
	ck_assert(!balloon_lines_have("{}", "  trim"));
}
END_TEST

START_TEST(pauses_are_counted)
{
	json_t *j = json_pack("{s:i, s:i}", "pauses", 1, "pause_max_us", 2400);
	char buf[REPORT_PAUSES];

	ck_assert_str_eq(report_pauses(j, buf), "; 1 pause of 2.4 ms");
	json_object_set_new(j, "pauses", json_integer(0));
	ck_assert_str_eq(report_pauses(j, buf), "");
	json_object_set_new(j, "pauses", json_integer(INT64_MAX));
	json_object_set_new(j, "pause_max_us", json_integer(INT64_MAX));
	report_pauses(j, buf);
	ck_assert_ptr_eq(strstr(buf, "; 9223372036854775807 pauses, the longest 9"), buf);
	json_decref(j);
}
END_TEST

UNIT_MAIN("vm_report", a_balloon_in_one_line, members_may_be_missing_or_odd,
	  what_memory_is_made_of, what_the_guest_reported, what_the_guest_hinted, the_last_trim,
	  pauses_are_counted)
