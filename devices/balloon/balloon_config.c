// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration space (virtio 1.2, section 5.5.4): le32 num_pages and free_page_hint_cmd_id,
 * which are ours, and le32 actual and poison_val, which are the driver's. It ends behind the
 * last field that the negotiated features have a use for.
 *
 * poison_val (5.5.6.6) is what the guest fills its free pages with. 0, also without the
 * feature, means that it may find them as zeros, which is what a discarded page reads as.
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

/* The fields, by index. */
enum { NUM_PAGES, ACTUAL, CMD_ID, POISON, NFIELDS };

#define END_OF(field) (4u * ((field) + 1))

uint32_t balloon_config_len(const struct virtio_device *dev)
{
	if (virtio_has(dev, BALLOON_F_BIT_PAGE_POISON))
		return END_OF(POISON);
	if (virtio_has(dev, BALLOON_F_BIT_FREE_PAGE_HINT))
		return END_OF(CMD_ID);
	return END_OF(ACTUAL);
}

static void fill(const struct balloon *b, uint32_t le[NFIELDS])
{
	le[NUM_PAGES] = htole32(b->num_pages);
	le[ACTUAL] = htole32(b->actual);
	le[CMD_ID] = htole32(b->hint.field);
	le[POISON] = htole32(b->poison);
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
	uint32_t le[NFIELDS];

	assert(off <= sizeof(le) && len <= sizeof(le) - off);
	if (off < END_OF(NUM_PAGES)) {
		if (b->emptied)
			lower_target(b, 0);
		b->emptied = false;
		b->seen = b->num_pages;
	}
	if (off <= 4 * CMD_ID && off + len >= END_OF(CMD_ID))
		hint_field_read(&b->hint);
	fill(b, le);
	memcpy(buf, (const uint8_t *)le + off, len);
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
	uint32_t old = b->actual, end = off + len;
	uint32_t le[NFIELDS];

	assert(off <= sizeof(le) && len <= sizeof(le) - off);
	fill(b, le);
	memcpy((uint8_t *)le + off, buf, len);
	b->poison = le32toh(le[POISON]);
	if (off >= END_OF(ACTUAL) || end <= END_OF(NUM_PAGES))
		return;
	balloon_set_actual(b, le32toh(le[ACTUAL]));
	/*
	 * A driver must write the field by one 32-bit access (4.2.2.2). One that does it in
	 * pieces passes through values that mean nothing; the target doesn't follow those.
	 */
	if (off > END_OF(NUM_PAGES) || end < END_OF(ACTUAL))
		return;
	check_leak(b, old);
	if (b->actual == b->num_pages)
		reclaim_no_more(b->reclaim);
}
