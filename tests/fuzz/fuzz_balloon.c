// SPDX-License-Identifier: Apache-2.0
/*
 * The balloon behind its registers and rings. The input is a script of steps of a driver and a
 * host. While the driver is tame, a model says for every page whether it is ballooned and what
 * it holds, whether the device must have latched, and what a session of free page hints is at
 * and has collected. From its first wild step on (raw ring memory, raw registers) until it
 * resets, only this is asked: no page changes but by a discard, the counts add up, the host's
 * target isn't exceeded, and what balloon_hint_model.h has of hints. A tame driver that sleeps
 * until its message is answered is interrupted, at the latest by the second look.
 */
#include <errno.h>

#include "tests/fuzz/balloon_hint_steps.h"
#include "tests/fuzz/balloon_messages.h"
#include "vmm/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- steps of a tame driver ---- */

/* Numbered as Linux does, a driver has no queues beside these. */
static bool has_queue(unsigned v)
{
	static const uint8_t bit[BALLOON_NVQ] = {
		[BALLOON_VQ_STATS] = BALLOON_F_BIT_STATS_VQ,
		[HINT] = BALLOON_F_BIT_FREE_PAGE_HINT,
		[REP] = BALLOON_F_BIT_REPORTING,
	};

	return v <= BALLOON_VQ_DEFLATE || w.features >> bit[v] & 1;
}

static void step_set_up(struct input *in)
{
	uint8_t f = byte(in), sizes = byte(in), hints = byte(in);
	uint64_t features = (f & 7) | (uint64_t)(f >> 3 & 3) << VIRTIO_F_BIT_INDIRECT_DESC |
			    (uint64_t)(f >> 5 & 3) << BALLOON_F_BIT_PAGE_POISON |
			    (uint64_t)(hints >> 7) << BALLOON_F_BIT_FREE_PAGE_HINT;
	bool compact = f >> 7;
	unsigned next = 0;

	CHECK(drv_negotiate(&w.mmio, features));
	model_reset();
	if (!w.tame)
		hint_model_learn();
	for (uint64_t i = 0; i < RAM_PAGES; i++)
		write_page(i);
	memset(w.slot, 0, sizeof(w.slot));
	w.tame = true;
	w.moved = false;
	w.features = features;
	memset(w.ring, 0, sizeof(w.ring));
	for (unsigned v = 0; v < BALLOON_NVQ; v++) {
		if (compact && !has_queue(v))
			continue;
		ring_init(
			&w.ring[v], &w.mem, RING_GPA(v),
			(uint16_t)(1u << (v == HINT ? hints % 9 : (sizes >> 2 * (v % 4)) % 6)),
			features >> VIRTIO_F_BIT_EVENT_IDX & 1);
		w.number[v] = compact ? next++ : v;
		CHECK(drv_queue(&w.mmio, w.number[v], &w.ring[v]));
	}
	w.set_up = true;
}

static void step_driver_ok(void)
{
	if (!w.tame || !w.set_up || w.live)
		return;
	drv_write(&w.mmio, VIRTIO_MMIO_STATUS, drv_status(&w.mmio) | VIRTIO_S_DRIVER_OK);
	w.live = true;
	/* In the order in which the device looks at them, which is that of their numbers. */
	for (unsigned v = 0; v < BALLOON_NVQ; v++) {
		if (!w.ring[v].num)
			continue;
		/* The device empties the rings now, so the next message needs a new kick. */
		if (!w.latched)
			ring_needs_kick(&w.ring[v]);
		model_kick(v);
		check_used(v);
	}
}

enum { AFTER_SLEEP = 16, AFTER_POLL = 32 }; /* how the driver waits, bits of the step */

static void step_kick(unsigned q, unsigned how)
{
	uint64_t before = interrupts();

	if (!w.tame || !w.set_up) {
		drv_kick(&w.mmio, q);
		return;
	}
	if (!w.ring[q].num)
		return;
	/* The device has seen the ring empty, so it must ask for this. */
	if (serves(q) && waiting(q))
		CHECK(ring_needs_kick(&w.ring[q]));
	if (how & AFTER_SLEEP)
		ring_set_used_event(&w.ring[q], w.ring[q].last_used);
	drv_kick(&w.mmio, w.number[q]);
	model_kick(q);
	if (how & AFTER_SLEEP && ring_used_pending(&w.ring[q])) {
		look();
		look();
		CHECK(interrupts() > before);
	}
	check_used(q);
	if (how & AFTER_POLL)
		ring_set_used_event(&w.ring[q], w.ring[q].last_used);
}

/* As Linux does when it finds a new id in the field: a kick for each message. */
static void step_hint_play(struct input *in, unsigned how)
{
	uint8_t n = byte(in) % 32, from = byte(in);

	if (!w.tame || h.state != HINT_REQUESTED)
		return;
	add_command(h.field);
	step_kick(HINT, how);
	for (; n; n--) {
		add_page(from++);
		step_kick(HINT, how);
	}
	add_command(HINT_ID_STOP);
	step_kick(HINT, how);
}

