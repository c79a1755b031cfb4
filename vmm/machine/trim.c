// SPDX-License-Identifier: Apache-2.0
/*
 * Each step does a slice of its work and has itself called again by the timer, so that control
 * clients and the console are served in between, and the guest gets its locks.
 *
 * What the order of the steps rests on: the logs are armed before the guest is asked, so they
 * know every write since its hint. A page is armed anew only when it is in the set at hand, and
 * its contents are looked at after that: so a write that the log forgets is one whose outcome
 * is seen. If the guest hinted it once more meanwhile, that hint is forgotten with the write.
 */
#include "vmm/machine/trim.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/machine/private.h"

/* How often a guest that hints is looked at, beside when its session changes. */
#define WATCH_NS (100 * NSEC_PER_MSEC)
/* A guest that hasn't taken note of the last session's end is asked again after this. */
#define RETRY_NS (10 * NSEC_PER_MSEC)
/* Pages whose contents are looked at in one go: a few milliseconds. */
#define SIFT_PAGES 4096ull
/* Pages to discard in one go, at first and at most. */
#define CHUNK_FIRST 512ull
#define CHUNK_MAX   65536ull

const char *trim_state_name(enum trim_state s)
{
	static const char *const name[] = {
		[TRIM_NONE] = "none",
		[TRIM_ARMING] = "arming",
		[TRIM_HINTING] = "hinting",
		[TRIM_SIFTING] = "sifting",
		[TRIM_DISCARDING] = "discarding",
		[TRIM_DONE] = "done",
		[TRIM_CANCELLED] = "cancelled",
		[TRIM_FAILED] = "failed",
	};

	assert((unsigned)s < TRIM_STATES);
	return name[s];
}

bool trim_active(enum trim_state s)
{
	return s >= TRIM_ARMING && s <= TRIM_DISCARDING;
}

static void call_again(struct machine *m, uint64_t ns)
{
	loop_timer_set(m->trim.timer, ns, 0);
}

/* What the session has told so far. False: it is over. */
static bool look(struct machine *m, struct hint_info *hint)
{
	struct trim_info *info = &m->trim.info;

	balloon_hint_query(m->balloon, hint);
	/*
	 * The guest may take as long as it likes, as long as something new comes. But what it
	 * hinted counts as new again when it was taken: no more than all of memory does.
	 */
	if (hint->blocks != info->blocks && hint->bytes <= m->mem.npages << GMEM_PAGE_SHIFT)
		balloon_hint_defer(m->balloon, TRIM_TIMEOUT_NS);
	info->blocks = hint->blocks;
	info->hinted = hint->bytes;
	return hint->state == HINT_REQUESTED || hint->state == HINT_RUNNING ||
	       hint->state == HINT_GUEST_DONE;
}

/* ---- arming, hinting ---- */

static void ask(struct machine *m)
{
	struct machine_trim *t = &m->trim;
	int rc = balloon_hint_start(m->balloon, TRIM_TIMEOUT_NS);

	if (rc == -EAGAIN && clock_now_ns() < t->give_up_ns) {
		call_again(m, RETRY_NS);
	} else if (rc) {
		trim_fail_ask(m, rc);
	} else {
		t->info.state = TRIM_HINTING;
		call_again(m, WATCH_NS);
	}
}

static void arm(struct machine *m)
{
	struct machine_trim *t = &m->trim;
	struct err err;
	int rc = kvm_dirty_arm(&t->dirty, NULL, &t->at, &err);

	if (rc < 0)
		trim_fail(m, err.msg);
	else if (rc)
		call_again(m, 1);
	else
		ask(m);
}

/* Is there enough that was hinted, and not taken? */
static bool part_is_due(const struct machine *m)
{
	uint64_t share = (m->mem.npages << GMEM_PAGE_SHIFT) / 64;

	return m->trim.info.hinted - m->trim.taken >= (share > TRIM_PART ? share : TRIM_PART);
}

