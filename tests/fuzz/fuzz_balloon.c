// SPDX-License-Identifier: Apache-2.0
/*
 * The balloon behind its registers and rings. The input is a script of steps of a driver and a
 * host. While the driver is tame, a model says for every page whether it is ballooned and what
 * it holds, and whether the device must have latched. From its first wild step on (raw ring
 * memory, raw registers) until it resets, only this is asked: no page changes but by a discard,
 * the counts add up, the host's target isn't exceeded. A tame driver that sleeps until its
 * message is answered is interrupted, at the latest by the second look.
 */
#include <errno.h>

#include "tests/fuzz/balloon_model.h"
#include "vmm/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static uint32_t word(struct input *in)
{
	uint32_t v = byte(in);

	v |= (uint32_t)byte(in) << 8;
	v |= (uint32_t)byte(in) << 16;
	return v | (uint32_t)byte(in) << 24;
}

/* ---- steps of a tame driver ---- */

/* Numbered as Linux does, a driver has no queues beside these. */
static bool has_queue(unsigned v)
{
	static const uint8_t bit[BALLOON_NVQ] = {
		[BALLOON_VQ_STATS] = BALLOON_F_BIT_STATS_VQ,
		[BALLOON_VQ_HINT] = BALLOON_F_BIT_FREE_PAGE_HINT,
		[REP] = BALLOON_F_BIT_REPORTING,
	};

	return v <= BALLOON_VQ_DEFLATE || w.features >> bit[v] & 1;
}

