// SPDX-License-Identifier: Apache-2.0
#include "vmm/reclaim/discard.h"

#include <errno.h>
#include <sys/mman.h>

static int sync_discard(void *opaque, void *hva, size_t len)
{
	(void)opaque;
	return madvise(hva, len, MADV_DONTNEED) ? -errno : 0;
}

const struct discard_ops discard_sync = {
	.name = "sync",
	.discard = sync_discard,
};
