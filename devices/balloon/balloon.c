// SPDX-License-Identifier: Apache-2.0
#include "devices/balloon/balloon.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/balloon/internal.h"
#include "vmm/base/clock.h"
#include "vmm/base/fd.h"

#define VIRTIO_ID_BALLOON 5

uint64_t balloon_pages(const struct balloon *b)
{
	return reclaim_ballooned(b->reclaim);
}

void balloon_set_actual(struct balloon *b, uint32_t pages)
{
	if (pages == b->actual)
		return;
	b->actual = pages;
	b->progress_ns = clock_now_ns();
	if (b->change_fd >= 0 && !b->change_signalled) {
		b->change_signalled = true;
		fd_signal(b->change_fd);
	}
}

/* A queue that the driver has without its feature serves as nothing. */
static void balloon_notify(struct virtio_device *dev, unsigned q)
{
	struct balloon *b = balloon_of(dev);

	if (q <= BALLOON_VQ_DEFLATE)
		balloon_pages_kick(b, q);
	else if (q == b->number[BALLOON_VQ_STATS])
		balloon_stats_kick(b);
	else if (q == b->number[BALLOON_VQ_HINT])
		balloon_hint_kick(b);
	else if (q == b->number[BALLOON_VQ_REPORTING])
		balloon_worker_kick(b);
}

static void no_queues(struct balloon *b)
{
	memset(b->number, BALLOON_NO_QUEUE, sizeof(b->number));
}

static void balloon_driver_ok(struct virtio_device *dev)
{
	struct balloon *b = balloon_of(dev);
	unsigned ready = 0;

	b->target_ns = clock_now_ns();
	for (unsigned q = 0; q < BALLOON_NVQ; q++)
		ready |= (unsigned)dev->vq[q].ready << q;
	balloon_number_queues(dev->acked & dev->offered, ready, b->number);
	/* Written while the driver had the feature in mind. */
	if (!virtio_has(dev, BALLOON_F_BIT_PAGE_POISON))
		b->poison = 0;
	/*
	 * Linux queues its stats buffer, and kicks, before it sets DRIVER_OK; that kick was
	 * dropped and doesn't come again.
	 */
	for (unsigned q = 0; q < BALLOON_NVQ && virtio_live(dev); q++) {
		if (dev->vq[q].ready)
			balloon_notify(dev, q);
	}
}

static void balloon_reset(struct virtio_device *dev)
{
	struct balloon *b = balloon_of(dev);

	b->resets++;
	balloon_worker_stop(b);
	balloon_hint_reset(b);
	no_queues(b);
	if (balloon_pages(b))
		b->progress_ns = clock_now_ns();
	reclaim_reset(b->reclaim);
	balloon_set_actual(b, 0);
	balloon_stats_reset(b);
	b->seen = 0;
	b->emptied = false;
	b->poison = 0;
}

static const struct virtio_device_ops balloon_ops = {
	.device_id = VIRTIO_ID_BALLOON,
	.name = "balloon",
	.config_len = balloon_config_len,
	.config_read = balloon_config_read,
	.config_write = balloon_config_write,
	.driver_ok = balloon_driver_ok,
	.notify = balloon_notify,
	.reset = balloon_reset,
};

static uint64_t offered_by(const struct balloon_config *cfg)
{
	return (uint64_t)cfg->must_tell_host << BALLOON_F_BIT_MUST_TELL_HOST |
	       (uint64_t)cfg->stats << BALLOON_F_BIT_STATS_VQ |
	       (uint64_t)cfg->deflate_on_oom << BALLOON_F_BIT_DEFLATE_ON_OOM |
	       (uint64_t)cfg->hinting << BALLOON_F_BIT_FREE_PAGE_HINT |
	       (uint64_t)cfg->poison << BALLOON_F_BIT_PAGE_POISON |
	       (uint64_t)(cfg->reporting == REPORTING_ON) << BALLOON_F_BIT_REPORTING;
}

struct balloon *balloon_create(const struct balloon_config *cfg, const struct gmem *mem,
			       struct reclaim *r, const struct irq_line *irq,
			       const struct balloon_owner *owner)
{
	struct balloon *b = calloc(1, sizeof(*b));
	struct reclaim_stats rs;

	if (!b)
		return NULL;
	assert(cfg->initial >> GMEM_PAGE_SHIFT <= UINT32_MAX);
	assert(cfg->reporting != REPORTING_AUTO);
	b->reclaim = r;
	b->populate = cfg->deflate == DEFLATE_POPULATE;
	b->change_fd = owner->change_fd;
	b->hint_fd = owner->hint_fd;
	b->num_pages = (uint32_t)(cfg->initial >> GMEM_PAGE_SHIFT);
	b->asked = b->num_pages;
	b->stats_interval = cfg->stats_interval;
	b->report_min = cfg->reporting_min;
	b->report_rate = cfg->reporting_rate;
	for (unsigned q = 0; q < BALLOON_NVQ; q++)
		b->vq[q].num_max = q == BALLOON_VQ_HINT || q == BALLOON_VQ_STATS
					   ? BALLOON_QUEUE_MAX
					   : BALLOON_QUEUE_SIZE;
	no_queues(b);
	virtio_init(&b->dev, &balloon_ops, offered_by(cfg), b->vq, BALLOON_NVQ, mem, irq);
	b->dev.alarm = owner->alarm;
	reclaim_stats(r, &rs);
	if (cfg->reporting == REPORTING_ON && balloon_worker_create(b, rs.sync)) {
		virtio_fini(&b->dev);
		free(b);
		return NULL;
	}
	return b;
}

