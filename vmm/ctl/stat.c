// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/stat.h"

#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/mem/gmem.h"

json_t *stat_number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

static json_t *pages(uint64_t n)
{
	return stat_number(n * GMEM_PAGE_SIZE);
}

json_t *stat_statistics(const struct balloon_stats *s, uint64_t age_ms, uint64_t seq)
{
	json_t *bytes = json_object();
	json_t *counts = json_object();
	json_t *o = json_pack("{s:o, s:o, s:I, s:o, s:o}", "seq", stat_number(seq), "age_ms",
			      stat_number(age_ms), "unknown_tags", (json_int_t)s->unknown,
			      "bytes", bytes, "counts", counts);

	for (unsigned t = 0; o && t < BALLOON_STATS_TAGS; t++) {
		json_t *to = balloon_stats_is_bytes(t) ? bytes : counts;

		if (s->present >> t & 1 &&
		    json_object_set_new(to, balloon_stats_name(t), stat_number(s->value[t]))) {
			json_decref(o);
			o = NULL;
		}
	}
	return o;
}

static json_t *latest_statistics(struct balloon *b)
{
	struct balloon_stats s;
	uint64_t age_ms, seq;

	if (balloon_stats_get(b, &s, &age_ms, &seq))
		return json_null();
	return stat_statistics(&s, age_ms, seq);
}

static json_t *reclaim_json(const struct reclaim_stats *r)
{
	json_t *o = json_pack(
		"{s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "backend", r->backend,
		"sync", r->sync, "pending_bytes", pages(r->pages.pending), "parked_bytes",
		pages(r->pages.parked), "held_bytes", pages(r->pages.held), "discarding_bytes",
		pages(r->discarding), "discarded_bytes", pages(r->pages.discarded),
		"double_inflates", stat_number(r->pages.double_inflates), "stray_deflates",
		stat_number(r->pages.stray_deflates), "bad_pfns", stat_number(r->bad_pfns));
	json_t *more = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "backlog_max_bytes",
		pages(r->backlog_max), "backlog_peak_bytes", pages(r->backlog_peak),
		"backlog_waits", stat_number(r->full_waits), "deflate_waits",
		stat_number(r->give_waits), "discard_runs", stat_number(r->discard_runs),
		"discard_bytes_total", stat_number(r->discard_bytes), "discard_calls",
		stat_number(r->discard_calls), "discard_errors", stat_number(r->discard_errors),
		"discard_fallbacks", stat_number(r->fallbacks), "released_bytes",
		pages(r->released));

	if (json_object_update(o, more)) {
		json_decref(o);
		o = NULL;
	}
	json_decref(more);
	return o;
}

static json_t *reporting_json(const struct balloon_reporting *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "blocks",
			 stat_number(r->blocks), "reported_bytes", stat_number(r->reported),
			 "discarded_bytes", stat_number(r->discarded), "skipped_min_bytes",
			 stat_number(r->skipped_min), "skipped_rate_bytes",
			 stat_number(r->skipped_rate), "skipped_poison_bytes",
			 stat_number(r->skipped_poison), "skipped_partial_bytes",
			 stat_number(r->skipped_partial), "skipped_stop_bytes",
			 stat_number(r->skipped_stop), "failed_bytes", stat_number(r->failed),
			 "discard_us", stat_number(r->ns / 1000));
}

json_t *stat_trim(const struct trim_info *t)
{
	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "seq", stat_number(t->seq), "state", trim_state_name(t->state),
			 "reason", t->why, "blocks", stat_number(t->blocks), "hinted_bytes",
			 stat_number(t->hinted), "discarded_bytes", stat_number(t->discarded),
			 "ballooned_bytes", stat_number(t->ballooned), "failed_bytes",
			 stat_number(t->failed), "kept_bytes", stat_number(t->kept), "pauses",
			 stat_number(t->pauses), "pause_us", stat_number(t->pause_ns / 1000),
			 "pause_max_us", stat_number(t->pause_max_ns / 1000), "elapsed_ms",
			 stat_number(t->elapsed_ns / NSEC_PER_MSEC));
}