/* The machine stands still, or goes on: then the device looks at the queue by itself. */
static void step_pause(bool pause)
{
	if (pause)
		balloon_pause(w.b);
	else
		balloon_resume(w.b);
	w.paused = pause;
	if (pause || !w.tame || !w.ring[REP].num)
		return;
	if (serves(REP))
		ring_needs_kick(&w.ring[REP]);
	model_kick(REP);
	check_used(REP);
}

static void step_stats(void)
{
	struct balloon_stats s;
	uint64_t age, seq;
	int rc = balloon_stats_request(w.b);

	balloon_stats_get(w.b, &s, &age, &seq);
	if (!w.tame)
		return;
	if (w.latched)
		CHECK(rc == -EIO);
	else if (!w.live)
		CHECK(rc == -ENOTCONN);
	else if (!(w.features >> BALLOON_F_BIT_STATS_VQ & 1))
		CHECK(rc == -EOPNOTSUPP);
	else
		CHECK(rc == (w.stats_held ? 0 : -EINPROGRESS));
	if (!rc) {
		CHECK(ring_used_pending(&w.ring[BALLOON_VQ_STATS]) == 1);
		check_used(BALLOON_VQ_STATS);
		w.stats_held = false;
	}
}

static void step_target(struct input *in)
{
	uint64_t bytes = (uint64_t)byte(in) * GMEM_PAGE_SIZE;
	int rc = balloon_set_target(w.b, bytes);

	CHECK(rc == 0 || rc == -ENOTCONN || rc == -EIO || rc == -ERANGE);
	CHECK((rc == -ERANGE) == (bytes >= RAM_PAGES * GMEM_PAGE_SIZE));
	if (!rc)
		w.host_target = bytes;
	if (w.tame && rc != -ERANGE)
		CHECK(rc == (w.latched ? -EIO : w.live ? 0 : -ENOTCONN));
}

static void step_config(struct input *in)
{
	const struct virtio_device *dev = balloon_virtio(w.b);
	uint32_t end = dev->ops->config_len(dev);
	uint8_t how = byte(in);
	uint32_t off = byte(in);
	unsigned len = 1u << (how & 3);

	if (how & 4)
		off &= 15;
	if (how & 8) {
		uint64_t v = word(in);

		drv_config_write(&w.mmio, off, len, v);
		for (unsigned i = 0; i < len && end == 16; i++, v >>= 8, off++) {
			if (off >= 12 && off < 16) {
				w.poison &= ~(0xffu << 8 * (off - 12));
				w.poison |= (uint32_t)(v & 0xff) << 8 * (off - 12);
			}
		}
	} else if (off >= end) {
		CHECK(drv_config_read(&w.mmio, off, len) == 0);
	} else {
		uint64_t v = drv_config_read(&w.mmio, off, len);

		CHECK(!w.tame || off != 8 || len < 4 || (uint32_t)v == h.field);
		hint_model_read(off, len < end - off ? len : end - off);
	}
}

static void step_field(void)
{
	const struct virtio_device *dev = balloon_virtio(w.b);
	uint32_t v = (uint32_t)drv_config_read(&w.mmio, 8, 4);

	if (dev->ops->config_len(dev) < 12) {
		CHECK(!v);
		return;
	}
	CHECK(!w.tame || v == h.field);
	hint_model_read(8, 4);
}

/* ---- steps of a wild one ---- */

static void step_register(struct input *in)
{
	uint32_t off = byte(in) % 0x48 * 4;
	uint32_t v = word(in);

	w.tame = false;
	if (off == VIRTIO_MMIO_QUEUE_NUM || (off >= VIRTIO_MMIO_QUEUE_DESC_LOW && off < 0xac))
		w.moved = true;
	if (off == VIRTIO_MMIO_STATUS && v & 1)
		v &= 0xcf;
	drv_write(&w.mmio, off, v);
	drv_read(&w.mmio, off);
}

static void step_ring(struct input *in)
{
	uint64_t gpa = (uint64_t)(byte(in) | byte(in) << 8) % (DATA_PAGE * GMEM_PAGE_SIZE - 4);
	uint32_t v = word(in);

	w.tame = false;
	ring_poke(&w.mem, gpa, &v, sizeof(v));
}

static void step_desc(struct input *in)
{
	uint8_t q = byte(in) % BALLOON_NVQ;
	uint16_t i = byte(in);
	uint64_t gpa = (uint64_t)word(in);
	uint32_t len = byte(in) | byte(in) << 8;

	w.tame = false;
	if (!w.ring[q].num)
		return;
	i %= w.ring[q].num;
	ring_set_desc(&w.ring[q], i, gpa, len, byte(in) & 7, byte(in));
	ring_put(&w.ring[q], i);
}