static void step_set_up(struct input *in)
{
	uint8_t f = byte(in), sizes = byte(in);
	uint64_t features = (f & 7) | (uint64_t)(f >> 3 & 3) << VIRTIO_F_BIT_INDIRECT_DESC |
			    (uint64_t)(f >> 5 & 3) << BALLOON_F_BIT_PAGE_POISON;
	bool compact = f >> 7;
	unsigned next = 0;

	CHECK(drv_negotiate(&w.mmio, features));
	model_reset();
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
		ring_init(&w.ring[v], &w.mem, v * GMEM_PAGE_SIZE,
			  (uint16_t)(1u << (sizes >> 2 * (v % 4)) % 6),
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

static uint32_t pick_pfn(uint8_t v)
{
	static const uint32_t odd[] = {LOW_PAGES,  HIGH_PFN - 1, HIGH_PFN + HIGH_PAGES,
				       UINT32_MAX, 0xfee00,	 1u << 31};

	if (v < 160)
		return DATA_PAGE + v % (LOW_PAGES - DATA_PAGE);
	if (v < 240)
		return HIGH_PFN + v % HIGH_PAGES;
	return odd[v % 6];
}

static unsigned free_descs(const struct ring *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->num; i++)
		n += !r->busy[i];
	return n;
}

/* A message in one to three segments, by an indirect table when it may be. */
static void step_message(struct input *in, unsigned q)
{
	uint8_t shape = byte(in), cut = byte(in);
	struct ring *r = &w.ring[q];
	struct msg *m = &w.msg[q][w.nmsg[q]];
	uint64_t gpa;
	struct ring_buf buf[3];
	uint32_t len;
	unsigned n = 1 + shape % 3;

	if (!w.tame || !w.set_up || n > r->num || free_descs(r) < n || w.nmsg[q] >= r->num)
		return;
	gpa = SLOT_GPA(q, w.slot[q]++ % QUEUE_MAX);
	m->n = 1 + cut % MSG_PFNS;
	for (unsigned i = 0; i < m->n; i++)
		m->pfn[i] = pick_pfn(byte(in));
	ring_poke(&w.mem, gpa, m->pfn, m->n * 4);
	len = m->n * 4 - (shape >> 2 & 1);
	buf[0] = (struct ring_buf){gpa, n > 1 ? 1 + cut % (len - 2) : len, false};
	buf[1] = (struct ring_buf){gpa + buf[0].len, n > 2 ? 1 : len - buf[0].len, false};
	buf[2] = (struct ring_buf){gpa + buf[0].len + 1, len - buf[0].len - 1, false};
	if (!buf[n - 1].len) /* three segments of two bytes */
		return;
	buf[n - 1].write = shape >> 3 & 1;
	m->bad = buf[n - 1].write || (q != BALLOON_VQ_STATS && len % 4);
	if (shape >> 4 & 1 && w.features >> VIRTIO_F_BIT_INDIRECT_DESC & 1)
		ring_add_indirect(r, gpa + SLOT_TABLE, buf, n);
	else
		ring_add(r, buf, n);
	w.nmsg[q]++;
}

/* Up to three blocks, which must latch when one is odd. */
static void step_report(struct input *in)
{
	uint8_t shape = byte(in);
	struct ring *r = &w.ring[REP];
	struct msg *m = &w.msg[REP][w.nmsg[REP]];
	struct ring_buf buf[BLOCKS];
	unsigned n = 1 + shape % BLOCKS;

	if (!w.tame || !w.set_up || n > r->num || free_descs(r) < n || w.nmsg[REP] >= r->num)
		return;
	*m = (struct msg){.n = n};
	for (unsigned i = 0; i < n; i++) {
		uint8_t how = byte(in);
		uint64_t index;

		m->pfn[i] = pick_pfn(byte(in));
		m->pages[i] = 1 + how % 8;
		buf[i] = (struct ring_buf){(uint64_t)m->pfn[i] * GMEM_PAGE_SIZE,
					   m->pages[i] * (uint32_t)GMEM_PAGE_SIZE, true};
		if (how >= 0xf8) {
			buf[i].write = how & 1;
			buf[i].len -= how >> 1 & 1;
			buf[i].gpa += how >> 2 & 1;
			m->bad |= how != 0xf9;
		}
		if (!gmem_pfn_to_index(&w.mem, m->pfn[i], &index) ||
		    m->pages[i] > gmem_index_span(&w.mem, index))
			m->bad = true;
	}
	if (shape & 16 && w.features >> VIRTIO_F_BIT_INDIRECT_DESC & 1)
		ring_add_indirect(r, SLOT_GPA(REP, w.slot[REP]++ % QUEUE_MAX) + SLOT_TABLE, buf,
				  n);
	else
		ring_add(r, buf, n);
	w.nmsg[REP]++;
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
	if (serves(q) && w.nmsg[q])
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
	} else if (off >= end)
		CHECK(drv_config_read(&w.mmio, off, len) == 0);
	else
		drv_config_read(&w.mmio, off, len);
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

static void step(struct input *in)
{
	uint8_t op = byte(in);

	switch (op % 20) {
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
		step_kick(op % 20 - 6, op);
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
	}
	check_status();
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
	const struct virtio_alarm alarm = {.set = set_alarm};
	struct input in = {data, size};
	struct balloon_config cfg = {.must_tell_host = true,
				     .stats = true,
				     .deflate_on_oom = true,
				     .reporting = REPORTING_ON,
				     .poison = true};

	if (!w.mem.nregions)
		init_once();
	w.host_target = (uint64_t)byte(&in) / 4 * GMEM_PAGE_SIZE;
	cfg.initial = w.host_target;
	cfg.reporting_min = w.report_min = byte(&in) % 4 * GMEM_PAGE_SIZE;
	w.reclaim = reclaim_create_with(&w.mem, &sync, &call_backend_ops, &backend);
	w.b = balloon_create(&cfg, &w.mem, w.reclaim, &w.irq, -1, &alarm);
	w.alarm_set = w.paused = false;
	CHECK(w.reclaim && w.b);
	virtio_mmio_init(&w.mmio, balloon_virtio(w.b));
	memset(w.ring, 0, sizeof(w.ring));
	model_reset();
	for (uint64_t i = 0; i < RAM_PAGES; i++)
		write_page(i);
	w.tame = true;
	w.moved = false;
	while (in.left)
		step(&in);
	check_pages();
	balloon_destroy(w.b);
	reclaim_destroy(w.reclaim);
	return 0;
}
