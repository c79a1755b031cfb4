// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/trim_wait.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/base/clock.h"
#include "vmm/cli/vm_report.h"

static double seconds_since(uint64_t start_ns)
{
	return (double)(clock_now_ns() - start_ns) / 1e9;
}

/* "120.0 MiB of 312.0 MiB free went to the host". Returns buf. */
#define HOW_FAR 96
static const char *how_far(const json_t *t, char buf[HOW_FAR])
{
	snprintf(buf, HOW_FAR, "%s of %s free went to the host",
		 cli_size(report_number(t, "discarded_bytes")),
		 cli_size(report_number(t, "hinted_bytes")));
	return buf;
}

static void progress(const struct cli_vm *vm, const json_t *t)
{
	const char *state = report_text(t, "state");
	const char *hinted = cli_size(report_number(t, "hinted_bytes"));
	double seconds = (double)report_number(t, "elapsed_ms") / 1e3;

	if (!strcmp(state, "hinting"))
		cli_progress("%s: the guest has hinted %s (%.0f s)", vm->name, hinted, seconds);
	else if (!strcmp(state, "sifting"))
		cli_progress("%s: looking at what the guest wrote of %s (%.0f s)", vm->name,
			     hinted, seconds);
	else if (!strcmp(state, "discarding"))
		cli_progress("%s: %s of %s went to the host (%.0f s)", vm->name,
			     cli_size(report_number(t, "discarded_bytes")), hinted, seconds);
	else
		cli_progress("%s: preparing (%.0f s)", vm->name, seconds);
}

static void sum_up(const struct cli_vm *vm, const json_t *t)
{
	char pauses[REPORT_PAUSES], far[HOW_FAR];
	uint64_t failed = report_number(t, "failed_bytes");

	cli_progress(NULL);
	printf("%s: %s in %.1f s%s", vm->name, how_far(t, far),
	       (double)report_number(t, "elapsed_ms") / 1e3, report_pauses(t, pauses));
	if (failed)
		printf("; the host's kernel refused %s", cli_size(failed));
	putchar('\n');
}

/* True when the wait is over, one way or the other. late: the time was up before. */
static bool judge(struct cli_vms *v, struct cli_vm *vm, const struct trim_wait *w,
		  const json_t *t, bool late)
{
	const char *state = report_text(t, "state");
	char far[HOW_FAR];

	how_far(t, far);
	if (report_number(t, "seq") != w->seq) {
		vms_error(v, vm,
			  "another trim has begun since; what became of this one is "
			  "not known");
	} else if (!strcmp(state, "failed")) {
		vms_error(v, vm, "the trim failed: %s; %s", report_text(t, "reason"), far);
	} else if (!strcmp(state, "cancelled") && !late) {
		vms_error(v, vm, "the trim was cancelled by someone else; %s", far);
	} else if (!strcmp(state, "cancelled")) {
		vms_error(v, vm, "not done after %.0f s, so the trim was cancelled; %s",
			  seconds_since(w->start_ns), far);
	} else if (!strcmp(state, "done")) {
		sum_up(vm, t);
	} else if (late) {
		vms_error(v, vm, "not done after %.0f s, and goes on: %s; %s",
			  seconds_since(w->start_ns), state, far);
	} else {
		progress(vm, t);
		return false;
	}
	return true;
}

static void cancel(struct cli_vms *v, struct cli_vm *vm, const struct trim_wait *w)
{
	json_t *args = json_pack("{s:I}", "seq", (json_int_t)w->seq);
	struct err err;
	int rc = ctl_execute(vm->ctl, "x-aerostat-trim-cancel", args, CLI_TIMEOUT_MS, NULL,
			     &err);

	json_decref(args);
	/* It may have ended by itself since: then there is none to cancel, and a look tells. */
	if (rc && rc != -EREMOTEIO)
		vms_fail(v, vm, rc, &err);
}

void trim_wait(struct cli_vms *v, struct cli_vm *vm, const struct trim_wait *w)
{
	bool late = false;

	for (;;) {
		uint64_t asked_ns = clock_now_ns();
		json_t *t;
		bool over;

		if (vms_execute(v, vm, "x-aerostat-query-trim", NULL, &t))
			return;
		over = judge(v, vm, w, t, late);
		json_decref(t);
		if (over)
			return;
		late = asked_ns >= w->deadline_ns;
		if (late)
			cancel(v, vm, w);
		else
			vms_poll_pause(asked_ns);
		if (vm->failed)
			return;
	}
}