static void step_of_hints(struct input *in, uint8_t op)
{
	switch (op % 28 - 20) {
	case 0:
	case 1:
		step_hint(in);
		break;
	case 2:
		step_hint_play(in, op);
		break;
	case 3:
		step_hint_many(in);
		break;
	case 4:
		step_kick(HINT, op);
		break;
	case 5:
	case 6:
		step_hint_host(in);
		break;
	case 7:
		/* What the driver does after each interrupt. */
		step_field();
		break;
	}
}

static void step(struct input *in)
{
	uint8_t op = byte(in);

	switch (op % 28) {
	case 0:
		step_set_up(in);
		break;
	case 1:
		step_driver_ok();
		break;
	case 2:
	case 3:
		step_message(in, BALLOON_VQ_INFLATE);
		break;
	case 4:
		step_message(in, BALLOON_VQ_DEFLATE);
		break;
	case 5:
		step_message(in, BALLOON_VQ_STATS);
		break;
	case 6:
	case 7:
	case 8:
		step_kick(op % 28 - 6, op);
		break;
	case 9:
		step_stats();
		break;
	case 10:
		step_target(in);
		break;
	case 11:
		step_config(in);
		break;
	case 12:
		if (op & 16) {
			look();
			break;
		}
		/* The guest uses a page, its own or not. */
		write_page(DATA_PAGE + byte(in) % (RAM_PAGES - DATA_PAGE));
		break;
	case 13:
		if (op & 16) {
			virtio_mmio_reset(&w.mmio);
			model_reset();
		} else {
			step_register(in);
		}
		break;
	case 14:
		step_ring(in);
		break;
	case 15:
		step_desc(in);
		break;
	case 16:
	case 17:
		step_report(in);
		break;
	case 18:
		step_kick(REP, op);
		break;
	case 19:
		step_pause(op & 16);
		break;
	default:
		step_of_hints(in, op);
	}
	check_status();
}

static void play(const uint8_t *script, size_t len)
{
	struct input in = {script, len};

	while (in.left)
		step(&in);
}

/*
 * Begin in the middle: a driver is up, has a balloon, the host has a set of hints, and another
 * session runs.
 */
static void begin(struct input *in, uint8_t how)
{
	uint8_t features = byte(in), sizes = byte(in), p = byte(in), hint = byte(in);
	const uint8_t up[] = {0, features, sizes, 0x83, 1};
	const uint8_t inflate[] = {2,	  0,	 7,	p,     p + 1, p + 2,
				   p + 3, p + 4, p + 5, p + 6, p + 7, 6};
	const uint8_t hints[] = {25, 0, 22, 15, hint, 25, 3, 25, 5, 27};
	const uint8_t running[] = {25, 0, 21, 0, 1, 24};

	play(up, sizeof(up));
	if (how & 16)
		play(inflate, sizeof(inflate));
	if (how & 32)
		play(hints, sizeof(hints));
	if (how & 64)
		play(running, sizeof(running));
}

static void init_once(void)
{
	const struct gmem_span spans[] = {{0, LOW_PAGES * GMEM_PAGE_SIZE},
					  {4ull << 30, HIGH_PAGES * GMEM_PAGE_SIZE}};

	log_set_level(LOG_ERROR);
	CHECK(gmem_create(&w.mem, spans, 2, NULL) == 0);
	CHECK(irq_line_init(&w.irq, 5) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct reclaim_config sync = {.kind = RECLAIM_SYNC};
	const struct balloon_owner owner = {
		.change_fd = -1, .hint_fd = -1, .alarm = {.set = set_alarm}};
	struct input in = {data, size};
	struct balloon_config cfg = {.must_tell_host = true,
				     .stats = true,
				     .deflate_on_oom = true,
				     .reporting = REPORTING_ON,
				     .hinting = true,
				     .poison = true};
	uint8_t how;

	if (!w.mem.nregions)
		init_once();
	w.host_target = (uint64_t)byte(&in) / 4 * GMEM_PAGE_SIZE;
	cfg.initial = w.host_target;
	how = byte(&in);
	cfg.reporting_min = w.report_min = how % 4 * GMEM_PAGE_SIZE;
	w.reclaim = reclaim_create_with(&w.mem, &sync, &call_backend_ops, &backend);
	w.b = balloon_create(&cfg, &w.mem, w.reclaim, &w.irq, &owner);
	w.alarm_set = w.paused = false;
	CHECK(w.reclaim && w.b);
	virtio_mmio_init(&w.mmio, balloon_virtio(w.b));
	/* The second id wraps around. */
	if (how & 4)
		w.b->hint.last_id = UINT32_MAX - 1;
	memset(&h, 0, sizeof(h));
	memset(w.ring, 0, sizeof(w.ring));
	model_reset();
	for (uint64_t i = 0; i < RAM_PAGES; i++)
		write_page(i);
	w.tame = true;
	w.moved = false;
	if (how & 8)
		begin(&in, how);
	while (in.left)
		step(&in);
	check_pages();
	hintset_destroy(h.set);
	balloon_destroy(w.b);
	reclaim_destroy(w.reclaim);
	return 0;
}