/* What was written since the hints began may be zeros nevertheless: that is looked at next. */
static void begin_sifting(struct machine *m)
{
	struct machine_trim *t = &m->trim;
	struct err err;

	t->taken = t->info.hinted;
	if (kvm_dirty_fetch(&t->dirty, &err)) {
		trim_fail(m, err.msg);
		return;
	}
	hintset_mask(t->set, t->dirty.map);
	t->info.state = TRIM_SIFTING;
	t->rearmed = false;
	t->at = 0;
	call_again(m, 1);
}

static void watch(struct machine *m)
{
	struct machine_trim *t = &m->trim;
	struct hint_info hint;

	if (!look(m, &hint)) {
		trim_fail_session(m, &hint);
		return;
	}
	t->last = hint.state == HINT_GUEST_DONE;
	if (t->last)
		t->set = balloon_hint_take(m->balloon);
	else if (part_is_due(m))
		t->set = balloon_hint_take_part(m->balloon);
	/* The guest runs: its session may have gone on, or ended, since that look. */
	if (t->set)
		begin_sifting(m);
	else
		call_again(m, t->last ? 1 : WATCH_NS);
}

/* ---- sifting ---- */

static void rearm(struct machine *m)
{
	struct machine_trim *t = &m->trim;
	struct err err;
	int rc = kvm_dirty_arm(&t->dirty, t->dirty.map, &t->at, &err);

	if (rc < 0) {
		trim_fail(m, err.msg);
		return;
	}
	if (!rc) {
		balloon_hint_forget(m->balloon, t->dirty.map);
		t->rearmed = true;
		t->at = 0;
	}
	call_again(m, 1);
}

static void sift(struct machine *m)
{
	struct machine_trim *t = &m->trim;

	if (!hintset_drop_used(t->set, t->dirty.map, &t->at, SIFT_PAGES)) {
		t->info.state = TRIM_DISCARDING;
		t->at = 0;
	}
	call_again(m, 1);
}

/* ---- discarding ---- */

/* With parked vCPUs, and devices at rest: true when there is more. */
static bool discard_some(struct machine *m, struct reclaim_hinted *sum)
{
	struct machine_trim *t = &m->trim;
	uint64_t start = clock_now_ns(), spent = 0, last;
	bool more;

	hintset_drop(t->set, t->dirty.map);
	hintset_drop(t->set, gmem_dirty_map(&m->mem));
	do {
		more = reclaim_discard_hinted(m->reclaim, t->set, &t->at, t->chunk, sum);
		last = clock_now_ns() - start - spent;
		spent += last;
		if (last < TRIM_TURN_NS / 8 && t->chunk < CHUNK_MAX)
			t->chunk *= 2;
		else if (last > TRIM_TURN_NS / 2 && t->chunk > 1)
			t->chunk /= 2;
	} while (more && spent + last < TRIM_TURN_NS);
	return more;
}

static int turn(struct machine *m, bool *more, struct err *err)
{
	struct trim_info *info = &m->trim.info;
	struct reclaim_hinted sum = {0};
	int rc;

	balloon_still(m->balloon);
	rc = kvm_dirty_fetch(&m->trim.dirty, err);
	if (!rc)
		*more = discard_some(m, &sum);
	balloon_go_on(m->balloon);
	info->discarded += sum.discarded;
	info->ballooned += sum.ballooned;
	info->failed += sum.failed;
	return rc;
}

/* All of the set was seen to. */
static void next_set(struct machine *m)
{
	struct machine_trim *t = &m->trim;
	struct trim_info *info = &t->info;

	if (!t->last) {
		hintset_destroy(t->set);
		t->set = NULL;
		info->state = TRIM_HINTING;
		call_again(m, 1);
		return;
	}
	info->kept = info->hinted - info->discarded - info->ballooned - info->failed;
	trim_end(m, TRIM_DONE, "");
}

