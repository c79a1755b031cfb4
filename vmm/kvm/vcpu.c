// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/vcpu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vmm/base/fd.h"

enum { WANT_PARKED, WANT_RUN, WANT_END };

#define KICK_SIGNAL SIGUSR1

/* Its only job is to make KVM_RUN return; immediate_exit covers the moment before KVM_RUN. */
static void on_kick(int sig)
{
	(void)sig;
}

static int install_kick(void)
{
	struct sigaction sa = {.sa_handler = on_kick};

	sigemptyset(&sa.sa_mask);
	return sigaction(KICK_SIGNAL, &sa, NULL) ? -errno : 0;
}

static int vcpu_open(struct vcpu_set *s, unsigned id, struct err *err)
{
	struct kvm_vcpu *v = &s->vcpu[id];
	void *run;
	int fd;

	*v = (struct kvm_vcpu){.set = s, .id = id, .fd = -1};
	fd = kvm_ioctl(s->vm->fd, KVM_CREATE_VCPU, (void *)(long)id);
	if (fd < 0)
		return err_sys(err, fd, "KVM_CREATE_VCPU %u", id);
	v->fd = fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	run = mmap(NULL, s->vm->host->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED)
		return err_sys(err, -errno, "cannot map vCPU %u", id);
	v->run = run;
	return 0;
}

static void vcpus_close(struct vcpu_set *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->vcpu[i].run)
			munmap(s->vcpu[i].run, s->vm->host->run_len);
		fd_close(&s->vcpu[i].fd);
	}
	free(s->vcpu);
	pthread_cond_destroy(&s->cond);
	pthread_mutex_destroy(&s->lock);
	memset(s, 0, sizeof(*s));
}

int vcpus_create(struct vcpu_set *s, struct kvm_vm *vm, unsigned n, const struct bus *pio,
		 const struct bus *mmio, int stop_fd, struct err *err)
{
	int rc;

	memset(s, 0, sizeof(*s));
	if (n > vm->host->max_vcpus)
		return err_set(err, -EINVAL, "-c %u: this host's KVM gives at most %u vCPUs", n,
			       vm->host->max_vcpus);
	rc = install_kick();
	if (rc)
		return err_sys(err, rc, "cannot install the vCPU kick signal");
	s->vcpu = calloc(n, sizeof(*s->vcpu));
	if (!s->vcpu)
		return err_sys(err, -ENOMEM, "cannot allocate vCPUs");
	s->vm = vm;
	s->pio = pio;
	s->mmio = mmio;
	s->stop_fd = stop_fd;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->cond, NULL);
	for (unsigned i = 0; i < n; i++) {
		s->n = i + 1;
		rc = vcpu_open(s, i, err);
		if (rc) {
			vcpus_close(s);
			return rc;
		}
	}
	return 0;
}

static void handle_io(struct kvm_vcpu *v)
{
	const struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)v->run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(v->set->pio, run->io.port, run->io.size, data);
		else
			bus_read(v->set->pio, run->io.port, run->io.size, data);
	}
}

static void handle_mmio(struct kvm_vcpu *v)
{
	struct kvm_run *run = v->run;

	if (run->mmio.is_write)
		bus_write(v->set->mmio, run->mmio.phys_addr, run->mmio.len, run->mmio.data);
	else
		bus_read(v->set->mmio, run->mmio.phys_addr, run->mmio.len, run->mmio.data);
}

void vcpus_hold(struct vcpu_set *s)
{
	int run = WANT_RUN;

	atomic_compare_exchange_strong(&s->want, &run, WANT_PARKED);
}

static void stop_for_good(struct kvm_vcpu *v, enum vcpu_stop_kind kind, uint64_t code)
{
	struct vcpu_set *s = v->set;

	pthread_mutex_lock(&s->lock);
	if (s->stop.kind == VCPU_STOP_NONE)
		s->stop = (struct vcpu_stop){.kind = kind, .vcpu = v->id, .code = code};
	pthread_mutex_unlock(&s->lock);
	v->stopped = true;
	/* Nobody runs on beside a vCPU that is gone; the main thread decides what follows. */
	vcpus_hold(s);
	fd_signal(s->stop_fd);
}

static void handle_system_event(struct kvm_vcpu *v)
{
	switch (v->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		stop_for_good(v, VCPU_STOP_POWEROFF, 0);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		stop_for_good(v, VCPU_STOP_RESET, 0);
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		stop_for_good(v, VCPU_STOP_CRASH, 0);
		break;
	default:
		stop_for_good(v, VCPU_STOP_UNKNOWN_EXIT, KVM_EXIT_SYSTEM_EVENT);
	}
}

