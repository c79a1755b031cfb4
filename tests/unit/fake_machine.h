/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine and a balloon for tests and fuzzers of the control layer: what machine.h and
 * balloon.h promise, without KVM and without a guest.
 *
 * This header defines those functions, so that they come before the real ones of the library:
 * include it in one file of a program. An archive member would take the real ones' place in
 * every other test.
 */
#ifndef AEROSTAT_TESTS_FAKE_MACHINE_H
#define AEROSTAT_TESTS_FAKE_MACHINE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/machine/machine.h"
#include "vmm/machine/trim.h"

/* Tests read and write the fields. */
struct balloon {
	struct balloon_status st;
	bool stats_negotiated;
	int set_target_rc; /* what balloon_set_target() fails with; 0: nothing */
	unsigned requests; /* of statistics that went out */
	bool asked;	   /* and is not answered */
	struct balloon_stats stats;
	uint64_t stats_age_ms, stats_seq; /* seq 0: none came */
	uint32_t interval;
	struct audit audit; /* what balloon_audit() gives */
	int audit_rc;
};

struct machine {
	struct vm_config cfg;
	enum machine_state state;
	enum machine_exit exit_status;
	struct balloon balloon;
	struct machine_info info;
	struct loop *loop; /* stopped at the end; may be NULL */
	machine_event_fn listener;
	void *opaque;
	int pause_rc; /* what machine_pause() fails with; 0: nothing */
	bool no_button;
	int trim_rc; /* the same for machine_trim() */
	struct trim_info trim;
};

/* A running VM of mem bytes, with a balloon (and its driver) or without. */
static inline void fake_machine_init(struct machine *m, const char *name, uint64_t mem,
				     bool balloon)
{
	memset(m, 0, sizeof(*m));
	snprintf(m->cfg.name, sizeof(m->cfg.name), "%s", name);
	m->cfg.mem = mem;
	m->cfg.cpus = 2;
	m->cfg.balloon.enabled = balloon;
	m->state = MACHINE_RUNNING;
	m->info.memory =
		(struct gmem_info){.backing = "anon", .thp = "default", .host_page = 4096};
	m->balloon.st.driver = true;
	m->balloon.st.progress_age_ms = -1;
	m->balloon.st.reclaim.backend = "thread";
	m->balloon.stats_negotiated = true;
}

static inline void fake_machine_emit(struct machine *m, enum machine_event ev)
{
	if (m->listener)
		m->listener(m->opaque, ev);
}

static inline void fake_machine_end(struct machine *m, enum machine_exit status,
				    enum machine_event ev)
{
	if (m->state == MACHINE_ENDED)
		return;
	m->state = MACHINE_ENDED;
	m->exit_status = status;
	fake_machine_emit(m, ev);
	if (m->loop)
		loop_stop(m->loop);
}

/* The guest's driver answers a request. */
static inline void fake_machine_answer_stats(struct machine *m, uint64_t free)
{
	struct balloon *b = &m->balloon;

	b->asked = false;
	b->stats = (struct balloon_stats){.present = 1u << 4 | 1u << 2, .unknown = 3};
	b->stats.value[4] = free;
	b->stats.value[2] = 17;
	b->stats_age_ms = 0;
	b->stats_seq++;
}

/* ---- machine.h ---- */

void machine_listen(struct machine *m, machine_event_fn fn, void *opaque)
{
	m->listener = fn;
	m->opaque = opaque;
}

static inline int fake_machine_change(struct machine *m, enum machine_state to,
				      enum machine_event ev)
{
	if (m->state == MACHINE_ENDED)
		return -ESHUTDOWN;
	if (m->state == to)
		return 0;
	m->state = to;
	fake_machine_emit(m, ev);
	return 0;
}

int machine_pause(struct machine *m)
{
	if (m->pause_rc)
		return m->pause_rc;
	return fake_machine_change(m, MACHINE_PAUSED, MACHINE_EV_STOP);
}

