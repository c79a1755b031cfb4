// SPDX-License-Identifier: Apache-2.0
/*
 * The hint queue (virtio 1.2, section 5.5.6.5) and the session's owner: hint.h has the rules,
 * here they meet rings, the configuration space and the lock.
 */
#include <errno.h>

#include "devices/balloon/hint_message.h"
#include "devices/balloon/internal.h"
#include "vmm/base/clock.h"
#include "vmm/base/fd.h"

static bool is_over(enum hint_state s)
{
	return s != HINT_REQUESTED && s != HINT_RUNNING && s != HINT_GUEST_DONE;
}

/* Do what the last inputs of the session asked for. */
static void settle(struct balloon *b)
{
	unsigned effects = hint_effects(&b->hint);

	if (effects & HINT_NOTIFY)
		virtio_notify_config(&b->dev);
	if (!(effects & HINT_CHANGED))
		return;
	if (is_over(b->hint.info.state)) {
		hintset_destroy(b->hints);
		b->hints = NULL;
	}
	if (b->hint_fd >= 0)
		fd_signal(b->hint_fd);
}

/*
 * All chains that are there, and only then they are returned: so a guest that adds more
 * meanwhile can't keep this going, see balloon_pages_kick(). Linux kicks for each block, and
 * finds its queue empty after that.
 */
void balloon_hint_kick(struct balloon *b)
{
	struct virtqueue *vq = balloon_queue(b, BALLOON_VQ_HINT);
	struct vq_seg seg[BALLOON_QUEUE_SIZE];
	struct vq_chain c = {.seg = seg, .seg_max = BALLOON_QUEUE_SIZE};
	uint16_t taken[BALLOON_QUEUE_MAX];
	uint64_t now = clock_now_ns();
	const char *fault = NULL;
	unsigned n = 0;
	int rc = 0;

	while (!fault && (rc = vq_pop(vq, &c)) > 0) {
		taken[n++] = c.head;
		fault = hint_message(&b->hint, b->hints, &c, now);
	}
	if (rc < 0)
		fault = vq->why_broken;
	for (unsigned i = 0; i < n; i++)
		vq_push(vq, taken[i], 0);
	virtio_notify_used(&b->dev, vq);
	if (fault)
		virtio_violation(&b->dev, "hints: %s", fault);
	balloon_hint_look(b);
}

void balloon_hint_look(struct balloon *b)
{
	uint64_t now = clock_now_ns();

	if (b->dev.status & VIRTIO_S_NEEDS_RESET)
		hint_fail(&b->hint, HINT_WHY_PROTOCOL, now);
	hint_expire(&b->hint, now);
	settle(b);
}

void balloon_hint_reset(struct balloon *b)
{
	hint_reset(&b->hint, clock_now_ns());
	settle(b);
}

/* ---- the owner ---- */

static int begin(struct balloon *b, uint64_t timeout_ns)
{
	int rc = balloon_can_ask(b);

	if (rc)
		return rc;
	if (!balloon_queue(b, BALLOON_VQ_HINT))
		return -EOPNOTSUPP;
	/* What waits in the queue may be older than the owner's logs, see hint_request(). */
	balloon_hint_kick(b);
	rc = balloon_can_ask(b);
	return rc ? rc : hint_request(&b->hint, clock_now_ns(), timeout_ns);
}

int balloon_hint_start(struct balloon *b, uint64_t timeout_ns)
{
	struct hintset *set = hintset_create(b->dev.mem);
	int rc;

	if (!set)
		return -ENOMEM;
	virtio_lock(&b->dev);
	rc = begin(b, timeout_ns);
	if (!rc) {
		b->hints = set;
		set = NULL;
	}
	settle(b);
	virtio_unlock(&b->dev);
	hintset_destroy(set);
	return rc;
}

void balloon_hint_query(struct balloon *b, struct hint_info *out)
{
	virtio_lock(&b->dev);
	balloon_hint_look(b);
	*out = b->hint.info;
	virtio_unlock(&b->dev);
}

void balloon_hint_defer(struct balloon *b, uint64_t timeout_ns)
{
	virtio_lock(&b->dev);
	hint_defer(&b->hint, clock_now_ns(), timeout_ns);
	virtio_unlock(&b->dev);
}

struct hintset *balloon_hint_take(struct balloon *b)
{
	struct hintset *set = NULL;

	virtio_lock(&b->dev);
	if (b->hint.info.state == HINT_GUEST_DONE) {
		set = b->hints;
		b->hints = NULL;
	}
	virtio_unlock(&b->dev);
	return set;
}

struct hintset *balloon_hint_take_part(struct balloon *b)
{
	struct hintset *fresh = hintset_create(b->dev.mem), *set = NULL;

	virtio_lock(&b->dev);
	if (fresh && b->hint.info.state == HINT_RUNNING) {
		set = b->hints;
		b->hints = fresh;
		fresh = NULL;
	}
	virtio_unlock(&b->dev);
	hintset_destroy(fresh);
	return set;
}

void balloon_hint_forget(struct balloon *b, const uint64_t *map)
{
	virtio_lock(&b->dev);
	if (b->hints)
		hintset_drop(b->hints, map);
	virtio_unlock(&b->dev);
}

static int end(struct hint *h, enum hint_state how)
{
	uint64_t now = clock_now_ns();

	if (how == HINT_FINISHED)
		return hint_finish(h, now);
	if (how == HINT_CANCELLED)
		return hint_cancel(h, now);
	if (is_over(h->info.state))
		return -EINVAL;
	hint_fail(h, HINT_WHY_HOST, now);
	return 0;
}

int balloon_hint_end(struct balloon *b, enum hint_state how)
{
	int rc;

	virtio_lock(&b->dev);
	rc = end(&b->hint, how);
	settle(b);
	virtio_unlock(&b->dev);
	return rc;
}