static json_t *latest_trim(struct machine *m)
{
	struct trim_info t;

	machine_trim_query(m, &t);
	return t.state == TRIM_NONE ? json_null() : stat_trim(&t);
}

static json_t *hinting_json(const struct hint_info *h)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "state",
			 hint_state_name(h->state), "reason", hint_why_name(h->why), "id",
			 stat_number(h->id), "blocks", stat_number(h->blocks), "hinted_bytes",
			 stat_number(h->bytes), "useless_blocks", stat_number(h->useless),
			 "late_blocks", stat_number(h->late_blocks), "stray_commands",
			 stat_number(h->stray_commands), "pinned", h->pinned);
}

static json_t *counters_json(const struct balloon_status *st)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "oom_deflates",
			 stat_number(st->oom_deflates), "inflate_messages",
			 stat_number(st->inflate_msgs), "deflate_messages",
			 stat_number(st->deflate_msgs), "notifies", stat_number(st->notifies),
			 "interrupts", stat_number(st->interrupts), "violations",
			 stat_number(st->violations));
}

static json_t *balloon_json(struct machine *m)
{
	struct balloon *b = machine_balloon(m);
	struct balloon_status st;
	json_t *o, *more;

	if (!b)
		return json_null();
	balloon_query(b, &st);
	o = json_pack("{s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "state",
		      balloon_state_name(st.state), "driver", st.driver, "needs_reset",
		      st.needs_reset, "features", stat_number(st.features), "target_bytes",
		      stat_number(st.target), "actual_bytes", stat_number(st.actual),
		      "ballooned_bytes", stat_number(st.ballooned), "progress_age_ms",
		      st.progress_age_ms < 0 ? json_null()
					     : stat_number((uint64_t)st.progress_age_ms));
	more = counters_json(&st);
	if (json_object_update(o, more) ||
	    json_object_set_new(o, "reclaim", reclaim_json(&st.reclaim)) ||
	    json_object_set_new(o, "poison", json_integer(st.poison)) ||
	    json_object_set_new(o, "reporting", reporting_json(&st.reporting)) ||
	    json_object_set_new(o, "hinting", hinting_json(&st.hint)) ||
	    json_object_set_new(o, "trim", latest_trim(m)) ||
	    json_object_set_new(o, "stats_interval_seconds",
				json_integer(balloon_stats_interval(b))) ||
	    json_object_set_new(o, "statistics", latest_statistics(b))) {
		json_decref(o);
		o = NULL;
	}
	json_decref(more);
	return o;
}

static json_t *memory_json(const struct gmem_info *m)
{
	json_t *warnings = json_array();

	for (unsigned i = 0; i < m->nwarnings; i++) {
		if (json_array_append_new(warnings, json_string(m->warning[i]))) {
			json_decref(warnings);
			return NULL;
		}
	}
	return json_pack("{s:s, s:o, s:s, s:b, s:b, s:o}", "backing", m->backing,
			 "host_page_bytes", stat_number(m->host_page), "thp", m->thp,
			 "prealloc", m->prealloc, "lock", m->lock, "warnings", warnings);
}

json_t *stat_vm(const struct qmp_vm *vm)
{
	struct machine_info i;
	json_t *o;

	machine_query(vm->machine, &i);
	o = json_pack("{s:s, s:s, s:b, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		      "name", vm->name, "status", qmp_status(vm), "running",
		      i.state == MACHINE_RUNNING, "pid", (int)getpid(), "cpus", (int)i.cpus,
		      "ram_bytes", stat_number(i.mem), "resident_bytes",
		      stat_number(i.resident), "overhead_bytes", stat_number(i.overhead),
		      "exits", stat_number(i.exits), "uptime_ms", stat_number(i.uptime_ms),
		      "resets", stat_number(i.resets), "console_out_bytes",
		      stat_number(i.console_out), "console_dropped_bytes",
		      stat_number(i.console_dropped));
	if (json_object_set_new(o, "memory", memory_json(&i.memory)) ||
	    json_object_set_new(o, "balloon", balloon_json(vm->machine))) {
		json_decref(o);
		o = NULL;
	}
	return o;
}
