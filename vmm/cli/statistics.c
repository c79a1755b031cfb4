// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/statistics.h"

#include <stdint.h>
#include <time.h>

#include "vmm/base/clock.h"
#include "vmm/cli/vm_report.h"

#define POLL_NS (5 * NSEC_PER_MSEC)

/* One command; which statistics the VM has, or false. args as vms_execute(). */
static bool ask(struct cli_vms *v, struct cli_vm *vm, json_t *args, uint64_t *seq)
{
	json_t *answer;

	if (vms_execute(v, vm, "x-aerostat-balloon-stats", args, &answer))
		return false;
	*seq = report_number(answer, "seq");
	json_decref(answer);
	return true;
}

bool statistics_refresh(struct cli_vms *v, struct cli_vm *vm, unsigned timeout_ms)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	uint64_t start_ns = clock_now_ns();
	uint64_t first, seq, elapsed_ms;

	if (!ask(v, vm, NULL, &first))
		return false;
	do {
		nanosleep(&pause, NULL);
		elapsed_ms = (clock_now_ns() - start_ns) / NSEC_PER_MSEC;
		/* What came since we asked is fresh: without the age it would be asked for
		 * again. */
		if (!ask(v, vm, json_pack("{s:I}", "max_age_ms", (json_int_t)elapsed_ms), &seq))
			return false;
	} while (seq == first && elapsed_ms < timeout_ms);
	return seq != first;
}
