/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's parts, shared by the files of this folder only. */
#ifndef AEROSTAT_MACHINE_PRIVATE_H
#define AEROSTAT_MACHINE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "devices/legacy/i8042.h"
#include "devices/legacy/plic.h"
#include "devices/legacy/pm.h"
#include "devices/legacy/serial.h"
#include "devices/virtio/mmio.h"
#include "vmm/arch/arch.h"
#include "vmm/io/bus.h"
#include "vmm/io/console.h"
#include "vmm/io/irq.h"
#include "vmm/io/tty.h"
#include "vmm/kvm/dirty.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/trim.h"
#include "vmm/mem/gmem.h"
#include "vmm/reclaim/reclaim.h"

#define MACHINE_IRQS_MAX (4 + ARCH_VIRTIO_SLOTS)

/* What the guest asked for, from a vCPU thread. */
enum { WISH_RESET = 1, WISH_POWEROFF = 2 };

/* See irqs.c. */
struct machine_irqs {
	struct irq_line line[MACHINE_IRQS_MAX];
	unsigned n;
	struct irq_sink sink;
	pthread_mutex_t lock; /* of what follows; leaf, after the locks of devices */
	bool connected;	      /* interrupts that come here may go on to vm and vcpus */
};

/* A queue whose kicks KVM takes without an exit. */
struct machine_doorbell {
	int fd;
	uint64_t gpa;
	uint32_t queue;
};

/* See trim.c and trim_ends.c. */
struct machine_trim {
	struct trim_info info;
	uint64_t start_ns;
	int hint_fd; /* eventfd: the hint session has another state */
	struct loop_timer *timer;
	struct kvm_dirty dirty;
	struct hintset *set; /* while sifting and discarding */
	bool last;	     /* it is: the guest has hinted all it had */
	uint64_t taken;	     /* bytes that were hinted when the last set was taken */
	uint64_t at;	     /* where the slices of a step are, an index */
	bool rearmed;	     /* while sifting: the log was, after its first look */
	uint64_t chunk;	     /* pages to discard at once */
	uint64_t give_up_ns; /* when to stop asking for a session */
};

struct machine {
	const struct vm_config *cfg;
	struct loop *loop;
	enum machine_state state;
	enum machine_exit exit_status;
	char report[4096];
	machine_event_fn listener;
	void *listener_opaque;

	/* Lives as long as the machine. */
	int kernel_fd, initrd_fd;
	struct kvm_host host;
	struct gmem mem;
	struct bus pio, mmio;
	struct machine_irqs irq;
	struct plic *plic; /* only where KVM has no interrupt controller */
	struct tty tty;
	struct console *console;
	struct serial *serial;
	struct i8042 i8042;
	struct pm pm;
	bool has_pm;
	struct reclaim *reclaim;
	struct balloon *balloon;
	struct virtio_mmio balloon_mmio;
	struct machine_doorbell stats_bell;
	uint32_t virtio_slots; /* bit n: slot n is taken */
	int wake_fd;	       /* eventfd: a vCPU stopped, or the guest has a wish */
	_Atomic unsigned wishes;
	int change_fd; /* eventfd: the balloon's actual changed */
	int look_fd;   /* timerfd, with the balloon: it is to look who waits for an interrupt */
	struct loop_timer *change_timer;
	struct loop_timer *stats_timer;
	struct machine_trim trim;

	/* One incarnation: rebuilt when the guest reboots. */
	struct kvm_vm vm;
	struct vcpu_set vcpus;

	uint64_t start_ns, resets, past_exits, last_change_ns;
};

/*
 * irqs.c: lines for devices; 0 or a negative errno with *err. The line is the machine's. Lines
 * may be raised by any thread, at any time between machine_irqs_add() and machine_irqs_fini();
 * all of this is the main thread's.
 */
void machine_irqs_init(struct machine *m);
void machine_irqs_fini(struct machine *m);
int machine_irqs_add(struct machine *m, uint32_t gsi, struct irq_line **line, struct err *err);
/* To a VM whose vCPUs are there and don't run yet, and away from it before they go. */
int machine_irqs_connect(struct machine *m, struct err *err);
void machine_irqs_disconnect(struct machine *m);
/* A guest reboot, after the devices' own and while disconnected: no edge is left over. */
void machine_irqs_reset(struct machine *m);
/* The PLIC's plic_output_fn, with the machine; any thread. */
void machine_plic_output(void *opaque, unsigned context, bool level);

/* devices.c: everything on the buses. 0 or a negative errno with *err. */
int machine_devices_create(struct machine *m, struct err *err);
void machine_devices_destroy(struct machine *m);
void machine_devices_reset(struct machine *m);

/* vm.c: the KVM side of one incarnation, and loading the guest into it. */
int machine_vm_create(struct machine *m, struct err *err);
void machine_vm_destroy(struct machine *m);
int machine_vm_boot(struct machine *m, struct err *err);

/* trim.c: 0 or a negative errno. */
int machine_trim_init(struct machine *m);
void machine_trim_fini(struct machine *m);
/* The machine goes on after a pause. */
void machine_trim_resumed(struct machine *m);

/* trim_ends.c. Ends one that is under way, while m->vm is still there. */
void machine_trim_abort(struct machine *m, const char *why);
/* One that is under way is done, cancelled or failed now, for the reason why. */
void trim_end(struct machine *m, enum trim_state state, const char *why);
void trim_fail(struct machine *m, const char *why);
/* It failed: its session of hints is over and we didn't end it; there was to be none. */
void trim_fail_session(struct machine *m, const struct hint_info *hint);
void trim_fail_ask(struct machine *m, int rc); /* of balloon_hint_start(), or trim_check() */
/* Can one begin? As machine_trim(), as far as it can be told at once. */
int trim_check(struct machine *m, struct err *err);

/* lifecycle.c */
/* vCPUs that were parked run on, unless something happened that comes first. */
void machine_unpark(struct machine *m);
void machine_wish(struct machine *m, unsigned wish); /* any thread */
void machine_on_wake(void *opaque, uint32_t events);
void machine_emit(struct machine *m, enum machine_event ev);
void machine_end(struct machine *m, enum machine_exit status, enum machine_event ev);

#endif