static void discard(struct machine *m)
{
	struct trim_info *info = &m->trim.info;
	uint64_t start = clock_now_ns(), pause;
	struct balloon_status st;
	struct hint_info hint;
	bool more = false;
	struct err err;
	int rc = 0;

	vcpus_pause(&m->vcpus);
	/* Neither can change any more until the vCPUs run. */
	balloon_query(m->balloon, &st);
	if (look(m, &hint) && !st.poison)
		rc = turn(m, &more, &err);
	machine_unpark(m);
	pause = clock_now_ns() - start;
	info->pauses++;
	info->pause_ns += pause;
	if (pause > info->pause_max_ns)
		info->pause_max_ns = pause;
	if (hint.state != HINT_GUEST_DONE && hint.state != HINT_RUNNING)
		trim_fail_session(m, &hint);
	else if (st.poison)
		trim_fail_ask(m, -EPERM);
	else if (rc)
		trim_fail(m, err.msg);
	else if (more)
		call_again(m, 2 * pause);
	else
		next_set(m);
}

/* ---- from outside ---- */

static void step(void *opaque)
{
	struct machine *m = opaque;
	struct machine_trim *t = &m->trim;

	/* See machine_trim_resumed(). */
	if (m->state != MACHINE_RUNNING)
		return;
	switch (t->info.state) {
	case TRIM_ARMING:
		arm(m);
		break;
	case TRIM_HINTING:
		watch(m);
		break;
	case TRIM_SIFTING:
		if (t->rearmed)
			sift(m);
		else
			rearm(m);
		break;
	case TRIM_DISCARDING:
		discard(m);
		break;
	default:
		break;
	}
}

static void on_hint(void *opaque, uint32_t events)
{
	struct machine *m = opaque;

	(void)events;
	fd_drain(m->trim.hint_fd);
	if (m->trim.info.state == TRIM_HINTING)
		step(m);
}

int machine_trim_init(struct machine *m)
{
	struct machine_trim *t = &m->trim;

	t->hint_fd = fd_eventfd();
	if (t->hint_fd < 0)
		return t->hint_fd;
	t->timer = loop_timer_create(m->loop, step, m);
	return t->timer ? loop_add(m->loop, t->hint_fd, EPOLLIN, on_hint, m) : -errno;
}

void machine_trim_fini(struct machine *m)
{
	struct machine_trim *t = &m->trim;

	loop_timer_destroy(t->timer);
	if (t->hint_fd >= 0)
		loop_del(m->loop, t->hint_fd);
	fd_close(&t->hint_fd);
}

void machine_trim_resumed(struct machine *m)
{
	if (!trim_active(m->trim.info.state))
		return;
	balloon_hint_defer(m->balloon, TRIM_TIMEOUT_NS);
	m->trim.give_up_ns = clock_now_ns() + TRIM_TIMEOUT_NS;
	call_again(m, 1);
}

int machine_trim(struct machine *m, struct err *err)
{
	struct machine_trim *t = &m->trim;
	int rc = trim_check(m, err);

	if (rc)
		return rc;
	rc = kvm_dirty_start(&t->dirty, &m->vm, &m->mem, err);
	if (rc)
		return rc;
	rc = gmem_dirty_start(&m->mem);
	if (rc) {
		kvm_dirty_stop(&t->dirty);
		return err_sys(err, rc, "cannot log what devices write");
	}
	t->info = (struct trim_info){.state = TRIM_ARMING, .seq = t->info.seq + 1};
	t->start_ns = clock_now_ns();
	t->give_up_ns = t->start_ns + TRIM_TIMEOUT_NS;
	t->at = t->taken = 0;
	t->chunk = CHUNK_FIRST;
	call_again(m, 1);
	return 0;
}

void machine_trim_query(struct machine *m, struct trim_info *out)
{
	struct hint_info hint;

	/* A look is at the time, too, which doesn't count while the VM is paused. */
	if (m->state == MACHINE_RUNNING && m->trim.info.state == TRIM_HINTING)
		look(m, &hint);
	*out = m->trim.info;
	if (trim_active(out->state))
		out->elapsed_ns = clock_now_ns() - m->trim.start_ns;
}
