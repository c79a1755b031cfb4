// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/vm_report.h"

#include <stdarg.h>
#include <string.h>

#include "vmm/cli/cli.h"

uint64_t report_number(const json_t *j, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(j, key));

	return v > 0 ? (uint64_t)v : 0;
}

const char *report_text(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text ? text : "";
}

static bool is_true(const json_t *j, const char *key)
{
	return json_is_true(json_object_get(j, key));
}

const char *report_balloon(const json_t *balloon, char buf[REPORT_BALLOON])
{
	const char *target = cli_size(report_number(balloon, "target_bytes"));

	if (!json_is_object(balloon))
		snprintf(buf, REPORT_BALLOON, "none");
	else if (is_true(balloon, "needs_reset"))
		snprintf(buf, REPORT_BALLOON,
			 "broken by the guest's driver, holds %s until it resets the device",
			 cli_size(report_number(balloon, "ballooned_bytes")));
	else if (!is_true(balloon, "driver"))
		snprintf(buf, REPORT_BALLOON, "no driver, %s asked for", target);
	else
		snprintf(buf, REPORT_BALLOON, "%s, holds %s of %s asked for",
			 report_text(balloon, "state"),
			 cli_size(report_number(balloon, "ballooned_bytes")), target);
	return buf;
}

#define COUNT(j, key) ((unsigned long long)report_number(j, key))

const char *report_pauses(const json_t *trim, char buf[REPORT_PAUSES])
{
	uint64_t pauses = report_number(trim, "pauses");
	double longest = (double)report_number(trim, "pause_max_us") / 1e3;

	if (!pauses)
		buf[0] = '\0';
	else if (pauses == 1)
		snprintf(buf, REPORT_PAUSES, "; 1 pause of %.1f ms", longest);
	else
		snprintf(buf, REPORT_PAUSES, "; %llu pauses, the longest %.1f ms",
			 COUNT(trim, "pauses"), longest);
	return buf;
}

