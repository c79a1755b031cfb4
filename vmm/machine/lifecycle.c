// SPDX-License-Identifier: Apache-2.0
/* What happens to a running machine: pause, resume, power button, reboot, the end. */
#include <errno.h>
#include <stdio.h>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/machine/private.h"

void machine_emit(struct machine *m, enum machine_event ev)
{
	if (m->listener)
		m->listener(m->listener_opaque, ev);
}

void machine_end(struct machine *m, enum machine_exit status, enum machine_event ev)
{
	if (m->state == MACHINE_ENDED)
		return;
	vcpus_pause(&m->vcpus);
	machine_trim_abort(m, "the VM has ended");
	m->state = MACHINE_ENDED;
	m->exit_status = status;
	machine_emit(m, ev);
	loop_stop(m->loop);
}

int machine_start(struct machine *m, struct err *err)
{
	int rc = machine_vm_boot(m, err);

	if (rc)
		return rc;
	m->state = MACHINE_RUNNING;
	m->start_ns = clock_now_ns();
	return 0;
}

void machine_unpark(struct machine *m)
{
	/* A wish or a stop from just before is served before the guest runs on. */
	if (atomic_load(&m->wishes) || vcpus_stop_reason(&m->vcpus).kind != VCPU_STOP_NONE)
		fd_signal(m->wake_fd);
	else
		vcpus_resume(&m->vcpus);
}

int machine_pause(struct machine *m)
{
	if (m->state == MACHINE_ENDED)
		return -ESHUTDOWN;
	if (m->state != MACHINE_RUNNING)
		return 0;
	vcpus_pause(&m->vcpus);
	/* What is paused may be looked at or saved: its memory stands still, too. */
	if (m->balloon)
		balloon_pause(m->balloon);
	if (m->reclaim)
		reclaim_barrier(m->reclaim);
	m->state = MACHINE_PAUSED;
	machine_emit(m, MACHINE_EV_STOP);
	return 0;
}

int machine_resume(struct machine *m)
{
	if (m->state == MACHINE_ENDED)
		return -ESHUTDOWN;
	if (m->state != MACHINE_PAUSED)
		return 0;
	m->state = MACHINE_RUNNING;
	if (m->balloon)
		balloon_resume(m->balloon);
	machine_emit(m, MACHINE_EV_RESUME);
	/* Before the guest runs: its first message has the time looked at. */
	machine_trim_resumed(m);
	machine_unpark(m);
	return 0;
}

int machine_powerdown(struct machine *m)
{
	if (m->state == MACHINE_ENDED)
		return -ESHUTDOWN;
	if (!m->has_pm)
		return -EOPNOTSUPP;
	pm_power_button(&m->pm);
	machine_emit(m, MACHINE_EV_POWERDOWN);
	return 0;
}

void machine_quit(struct machine *m)
{
	machine_end(m, MACHINE_EXIT_OK, MACHINE_EV_QUIT);
}

void machine_wish(struct machine *m, unsigned wish)
{
	atomic_fetch_or(&m->wishes, wish);
	/* The guest must not run on: Linux follows a reset that seems to fail with a triple
	 * fault. */
	vcpus_hold(&m->vcpus);
	fd_signal(m->wake_fd);
}

static void reboot(struct machine *m)
{
	struct err err;
	int rc;

	machine_trim_abort(m, "the guest rebooted");
	machine_vm_destroy(m);
	machine_devices_reset(m);
	rc = gmem_discard_all(&m->mem);
	if (rc)
		err_sys(&err, rc, "cannot clear guest memory");
	if (!rc)
		rc = machine_vm_create(m, &err);
	if (!rc)
		rc = machine_vm_boot(m, &err);
	if (rc) {
		snprintf(m->report, sizeof(m->report), "the guest cannot be restarted: %s\n",
			 err.msg);
		machine_end(m, MACHINE_EXIT_HOST, MACHINE_EV_CRASH);
		return;
	}
	m->resets++;
	machine_emit(m, MACHINE_EV_RESET);
}

static void crash(struct machine *m, const struct vcpu_stop *stop)
{
	vcpus_pause(&m->vcpus);
	arch_vcpu_report(&m->vcpus.vcpu[stop->vcpu], &m->mem, stop, m->report,
			 sizeof(m->report));
	machine_end(m,
		    stop->kind == VCPU_STOP_SHUTDOWN || stop->kind == VCPU_STOP_CRASH
			    ? MACHINE_EXIT_TRIPLE_FAULT
			    : MACHINE_EXIT_KVM,
		    MACHINE_EV_CRASH);
}

void machine_on_wake(void *opaque, uint32_t events)
{
	struct machine *m = opaque;
	struct vcpu_stop stop;
	unsigned wishes;

	(void)events;
	fd_drain(m->wake_fd);
	/* A paused machine keeps what happened for its resume. */
	if (m->state != MACHINE_RUNNING)
		return;
	wishes = atomic_exchange(&m->wishes, 0);
	stop = vcpus_stop_reason(&m->vcpus);
	if (wishes & WISH_POWEROFF || stop.kind == VCPU_STOP_POWEROFF)
		machine_end(m, MACHINE_EXIT_OK, MACHINE_EV_SHUTDOWN);
	else if (wishes & WISH_RESET || stop.kind == VCPU_STOP_RESET)
		reboot(m);
	else if (stop.kind != VCPU_STOP_NONE)
		crash(m, &stop);
}
