// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration space (virtio 1.2, section 5.5.4): le32 num_pages, which is ours, and le32
 * actual, which is the driver's.
 *
 * With DEFLATE_ON_OOM a guest short of memory takes pages back unasked and writes the smaller
 * `actual`. Linux inflates again as soon as it looks at num_pages, so the target must give
 * way, or the two fight over the same pages with all the CPU there is. Whether a fall of
 * `actual` was asked for is told by what the driver knew: it deflates down to the num_pages it
 * last read, never below. Below that, it leaked. (What the target is by now doesn't tell: the
 * host may have moved it while the driver was still at work on the old one.)
 *
 * The driver's removal looks similar. Unloading and suspending (remove_common() in Linux's
 * virtio_balloon.c) deflate everything, then write actual = 0 once, then reset the device; the
 * user's target must outlive that, for the next driver to inflate to. Only a fall to 0 can be
 * either, and the difference is what follows: a driver that stays reads num_pages again before
 * it does anything, at the latest because of the config interrupt we raise; one that leaves
 * has stopped looking and resets. So a fall to 0 lowers the target when num_pages is read the
 * next time, and is forgotten by a reset.
 */
#include <assert.h>
#include <endian.h>
#include <string.h>

#include "devices/balloon/internal.h"
#include "vmm/base/clock.h"

#define OFF_ACTUAL 4u
#define CONFIG_LEN 8u

uint32_t balloon_config_len(const struct virtio_device *dev)
{
	(void)dev;
	return CONFIG_LEN;
}

static void lower_target(struct balloon *b, uint32_t pages)
{
	uint64_t now = clock_now_ns();

	if (log_limit_ok(&b->log, now))
		log_info("balloon: the guest ran short of memory; target lowered from %u to %u "
			 "pages",
			 b->num_pages, pages);
	b->num_pages = pages;
	b->target_ns = now;
	b->oom_deflates++;
}

void balloon_config_read(struct virtio_device *dev, uint32_t off, void *buf, uint32_t len)
{
	struct balloon *b = balloon_of(dev);
	uint32_t config[2];

	assert(off <= CONFIG_LEN && len <= CONFIG_LEN - off);
	if (off < OFF_ACTUAL) {
		if (b->emptied)
			lower_target(b, 0);
		b->emptied = false;
		b->seen = b->num_pages;
	}
	config[0] = htole32(b->num_pages);
	config[1] = htole32(b->actual);
	memcpy(buf, (const uint8_t *)config + off, len);
}

static void check_leak(struct balloon *b, uint32_t old)
{
	uint32_t actual = b->actual;

	if (!virtio_has(&b->dev, BALLOON_F_BIT_DEFLATE_ON_OOM) || !virtio_live(&b->dev))
		return;
	if (actual >= old || actual >= b->seen || actual >= b->num_pages)
		return;
	if (actual)
		lower_target(b, actual);
	else
		b->emptied = true;
	virtio_notify_config(&b->dev);
}

void balloon_config_write(struct virtio_device *dev, uint32_t off, const void *buf,
			  uint32_t len)
{
	struct balloon *b = balloon_of(dev);
	uint32_t skip = off < OFF_ACTUAL ? OFF_ACTUAL - off : 0;
	uint32_t old = b->actual;
	uint32_t le = htole32(old);

	assert(off <= CONFIG_LEN && len <= CONFIG_LEN - off);
	if (len <= skip)
		return;
	memcpy((uint8_t *)&le + (off + skip - OFF_ACTUAL), (const uint8_t *)buf + skip,
	       len - skip);
	balloon_set_actual(b, le32toh(le));
	/*
	 * A driver must write the field by one 32-bit access (4.2.2.2). One that does it in
	 * pieces passes through values that mean nothing; the target doesn't follow those.
	 */
	if (len - skip != sizeof(le))
		return;
	check_leak(b, old);
	if (b->actual == b->num_pages)
		reclaim_no_more(b->reclaim);
}