static void handle_exit(struct kvm_vcpu *v)
{
	const struct kvm_run *run = v->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(v);
		break;
	case KVM_EXIT_MMIO:
		handle_mmio(v);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		handle_system_event(v);
		break;
	case KVM_EXIT_SHUTDOWN:
		stop_for_good(v, VCPU_STOP_SHUTDOWN, 0);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		stop_for_good(v, VCPU_STOP_INTERNAL_ERROR, run->internal.suberror);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		stop_for_good(v, VCPU_STOP_FAIL_ENTRY,
			      run->fail_entry.hardware_entry_failure_reason);
		break;
	default:
		if (!v->set->vm->arch_exit || !v->set->vm->arch_exit(v->run))
			stop_for_good(v, VCPU_STOP_UNKNOWN_EXIT, run->exit_reason);
	}
}

/* Runs the guest until the set wants something else. */
static void run_guest(struct kvm_vcpu *v)
{
	struct vcpu_set *s = v->set;

	while (atomic_load(&s->want) == WANT_RUN) {
		int rc = ioctl(v->fd, KVM_RUN, NULL) ? -errno : 0;

		atomic_fetch_add_explicit(&v->exits, 1, memory_order_relaxed);
		if (!rc) {
			handle_exit(v);
		} else if (rc == -EINTR) {
			/* Cleared before `want` is looked at again: see vcpu.h. */
			__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		} else if (rc != -EAGAIN) {
			stop_for_good(v, VCPU_STOP_RUN_FAILED, (uint64_t)-rc);
		}
	}
}

/*
 * An MMIO or port access is completed by the next KVM_RUN only. One more with immediate_exit
 * does that without entering the guest, so that a parked vCPU's registers are whole.
 */
static void complete_exit(struct kvm_vcpu *v)
{
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	ioctl(v->fd, KVM_RUN, NULL);
	__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

static void *vcpu_main(void *opaque)
{
	struct kvm_vcpu *v = opaque;
	struct vcpu_set *s = v->set;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", v->id);
	pthread_setname_np(pthread_self(), name);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		s->parked++;
		pthread_cond_broadcast(&s->cond);
		while (s->want == WANT_PARKED)
			pthread_cond_wait(&s->cond, &s->lock);
		s->parked--;
		if (s->want == WANT_END)
			break;
		pthread_mutex_unlock(&s->lock);
		run_guest(v);
		/* A vCPU that stopped for good keeps its exit as it was, for the report. */
		if (!v->stopped)
			complete_exit(v);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int vcpus_start(struct vcpu_set *s, struct err *err)
{
	sigset_t all, old;
	int rc = 0;

	/* Signals meant for the monitor go to the main thread. */
	sigfillset(&all);
	sigdelset(&all, KICK_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned i = 0; i < s->n && !rc; i++) {
		rc = -pthread_create(&s->vcpu[i].thread, NULL, vcpu_main, &s->vcpu[i]);
		s->vcpu[i].started = !rc;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc ? err_sys(err, rc, "cannot start vCPU threads") : 0;
}

static void set_want(struct vcpu_set *s, int want)
{
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->want, want);
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

static unsigned started(const struct vcpu_set *s)
{
	unsigned n = 0;

	while (n < s->n && s->vcpu[n].started)
		n++;
	return n;
}

void vcpus_resume(struct vcpu_set *s)
{
	set_want(s, WANT_RUN);
}

void vcpus_pause(struct vcpu_set *s)
{
	unsigned n = started(s);

	set_want(s, WANT_PARKED);
	for (unsigned i = 0; i < n; i++) {
		__atomic_store_n(&s->vcpu[i].run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(s->vcpu[i].thread, KICK_SIGNAL);
	}
	pthread_mutex_lock(&s->lock);
	while (s->parked < n)
		pthread_cond_wait(&s->cond, &s->lock);
	pthread_mutex_unlock(&s->lock);
	/* A kick that found its vCPU parked already must not cost the next entry. */
	for (unsigned i = 0; i < n; i++)
		__atomic_store_n(&s->vcpu[i].run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

void vcpus_destroy(struct vcpu_set *s)
{
	unsigned n;

	if (!s->vcpu)
		return;
	vcpus_pause(s);
	set_want(s, WANT_END);
	n = started(s);
	for (unsigned i = 0; i < n; i++)
		pthread_join(s->vcpu[i].thread, NULL);
	vcpus_close(s);
}

struct vcpu_stop vcpus_stop_reason(struct vcpu_set *s)
{
	struct vcpu_stop stop;

	pthread_mutex_lock(&s->lock);
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

uint64_t vcpus_exits(const struct vcpu_set *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->n; i++)
		n += atomic_load_explicit(&s->vcpu[i].exits, memory_order_relaxed);
	return n;
}