static void line(FILE *out, const char *label, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void line(FILE *out, const char *label, const char *fmt, ...)
{
	va_list ap;

	fprintf(out, "%-16s", label);
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fputc('\n', out);
}

static void size_line(FILE *out, const char *label, const json_t *j, const char *key)
{
	line(out, label, "%s", cli_size(report_number(j, key)));
}

static void report_reclaim(const json_t *r, FILE *out)
{
	line(out, "  returned", "%s in all, by %llu discards, %llu failed",
	     cli_size(report_number(r, "discard_bytes_total")), COUNT(r, "discard_calls"),
	     COUNT(r, "discard_errors"));
	line(out, "  right now", "%s returned, %s about to be",
	     cli_size(report_number(r, "discarded_bytes")),
	     cli_size(report_number(r, "pending_bytes")));
	line(out, "  odd pages",
	     "%llu inflated twice, %llu deflated but never inflated, %llu outside memory",
	     COUNT(r, "double_inflates"), COUNT(r, "stray_deflates"), COUNT(r, "bad_pfns"));
}

static void report_reporting(const json_t *b, FILE *out)
{
	const json_t *r = json_object_get(b, "reporting");
	uint64_t reported = report_number(r, "reported_bytes");
	uint64_t discarded = report_number(r, "discarded_bytes");

	if (!reported)
		return;
	line(out, "  reported free", "%s in %llu blocks, %s of it returned", cli_size(reported),
	     COUNT(r, "blocks"), cli_size(discarded));
	if (report_number(b, "poison"))
		line(out, "  poison", "the guest fills free pages, so they are not returned");
}

static void report_hinting(const json_t *h, FILE *out)
{
	const char *state = report_text(h, "state");
	const char *reason = report_text(h, "reason");

	if (!report_number(h, "id"))
		return;
	line(out, "  hinted free", "%s in %llu blocks, %s%s%s%s",
	     cli_size(report_number(h, "hinted_bytes")), COUNT(h, "blocks"), state,
	     *reason ? ": " : "", reason,
	     is_true(h, "pinned") ? "; the guest may still hold them" : "");
}

static void report_trim(const json_t *t, FILE *out)
{
	const char *reason = report_text(t, "reason");
	char pauses[REPORT_PAUSES];

	if (!json_is_object(t))
		return;
	line(out, "  trim", "%s%s%s, %s of %s free returned in %.1f s%s",
	     report_text(t, "state"), *reason ? ": " : "", reason,
	     cli_size(report_number(t, "discarded_bytes")),
	     cli_size(report_number(t, "hinted_bytes")),
	     (double)report_number(t, "elapsed_ms") / 1e3, report_pauses(t, pauses));
}

static void report_balloon_lines(const json_t *b, FILE *out)
{
	char text[REPORT_BALLOON];
	const json_t *age = json_object_get(b, "progress_age_ms");

	line(out, "balloon", "%s", report_balloon(b, text));
	if (!json_is_object(b))
		return;
	size_line(out, "  guest says", b, "actual_bytes");
	if (json_is_integer(age))
		line(out, "  last progress", "%.1f s ago",
		     (double)json_integer_value(age) / 1e3);
	line(out, "  messages", "%llu inflate, %llu deflate, %llu interrupts",
	     COUNT(b, "inflate_messages"), COUNT(b, "deflate_messages"),
	     COUNT(b, "interrupts"));
	line(out, "  trouble", "%llu deflated for lack of memory, %llu violations",
	     COUNT(b, "oom_deflates"), COUNT(b, "violations"));
	report_reporting(b, out);
	report_hinting(json_object_get(b, "hinting"), out);
	report_trim(json_object_get(b, "trim"), out);
	report_reclaim(json_object_get(b, "reclaim"), out);
}

static const char *thp_text(const char *thp)
{
	if (!strcmp(thp, "on"))
		return ", with transparent huge pages";
	return strcmp(thp, "off") ? "" : ", without transparent huge pages";
}

static void report_memory(const json_t *m, FILE *out)
{
	const json_t *warning;
	size_t i;

	if (!json_is_object(m))
		return;
	line(out, "  backing", "%s in pages of %s%s%s%s", report_text(m, "backing"),
	     cli_size(report_number(m, "host_page_bytes")), thp_text(report_text(m, "thp")),
	     is_true(m, "prealloc") ? ", preallocated" : "",
	     is_true(m, "lock") ? ", locked" : "");
	json_array_foreach(json_object_get(m, "warnings"), i, warning)
	{
		if (json_is_string(warning))
			line(out, "  note", "%s", json_string_value(warning));
	}
}

void report_vm(const json_t *vm, FILE *out)
{
	line(out, "name", "%s", report_text(vm, "name"));
	line(out, "state", "%s", report_text(vm, "status"));
	line(out, "pid", "%llu", COUNT(vm, "pid"));
	line(out, "vCPUs", "%llu", COUNT(vm, "cpus"));
	line(out, "uptime", "%.1f s", (double)report_number(vm, "uptime_ms") / 1e3);
	size_line(out, "memory", vm, "ram_bytes");
	line(out, "  resident", "%s, and %s of the monitor itself",
	     cli_size(report_number(vm, "resident_bytes")),
	     cli_size(report_number(vm, "overhead_bytes")));
	report_memory(json_object_get(vm, "memory"), out);
	line(out, "exits", "%llu", COUNT(vm, "exits"));
	line(out, "resets", "%llu", COUNT(vm, "resets"));
	line(out, "console", "%s written, %s dropped",
	     cli_size(report_number(vm, "console_out_bytes")),
	     cli_size(report_number(vm, "console_dropped_bytes")));
	report_balloon_lines(json_object_get(vm, "balloon"), out);
}

/* In the guest's order, which is that of the tags. */
static void report_group(json_t *group, bool bytes, FILE *out)
{
	for (void *i = json_object_iter(group); i; i = json_object_iter_next(group, i)) {
		json_int_t value = json_integer_value(json_object_iter_value(i));

		fprintf(out, "  %-20s", json_object_iter_key(i));
		if (bytes)
			fprintf(out, "%s\n", cli_size((uint64_t)value));
		else
			fprintf(out, "%lld\n", (long long)value);
	}
}

void report_statistics(const json_t *s, bool stale, FILE *out)
{
	if (!json_is_object(s)) {
		line(out, "guest memory", "no statistics yet");
		return;
	}
	line(out, "guest memory", "%.1f s old%s", (double)report_number(s, "age_ms") / 1e3,
	     stale ? "; the guest did not answer in time" : "");
	report_group(json_object_get(s, "bytes"), true, out);
	report_group(json_object_get(s, "counts"), false, out);
}
