/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM: built from a vm_config in one explicit order, torn down in reverse.
 *
 * All functions are for the main thread (the one that runs the loop). A machine lives on the
 * loop: its vCPUs, its devices and the guest's own wishes (reset, power-off) reach it there as
 * events. When it has ended it calls loop_stop().
 */
#ifndef AEROSTAT_MACHINE_MACHINE_H
#define AEROSTAT_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/balloon/balloon.h"
#include "vmm/base/err.h"
#include "vmm/config/vm_config.h"
#include "vmm/io/loop.h"
#include "vmm/mem/gmem.h"

struct machine;

enum machine_state {
	MACHINE_CREATED, /* not started yet */
	MACHINE_RUNNING,
	MACHINE_PAUSED,
	MACHINE_ENDED, /* powered off, quit, or crashed: the process is about to exit */
};

enum machine_event {
	MACHINE_EV_STOP,      /* paused */
	MACHINE_EV_RESUME,    /* running again */
	MACHINE_EV_POWERDOWN, /* the power button was pressed */
	MACHINE_EV_RESET,     /* the guest rebooted */
	MACHINE_EV_SHUTDOWN,  /* ended by the guest: it powered off */
	MACHINE_EV_QUIT,      /* ended by machine_quit() */
	MACHINE_EV_CRASH,     /* ended by a triple fault or an error of KVM */
	MACHINE_EV_BALLOON,   /* the balloon's `actual` changed; at most once a second */
};

/* Exit statuses of `aerostat run`; 2 is a usage error. */
enum machine_exit {
	MACHINE_EXIT_OK = 0,	       /* the guest powered off, or quit was asked for */
	MACHINE_EXIT_HOST = 1,	       /* the host could not do what was needed */
	MACHINE_EXIT_TRIPLE_FAULT = 3, /* the guest's CPU gave up */
	MACHINE_EXIT_KVM = 4,	       /* KVM could not go on (internal error, failed entry) */
};

typedef void (*machine_event_fn)(void *opaque, enum machine_event ev);

struct machine_info {
	enum machine_state state;
	const char *name;
	uint64_t mem; /* bytes of guest RAM */
	unsigned cpus;
	struct gmem_info memory;
	uint64_t resident;  /* bytes of guest RAM resident in the host */
	uint64_t overhead;  /* bytes resident in the process beside guest RAM */
	uint64_t exits;	    /* KVM_RUN returns of all vCPUs */
	uint64_t uptime_ms; /* since machine_start() */
	uint64_t resets;
	uint64_t console_out, console_dropped; /* bytes */
};

/*
 * Build the machine: open KVM, map memory, create devices. cfg must have passed
 * vm_config_check() and outlive the machine. NULL with *err filled.
 */
struct machine *machine_create(const struct vm_config *cfg, struct loop *loop, struct err *err);
/* Ends the guest if it still runs; restores the terminal. NULL and half-built are fine. */
void machine_destroy(struct machine *m);

/* Called for every event from now on, on the main thread. One listener. */
void machine_listen(struct machine *m, machine_event_fn fn, void *opaque);

/* Load the kernel and let the vCPUs run. 0 or a negative errno with *err. */
int machine_start(struct machine *m, struct err *err);

/*
 * Pause: after return no vCPU runs and no exit is being handled. Both are idempotent: 0 when
 * the machine is in that state already; -ESHUTDOWN when it has ended.
 */
int machine_pause(struct machine *m);
int machine_resume(struct machine *m);

/*
 * Press the power button: a guest that listens powers itself off. 0; -ESHUTDOWN; -EOPNOTSUPP:
 * this architecture's machine has no button.
 */
int machine_powerdown(struct machine *m);

/* End now, whatever the guest does. */
void machine_quit(struct machine *m);

/* The balloon, or NULL when the VM has none. Owned by the machine. */
struct balloon *machine_balloon(struct machine *m);

/* Seconds between polls of the guest's statistics, 0: off. -ENODEV without a balloon. */
int machine_set_stats_interval(struct machine *m, uint32_t seconds);

/* Walks guest memory for `resident`, see gmem_resident(). */
void machine_query(struct machine *m, struct machine_info *out);
enum machine_state machine_state(const struct machine *m);
const struct vm_config *machine_config(const struct machine *m);

/* Valid once MACHINE_ENDED. */
enum machine_exit machine_exit_status(const struct machine *m);

/* Why it ended, when not by its own or the user's will: lines for people. "" otherwise. */
const char *machine_report(const struct machine *m);

#endif
