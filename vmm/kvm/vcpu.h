/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPUs as threads.
 *
 * Each thread runs KVM_RUN and carries port I/O and MMIO exits to the buses. It leaves the
 * guest when asked by `immediate_exit` and a signal whose handler does nothing: the request is
 * written first, then immediate_exit, then the signal is sent; the thread clears immediate_exit
 * before it looks for requests. So no request is lost, and no lock is ever taken in a handler.
 *
 * States of the set: created (threads parked) -> running <-> parked -> destroyed.
 * All functions are for the main thread and not for bus handlers, but for vcpus_hold().
 */
#ifndef AEROSTAT_KVM_VCPU_H
#define AEROSTAT_KVM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/io/bus.h"
#include "vmm/kvm/kvm.h"

enum vcpu_stop_kind {
	VCPU_STOP_NONE,
	VCPU_STOP_SHUTDOWN,	  /* KVM_EXIT_SHUTDOWN: triple fault */
	VCPU_STOP_INTERNAL_ERROR, /* KVM_EXIT_INTERNAL_ERROR; code is the suberror */
	VCPU_STOP_FAIL_ENTRY,	  /* KVM_EXIT_FAIL_ENTRY; code is the hardware's reason */
	VCPU_STOP_UNKNOWN_EXIT,	  /* code is the exit reason */
	VCPU_STOP_RUN_FAILED,	  /* KVM_RUN failed; code is the errno */
	/* KVM_EXIT_SYSTEM_EVENT: what the guest asked its firmware for, which KVM plays. */
	VCPU_STOP_POWEROFF,
	VCPU_STOP_RESET,
	VCPU_STOP_CRASH, /* it says that it crashed */
};

/* Why a vCPU can't go on. The first one of a set counts. */
struct vcpu_stop {
	enum vcpu_stop_kind kind;
	unsigned vcpu;
	uint64_t code;
};

struct vcpu_set;

struct kvm_vcpu {
	struct vcpu_set *set;
	unsigned id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	bool stopped;		/* for good; own thread's */
	_Atomic uint64_t exits; /* KVM_RUN returns, for stat */
};

struct vcpu_set {
	struct kvm_vm *vm;
	const struct bus *pio, *mmio;
	struct kvm_vcpu *vcpu;
	unsigned n;
	int stop_fd; /* eventfd: some vCPU stopped for good, see `stop` */

	pthread_mutex_t lock; /* protects what follows; leaf */
	pthread_cond_t cond;
	unsigned parked;
	_Atomic int want; /* enum below; read without the lock on the way into the guest */
	struct vcpu_stop stop;
};

/*
 * Create n vCPUs (no threads yet). stop_fd: an eventfd of the caller that is signalled when a
 * vCPU stops for good. 0 or a negative errno with *err and an empty set.
 */
int vcpus_create(struct vcpu_set *s, struct kvm_vm *vm, unsigned n, const struct bus *pio,
		 const struct bus *mmio, int stop_fd, struct err *err);
/* Start the threads, parked. Registers must be set up before vcpus_resume(). */
int vcpus_start(struct vcpu_set *s, struct err *err);
/* Let every vCPU run. */
void vcpus_resume(struct vcpu_set *s);
/* Kick every vCPU out of the guest and wait until all are parked: no exit is being handled. */
void vcpus_pause(struct vcpu_set *s);
/*
 * Let no vCPU start another stretch of guest code: each parks at its next exit, the calling one
 * before it enters again. Doesn't wait and doesn't kick. Any thread, bus handlers too: what a
 * device calls when the guest asked for its own end.
 */
void vcpus_hold(struct vcpu_set *s);
/* Pause, end the threads, close the vCPUs. An all-zero set is fine. */
void vcpus_destroy(struct vcpu_set *s);

/* The first permanent stop, or kind VCPU_STOP_NONE. */
struct vcpu_stop vcpus_stop_reason(struct vcpu_set *s);
uint64_t vcpus_exits(const struct vcpu_set *s);

#endif
