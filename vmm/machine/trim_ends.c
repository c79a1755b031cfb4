// SPDX-License-Identifier: Apache-2.0
/* How a trim ends, and what keeps it from beginning; in words, too. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/base/clock.h"
#include "vmm/machine/private.h"

/* The guest gets its memory back before the logs stop, which takes a moment. */
void trim_end(struct machine *m, enum trim_state state, const char *why)
{
	static const enum hint_state hint[TRIM_STATES] = {[TRIM_DONE] = HINT_FINISHED,
							  [TRIM_CANCELLED] = HINT_CANCELLED,
							  [TRIM_FAILED] = HINT_FAILED};
	struct machine_trim *t = &m->trim;

	balloon_hint_end(m->balloon, hint[state]);
	loop_timer_set(t->timer, 0, 0);
	gmem_dirty_stop(&m->mem);
	kvm_dirty_stop(&t->dirty);
	hintset_destroy(t->set);
	t->set = NULL;
	t->info.state = state;
	t->info.elapsed_ns = clock_now_ns() - t->start_ns;
	snprintf(t->info.why, sizeof(t->info.why), "%s", why);
}

void trim_fail(struct machine *m, const char *why)
{
	trim_end(m, TRIM_FAILED, why);
}

void trim_fail_session(struct machine *m, const struct hint_info *hint)
{
	static const char *const why[HINT_WHYS] = {
		[HINT_WHY_NONE] = "the session was ended",
		[HINT_WHY_NO_ANSWER] = "the guest does not answer",
		[HINT_WHY_NO_STOP] = "the guest does not come to an end",
		[HINT_WHY_RESET] = "the guest's balloon driver went away",
		[HINT_WHY_PROTOCOL] = "the guest's balloon driver broke the protocol",
		[HINT_WHY_HOST] = "the session was ended",
	};

	trim_fail(m, why[hint->why]);
}

static const char *cannot_ask(int rc)
{
	switch (rc) {
	case -ENOTCONN:
		return "the guest has no balloon driver";
	case -EIO:
		return "the guest's balloon driver broke the protocol";
	case -EOPNOTSUPP:
		return "the guest's balloon driver has no free page hints";
	case -EAGAIN:
		return "the guest still holds what it hinted the last time";
	case -EBUSY:
		return "somebody else has the guest hint";
	case -EPERM:
		return "the guest wants its free pages to keep what they hold";
	default:
		return strerror(-rc);
	}
}

void trim_fail_ask(struct machine *m, int rc)
{
	trim_fail(m, cannot_ask(rc));
}

int trim_check(struct machine *m, struct err *err)
{
	struct balloon_status st;

	if (!m->balloon)
		return err_set(err, -ENODEV, "the VM has no balloon");
	if (!m->cfg->balloon.hinting)
		return err_set(err, -EOPNOTSUPP, "the VM was started with hinting=off");
	if (m->state == MACHINE_ENDED)
		return err_set(err, -ESHUTDOWN, "the VM has ended");
	if (m->state != MACHINE_RUNNING)
		return err_set(err, -EAGAIN, "the VM is paused");
	if (trim_active(m->trim.info.state))
		return err_set(err, -EBUSY, "a trim is under way");
	balloon_query(m->balloon, &st);
	if (st.needs_reset)
		return err_set(err, -EIO, "%s", cannot_ask(-EIO));
	if (!st.driver)
		return err_set(err, -ENOTCONN, "%s", cannot_ask(-ENOTCONN));
	if (!(st.features & VIRTIO_FEATURE(BALLOON_F_BIT_FREE_PAGE_HINT)))
		return err_set(err, -EOPNOTSUPP, "%s", cannot_ask(-EOPNOTSUPP));
	if (st.poison)
		return err_set(err, -EPERM, "%s", cannot_ask(-EPERM));
	return 0;
}

int machine_trim_cancel(struct machine *m)
{
	if (!trim_active(m->trim.info.state))
		return -EINVAL;
	trim_end(m, TRIM_CANCELLED, "");
	return 0;
}

void machine_trim_abort(struct machine *m, const char *why)
{
	if (trim_active(m->trim.info.state))
		trim_fail(m, why);
}
