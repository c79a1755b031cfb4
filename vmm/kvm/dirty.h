/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's dirty log: which pages of guest RAM did the guest, or KVM on its behalf, write
 * (Documentation/virt/kvm/api.rst: KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG,
 * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)?
 *
 * It may name pages that were only read: KVM maps a page writable for a read, too, and counts
 * that. It never leaves out one that was written.
 *
 * What this process writes into guest memory isn't in it; gmem keeps that, see gmem_dirty().
 * Nor is a discard: a page that becomes zeros by madvise or by a hole in its file stays clean.
 *
 * The order of use, all of it while the guest runs or not:
 *
 *   kvm_dirty_start()   every page counts as written
 *   kvm_dirty_arm()     again and again, until it returns 0: pages count as clean until written
 *   kvm_dirty_fetch()   copy the log out; with parked vCPUs it's exact. To fetch clears nothing
 *   kvm_dirty_arm()     pages may be armed anew, all or some
 *   kvm_dirty_stop()
 *
 * Arming is split up because it takes write access away from every page that is mapped, under a
 * lock that the guest's page faults need: a slice of it stalls the guest for about a
 * millisecond, all of a terabyte for seconds. (Where KVM can only do it at once, Linux before
 * 5.8 and some architectures, kvm_dirty_start() takes that long and leaves all pages armed.)
 *
 * Costs while the log is on: a fault for the first write to each page; huge pages are mapped by
 * 4 KiB pieces where they are written, and become whole again some time after
 * kvm_dirty_stop(). Memory: 32 MiB per TiB here, twice as much in the kernel.
 *
 * For the main thread.
 */
#ifndef AEROSTAT_KVM_DIRTY_H
#define AEROSTAT_KVM_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/kvm/kvm.h"
#include "vmm/mem/gmem.h"

/* What one call of kvm_dirty_arm() arms at most, in pages: 256 MiB. */
#define KVM_DIRTY_SLICE 65536ull

struct kvm_dirty {
	struct kvm_vm *vm; /* NULL: the log is off */
	const struct gmem *mem;
	uint64_t *map;	    /* bit i: the page of index i was written, as of the last fetch */
	bool initially_set; /* KVM starts with all bits set and nothing write-protected */
};

/*
 * Start logging for all of mem, which is what kvm_vm_add_memory() gave to vm; both must outlive
 * the log. Regions of mem begin at an index that is a multiple of 64 (asserted). 0; -ENOTSUP
 * when this host's KVM lacks the log's manual mode (Linux before 5.0) or its pages aren't of
 * 4 KiB; -ENOMEM; another negative errno. On failure the log is off.
 */
int kvm_dirty_start(struct kvm_dirty *d, struct kvm_vm *vm, const struct gmem *mem,
		    struct err *err);

/*
 * Forget that the pages from index *at on were written, a slice of them, and move *at, which is
 * 0 at first. which: only those whose bit is set (bit i: the page of index i; d->map is fine);
 * NULL: all. 1: call again; 0: all are armed; or a negative errno.
 */
int kvm_dirty_arm(struct kvm_dirty *d, const uint64_t *which, uint64_t *at, struct err *err);

/* Copy the log to d->map. 0 or a negative errno; the map is then of no use. */
int kvm_dirty_fetch(struct kvm_dirty *d, struct err *err);

/* Stop logging and free the map. An all-zero *d, or one that is stopped, is fine. */
void kvm_dirty_stop(struct kvm_dirty *d);

#endif