int machine_resume(struct machine *m)
{
	return fake_machine_change(m, MACHINE_RUNNING, MACHINE_EV_RESUME);
}

int machine_powerdown(struct machine *m)
{
	if (m->state == MACHINE_ENDED)
		return -ESHUTDOWN;
	if (m->no_button)
		return -EOPNOTSUPP;
	fake_machine_emit(m, MACHINE_EV_POWERDOWN);
	return 0;
}

void machine_quit(struct machine *m)
{
	fake_machine_end(m, MACHINE_EXIT_OK, MACHINE_EV_QUIT);
}

struct balloon *machine_balloon(struct machine *m)
{
	return m->cfg.balloon.enabled ? &m->balloon : NULL;
}

int machine_set_stats_interval(struct machine *m, uint32_t seconds)
{
	if (!m->cfg.balloon.enabled)
		return -ENODEV;
	m->balloon.interval = seconds;
	return 0;
}

void machine_query(struct machine *m, struct machine_info *out)
{
	*out = m->info;
	out->state = m->state;
	out->name = m->cfg.name;
	out->mem = m->cfg.mem;
	out->cpus = m->cfg.cpus;
}

enum machine_state machine_state(const struct machine *m)
{
	return m->state;
}

const struct vm_config *machine_config(const struct machine *m)
{
	return &m->cfg;
}

enum machine_exit machine_exit_status(const struct machine *m)
{
	return m->exit_status;
}

/* ---- trim.h ---- */

const char *trim_state_name(enum trim_state s)
{
	static const char *const names[] = {"none",	  "arming", "hinting",	 "sifting",
					    "discarding", "done",   "cancelled", "failed"};

	return names[s];
}

bool trim_active(enum trim_state s)
{
	return s >= TRIM_ARMING && s <= TRIM_DISCARDING;
}

int machine_trim(struct machine *m, struct err *err)
{
	if (m->trim_rc)
		return err_set(err, m->trim_rc, "the fake says no");
	if (!m->balloon.st.driver)
		return err_set(err, -ENOTCONN, "nobody there");
	if (trim_active(m->trim.state))
		return err_set(err, -EBUSY, "a trim is under way");
	m->trim = (struct trim_info){.state = TRIM_ARMING, .seq = m->trim.seq + 1};
	return 0;
}

int machine_trim_cancel(struct machine *m)
{
	if (!trim_active(m->trim.state))
		return -EINVAL;
	m->trim.state = TRIM_CANCELLED;
	return 0;
}

void machine_trim_query(struct machine *m, struct trim_info *out)
{
	*out = m->trim;
}

/* ---- balloon.h ---- */

const char *balloon_state_name(enum balloon_state s)
{
	static const char *const names[] = {"idle", "inflating", "deflating", "stalled",
					    "reached"};

	return names[s];
}

int balloon_set_target(struct balloon *b, uint64_t bytes)
{
	if (b->set_target_rc)
		return b->set_target_rc;
	if (b->st.needs_reset)
		return -EIO;
	if (!b->st.driver)
		return -ENOTCONN;
	b->st.target = bytes;
	return 0;
}

void balloon_query(struct balloon *b, struct balloon_status *out)
{
	*out = b->st;
}

int balloon_stats_request(struct balloon *b)
{
	if (!b->st.driver)
		return -ENOTCONN;
	if (!b->stats_negotiated)
		return -EOPNOTSUPP;
	if (b->asked)
		return -EINPROGRESS;
	b->asked = true;
	b->requests++;
	return 0;
}

int balloon_stats_get(struct balloon *b, struct balloon_stats *out, uint64_t *age_ms,
		      uint64_t *seq)
{
	if (!b->stats_seq)
		return -ENODATA;
	*out = b->stats;
	*age_ms = b->stats_age_ms;
	*seq = b->stats_seq;
	return 0;
}

int balloon_audit(struct balloon *b, struct audit *out)
{
	*out = b->audit;
	return b->audit_rc;
}

uint32_t balloon_stats_interval(struct balloon *b)
{
	return b->interval;
}

#endif
