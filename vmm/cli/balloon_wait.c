// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/balloon_wait.h"

#include <stdbool.h>
#include <string.h>

#include "vmm/base/clock.h"
#include "vmm/base/size.h"
#include "vmm/cli/vm_report.h"

/*
 * `stalled` says that nothing moved for a moment; a guest that is busy swapping or that shares
 * its CPU is stalled now and then, and goes on. Only one that stays so has no more to give.
 */
#define GIVE_UP_NS (10 * NSEC_PER_SEC)

static double seconds_since(uint64_t start_ns)
{
	return (double)(clock_now_ns() - start_ns) / 1e9;
}

/* Has the balloon been stalled for long? *since_ns: when it was first seen so, 0: it isn't. */
static bool gives_up(const char *state, uint64_t *since_ns)
{
	if (strcmp(state, "stalled")) {
		*since_ns = 0;
		return false;
	}
	if (!*since_ns)
		*since_ns = clock_now_ns();
	return clock_now_ns() - *since_ns >= GIVE_UP_NS;
}

/* True when the wait is over, one way or the other. */
static bool judge(struct cli_vms *v, struct cli_vm *vm, const struct balloon_wait *w,
		  const json_t *b, uint64_t *stalled_ns)
{
	const char *state = report_text(b, "state");
	const char *held = cli_size(report_number(b, "ballooned_bytes"));
	const char *target = cli_size(w->target);
	bool inflating = report_number(b, "actual_bytes") < w->target;

	cli_progress("%s: balloon holds %s of %s (%.0f s)", vm->name, held, target,
		     seconds_since(w->start_ns));
	if (json_is_true(json_object_get(b, "needs_reset"))) {
		vms_error(v, vm,
			  "the guest's balloon driver broke the protocol; holds %s of %s", held,
			  target);
	} else if (!json_is_true(json_object_get(b, "driver"))) {
		vms_error(v, vm, "the guest's balloon driver went away; holds %s of %s", held,
			  target);
	} else if (report_number(b, "target_bytes") != w->target) {
		vms_error(v, vm, "the target became %s instead of %s (%s); holds %s",
			  cli_size(report_number(b, "target_bytes")), target,
			  "the guest ran short of memory, or another command came", held);
	} else if (gives_up(state, stalled_ns)) {
		vms_error(v, vm, "stalled: holds %s of %s; %s", held, target,
			  inflating ? "the guest has no more to give"
				    : "the guest does not take its memory back");
	} else {
		return !strcmp(state, "reached");
	}
	return true;
}

static void sum_up(const struct cli_vm *vm, const struct balloon_wait *w)
{
	uint64_t moved = w->target > w->before ? w->target - w->before : w->before - w->target;
	double seconds = seconds_since(w->start_ns);

	cli_progress(NULL);
	printf("%s: balloon holds %s", vm->name, cli_size(w->target));
	if (moved)
		printf(", %s %s in %.1f s (%.0f MiB/s)", cli_size(moved),
		       w->target > w->before ? "more" : "less", seconds,
		       (double)moved / (double)MIB / (seconds > 1e-3 ? seconds : 1e-3));
	putchar('\n');
}

static void out_of_time(struct cli_vms *v, struct cli_vm *vm, const struct balloon_wait *w,
			const json_t *b)
{
	vms_error(v, vm, "not there after %.0f s: %s, holds %s of %s",
		  seconds_since(w->start_ns), report_text(b, "state"),
		  cli_size(report_number(b, "ballooned_bytes")), cli_size(w->target));
}

void balloon_wait(struct cli_vms *v, struct cli_vm *vm, const struct balloon_wait *w)
{
	uint64_t stalled_ns = 0;

	for (;;) {
		uint64_t asked_ns = clock_now_ns();
		json_t *stat;
		bool over;

		if (vms_execute(v, vm, "x-aerostat-stat", NULL, &stat))
			return;
		over = judge(v, vm, w, json_object_get(stat, "balloon"), &stalled_ns);
		if (!over && asked_ns >= w->deadline_ns)
			out_of_time(v, vm, w, json_object_get(stat, "balloon"));
		json_decref(stat);
		if (over && !vm->failed)
			sum_up(vm, w);
		if (over || vm->failed)
			return;
		/* The VM walks its memory for each answer, which takes long in a big one. */
		vms_poll_pause(asked_ns);
	}
}
