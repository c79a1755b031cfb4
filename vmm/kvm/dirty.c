// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/dirty.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/bitmap.h"

/*
 * In the manual mode to fetch the log doesn't clear it, nor protect pages again. It is the VM's
 * for good; it has no effect on slots without a log.
 */
static int enter_manual_mode(struct kvm_dirty *d, struct err *err)
{
	int can = kvm_host_cap(d->vm->host, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
	uint64_t flags = (uint64_t)can &
			 (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET);
	struct kvm_enable_cap req = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = {flags}};
	int rc;

	if (!(flags & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE))
		return err_set(err, -ENOTSUP,
			       "this host's KVM lacks KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	rc = kvm_ioctl(d->vm->fd, KVM_ENABLE_CAP, &req);
	if (rc)
		return err_sys(err, rc, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	d->initially_set = flags & KVM_DIRTY_LOG_INITIALLY_SET;
	return 0;
}

static int switch_on(struct kvm_dirty *d, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < d->mem->nregions && !rc; i++) {
		assert(!(d->mem->region[i].index % 64));
		rc = kvm_vm_set_slot(d->vm, d->mem, i, KVM_MEM_LOG_DIRTY_PAGES, err);
	}
	return rc;
}

int kvm_dirty_start(struct kvm_dirty *d, struct kvm_vm *vm, const struct gmem *mem,
		    struct err *err)
{
	int rc;

	*d = (struct kvm_dirty){.vm = vm, .mem = mem};
	/* KVM's log has a bit for each of the host's pages. */
	if (sysconf(_SC_PAGESIZE) != GMEM_PAGE_SIZE)
		return err_set(err, -ENOTSUP, "the dirty log needs a host with pages of 4 KiB");
	d->map = calloc(bitmap_words(mem->npages), sizeof(uint64_t));
	rc = d->map ? enter_manual_mode(d, err)
		    : err_sys(err, -ENOMEM, "cannot allocate the dirty log");
	if (!rc)
		rc = switch_on(d, err);
	if (rc)
		kvm_dirty_stop(d);
	return rc;
}

static bool none_set(const uint64_t *words, uint64_t n)
{
	while (n--) {
		if (words[n])
			return false;
	}
	return true;
}

int kvm_dirty_arm(struct kvm_dirty *d, const uint64_t *which, uint64_t *at, struct err *err)
{
	uint64_t all[KVM_DIRTY_SLICE / 64];
	const struct gmem_region *r;
	struct kvm_clear_dirty_log req = {.dirty_bitmap = all};
	uint64_t left;
	int rc = 0;

	assert(d->vm && !(*at % 64));
	if (*at >= d->mem->npages || (!which && !d->initially_set))
		return 0;
	r = gmem_region_of(d->mem, *at);
	/*
	 * first_page has to be a multiple of 64, and so num_pages, unless it reaches the end of
	 * the slot.
	 */
	req.slot = (uint32_t)(r - d->mem->region);
	req.first_page = *at - r->index;
	left = gmem_index_span(d->mem, *at);
	req.num_pages = (uint32_t)(left < KVM_DIRTY_SLICE ? left : KVM_DIRTY_SLICE);
	if (which)
		memcpy(all, which + *at / 64, bitmap_words(req.num_pages) * sizeof(uint64_t));
	else
		memset(all, 0xff, sizeof(all));
	if (!none_set(all, bitmap_words(req.num_pages)))
		rc = kvm_ioctl(d->vm->fd, KVM_CLEAR_DIRTY_LOG, &req);
	if (rc)
		return err_sys(
			err, rc, "KVM_CLEAR_DIRTY_LOG at gpa %#llx",
			(unsigned long long)(r->gpa + (req.first_page << GMEM_PAGE_SHIFT)));
	*at += req.num_pages;
	return *at < d->mem->npages;
}

int kvm_dirty_fetch(struct kvm_dirty *d, struct err *err)
{
	assert(d->vm);
	for (unsigned i = 0; i < d->mem->nregions; i++) {
		/* KVM fills whole words; a region that ends inside one is the last. */
		struct kvm_dirty_log req = {
			.slot = i,
			.dirty_bitmap = d->map + d->mem->region[i].index / 64,
		};
		int rc = kvm_ioctl(d->vm->fd, KVM_GET_DIRTY_LOG, &req);

		if (rc)
			return err_sys(err, rc, "KVM_GET_DIRTY_LOG at gpa %#llx",
				       (unsigned long long)d->mem->region[i].gpa);
	}
	return 0;
}

void kvm_dirty_stop(struct kvm_dirty *d)
{
	/* A log that KVM refused to drop would cost the guest speed and nothing else. */
	for (unsigned i = 0; d->vm && i < d->mem->nregions; i++)
		kvm_vm_set_slot(d->vm, d->mem, i, 0, NULL);
	free(d->map);
	*d = (struct kvm_dirty){0};
}