void balloon_destroy(struct balloon *b)
{
	if (!b)
		return;
	balloon_worker_destroy(b);
	hintset_destroy(b->hints);
	virtio_fini(&b->dev);
	free(b);
}

struct virtio_device *balloon_virtio(struct balloon *b)
{
	return &b->dev;
}

int balloon_can_ask(const struct balloon *b)
{
	if (b->dev.status & VIRTIO_S_NEEDS_RESET)
		return -EIO;
	return virtio_live(&b->dev) ? 0 : -ENOTCONN;
}

int balloon_set_target(struct balloon *b, uint64_t bytes)
{
	uint64_t pages = bytes >> GMEM_PAGE_SHIFT;
	int rc;

	if (bytes % GMEM_PAGE_SIZE || pages >= b->dev.mem->npages || pages > UINT32_MAX)
		return -ERANGE;
	virtio_lock(&b->dev);
	rc = balloon_can_ask(b);
	if (!rc) {
		b->num_pages = (uint32_t)pages;
		b->asked = true;
		b->emptied = false;
		b->target_ns = clock_now_ns();
		/* Also when it's the same number: a guest that gave up tries again. */
		virtio_notify_config(&b->dev);
	}
	virtio_unlock(&b->dev);
	return rc;
}

const char *balloon_state_name(enum balloon_state s)
{
	static const char *const name[] = {
		[BALLOON_IDLE] = "idle",	   [BALLOON_INFLATING] = "inflating",
		[BALLOON_DEFLATING] = "deflating", [BALLOON_STALLED] = "stalled",
		[BALLOON_REACHED] = "reached",
	};

	assert((unsigned)s < sizeof(name) / sizeof(name[0]));
	return name[s];
}

static enum balloon_state state_of(const struct balloon *b, uint64_t now)
{
	uint64_t last = b->target_ns > b->progress_ns ? b->target_ns : b->progress_ns;

	if (!(b->dev.status & VIRTIO_S_DRIVER_OK))
		return BALLOON_IDLE;
	if (b->actual == b->num_pages)
		return b->asked || balloon_pages(b) ? BALLOON_REACHED : BALLOON_IDLE;
	if (!virtio_live(&b->dev) || now - last >= BALLOON_STALL_MS * NSEC_PER_MSEC)
		return BALLOON_STALLED;
	return b->actual < b->num_pages ? BALLOON_INFLATING : BALLOON_DEFLATING;
}

void balloon_query(struct balloon *b, struct balloon_status *out)
{
	const struct virtio_device *dev = &b->dev;
	uint64_t ram = dev->mem->npages;
	uint64_t now;

	virtio_lock(&b->dev);
	now = clock_now_ns();
	*out = (struct balloon_status){
		.state = state_of(b, now),
		.driver = dev->status & VIRTIO_S_DRIVER_OK,
		.needs_reset = dev->status & VIRTIO_S_NEEDS_RESET,
		.features = dev->acked,
		.target = (uint64_t)b->num_pages << GMEM_PAGE_SHIFT,
		.actual = (b->actual < ram ? b->actual : ram) << GMEM_PAGE_SHIFT,
		.ballooned = balloon_pages(b) << GMEM_PAGE_SHIFT,
		.progress_age_ms = -1,
		.oom_deflates = b->oom_deflates,
		.inflate_msgs = b->inflate_msgs,
		.deflate_msgs = b->deflate_msgs,
		.notifies = dev->notifies,
		.interrupts = dev->interrupts,
		.violations = dev->violations,
		.poison = b->poison,
		.reporting = b->reporting,
		.hint = b->hint.info,
	};
	if (b->progress_ns)
		out->progress_age_ms = (int64_t)((now - b->progress_ns) / NSEC_PER_MSEC);
	reclaim_stats(b->reclaim, &out->reclaim);
	virtio_unlock(&b->dev);
}

int balloon_audit(struct balloon *b, struct audit *out)
{
	uint64_t at = 0;
	int rc;

	*out = (struct audit){0};
	/* Not under the device's lock: no vCPU should wait for all of memory to be looked at.
	 */
	do {
		rc = reclaim_audit(b->reclaim, &at, out);
	} while (rc > 0);
	return rc;
}

void balloon_pause(struct balloon *b)
{
	virtio_lock(&b->dev);
	b->paused = true;
	virtio_unlock(&b->dev);
	balloon_worker_wait(b);
}

void balloon_resume(struct balloon *b)
{
	virtio_lock(&b->dev);
	b->paused = false;
	balloon_worker_kick(b);
	virtio_unlock(&b->dev);
}

void balloon_still(struct balloon *b)
{
	virtio_lock(&b->dev);
}

void balloon_go_on(struct balloon *b)
{
	virtio_unlock(&b->dev);
}

void balloon_change_taken(struct balloon *b)
{
	virtio_lock(&b->dev);
	b->change_signalled = false;
	virtio_unlock(&b->dev);
}
