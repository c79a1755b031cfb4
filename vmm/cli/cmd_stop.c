// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/cli/vm_report.h"
#include "vmm/cli/vms.h"

/* A press that came before the guest's button driver was up is lost. */
#define PRESS_AGAIN_NS (5 * NSEC_PER_SEC)

struct stop_args {
	struct cli_select select;
	bool force;
	uint32_t timeout; /* seconds */
};

#define AT(member) offsetof(struct stop_args, member)

static const struct opt rows[] = {
	CLI_SELECT_ROWS(struct stop_args),
	{.letter = 'f',
	 .name = "force",
	 .type = OPT_FLAG,
	 .offset = AT(force),
	 .help = "end the VM at once, whatever the guest does"},
	{.name = "timeout",
	 .type = OPT_UINT,
	 .offset = AT(timeout),
	 .arg = "SECONDS",
	 .min = 1,
	 .max = 1000000,
	 .help = "how long the guest may take (default 60)"},
};
static const struct opt_table table = OPT_TABLE(rows);

static bool is_paused(struct cli_vms *v, struct cli_vm *vm)
{
	json_t *status;
	bool paused;

	if (vms_execute(v, vm, "query-status", NULL, &status))
		return false;
	paused = !strcmp(report_text(status, "status"), "paused");
	json_decref(status);
	return paused;
}

static void ask(struct cli_vms *v, struct cli_vm *vm, bool force)
{
	struct err err;
	int rc;

	if (!force) {
		if (is_paused(v, vm))
			vms_error(v, vm,
				  "is paused and cannot see its power button; resume it "
				  "first, or give --force");
		if (!vm->failed)
			vms_execute(v, vm, "system_powerdown", NULL, NULL);
		return;
	}
	rc = ctl_execute(vm->ctl, "quit", NULL, CLI_TIMEOUT_MS, NULL, &err);
	/* It may be gone before its answer is. */
	if (rc && rc != -EPIPE)
		vms_fail(v, vm, rc, &err);
}

static int left_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();

	return now >= deadline_ns ? 0 : (int)((deadline_ns - now) / NSEC_PER_MSEC) + 1;
}

/*
 * The socket closes a little before the process ends; only then are its memory and its pidfile
 * gone. A process we may not look at has to do with the socket.
 */
static void wait_process(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd >= 0)
		poll(&p, 1, CLI_TIMEOUT_MS);
}

static void await(struct cli_vms *v, struct cli_vm *vm, uint64_t start_ns,
		  const struct stop_args *a)
{
	uint64_t deadline_ns = start_ns + a->timeout * NSEC_PER_SEC;
	uint64_t press_ns = start_ns;
	int pidfd = (int)syscall(SYS_pidfd_open, ctl_peer_pid(vm->ctl), 0);
	int rc;

	do {
		int step = left_ms(deadline_ns);

		cli_progress("%s: waiting for the guest to power off (%.0f s)", vm->name,
			     (double)(clock_now_ns() - start_ns) / 1e9);
		if (!a->force && clock_now_ns() - press_ns >= PRESS_AGAIN_NS) {
			press_ns = clock_now_ns();
			ctl_execute(vm->ctl, "system_powerdown", NULL, CLI_TIMEOUT_MS, NULL,
				    NULL);
		}
		rc = ctl_wait_closed(vm->ctl, step < 500 ? step : 500);
	} while (rc == -ETIMEDOUT && left_ms(deadline_ns));
	cli_progress(NULL);
	if (!rc)
		wait_process(pidfd);
	else if (rc == -ETIMEDOUT)
		vms_error(v, vm, "still running after %u s%s", a->timeout,
			  a->force ? "" : "; --force ends it at once");
	else
		vms_error(v, vm, "cannot wait for its end: %s", strerror(-rc));
	fd_close(&pidfd);
}

static int stop_main(int argc, char **argv)
{
	struct stop_args args = {.timeout = 60};
	struct options_found found;
	struct cli_vms v;
	uint64_t start_ns;
	int status = cli_parse(&cmd_stop, argc, argv, &args, &found);

	if (status == CLI_GO)
		status = cli_select_check(&cmd_stop, &args.select);
	if (status != CLI_GO)
		return status;
	vms_open(&v, &cmd_stop, &args.select);
	start_ns = clock_now_ns();
	for (size_t i = 0; i < v.n; i++)
		ask(&v, &v.vm[i], args.force);
	for (size_t i = 0; i < v.n; i++) {
		if (!v.vm[i].failed)
			await(&v, &v.vm[i], start_ns, &args);
	}
	status = vms_status(&v);
	vms_close(&v);
	return status;
}

const struct command cmd_stop = {
	.name = "stop",
	.summary = "power a VM off and wait until it has ended",
	.notes = "The guest gets a press of its power button and shuts itself down. One that "
		 "does\n"
		 "not listen is still running when the time is up; the exit status is 1 then.",
	.table = &table,
	.main = stop_main,
};
