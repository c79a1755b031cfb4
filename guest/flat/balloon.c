// SPDX-License-Identifier: Apache-2.0
/*
 * A balloon driver over virtio-mmio version 2 (virtio 1.2, sections 4.2 and 5.5) that does what
 * Linux does: messages of at most 256 page numbers, copied into one buffer, one in flight. But
 * it polls for the answer, and tells the device not to interrupt.
 */
#include "guest/flat/flat.h"

#define MAGIC	   0x74726976u
#define ID_BALLOON 5u

enum {
	R_MAGIC = 0x000,
	R_VERSION = 0x004,
	R_DEVICE_ID = 0x008,
	R_DEVICE_FEATURES = 0x010,
	R_DEVICE_FEATURES_SEL = 0x014,
	R_DRIVER_FEATURES = 0x020,
	R_DRIVER_FEATURES_SEL = 0x024,
	R_QUEUE_SEL = 0x030,
	R_QUEUE_NUM_MAX = 0x034,
	R_QUEUE_NUM = 0x038,
	R_QUEUE_READY = 0x044,
	R_QUEUE_NOTIFY = 0x050,
	R_STATUS = 0x070,
	R_QUEUE_DESC = 0x080,
	R_QUEUE_DRIVER = 0x090,
	R_QUEUE_DEVICE = 0x0a0,
	R_CONFIG_ACTUAL = 0x104,
	R_CONFIG_HINT_ID = 0x108,
};

#define S_ACKNOWLEDGE 1u
#define S_DRIVER      2u
#define S_DRIVER_OK   4u
#define S_FEATURES_OK 8u
#define S_NEEDS_RESET 0x40u

#define F_MUST_TELL_HOST (1u << 0)
#define F_FREE_PAGE_HINT (1u << 3)
#define F_REPORTING	 (1u << 5)
#define F_EVENT_IDX	 (1u << 29)
#define F_VERSION_1	 (1u << 0) /* of the upper word */

#define DESC_WRITE 2u

struct queue {
	struct flat_desc desc[QUEUE_NUM];
	struct {
		uint16_t flags, idx;
		uint16_t ring[QUEUE_NUM];
		uint16_t used_event;
	} avail;
	struct {
		uint16_t flags, idx;
		struct {
			uint32_t id, len;
		} ring[QUEUE_NUM];
		uint16_t avail_event;
	} used __attribute__((aligned(4)));
} __attribute__((aligned(64)));

static struct queue queues[QUEUES];
static uint32_t message[QUEUES][MESSAGE_PFNS];
static uint64_t base;
static bool event_idx;

static uint32_t reg_read(uint32_t reg)
{
	return mmio_read(base + reg);
}

static void reg_write(uint32_t reg, uint32_t v)
{
	mmio_write(base + reg, v);
}

static bool is_balloon(uint64_t at)
{
	base = at;
	return reg_read(R_MAGIC) == MAGIC && reg_read(R_VERSION) == 2 &&
	       reg_read(R_DEVICE_ID) == ID_BALLOON;
}

bool balloon_find(void)
{
	uint64_t at;

	for (unsigned i = 0; (at = machine_virtio(i)) != 0; i++)
		if (is_balloon(at))
			return true;
	return false;
}

static void write_address(uint32_t reg, const void *p)
{
	reg_write(reg, (uint32_t)(uint64_t)p);
	reg_write(reg + 4, (uint32_t)((uint64_t)p >> 32));
}

static bool queue_start(unsigned q)
{
	struct queue *vq = &queues[q];

	*vq = (struct queue){0};
	reg_write(R_QUEUE_SEL, q);
	if (reg_read(R_QUEUE_NUM_MAX) < QUEUE_NUM)
		return false;
	reg_write(R_QUEUE_NUM, QUEUE_NUM);
	write_address(R_QUEUE_DESC, vq->desc);
	write_address(R_QUEUE_DRIVER, &vq->avail);
	write_address(R_QUEUE_DEVICE, &vq->used);
	reg_write(R_QUEUE_READY, 1);
	/* No interrupt, in both ways to say it: a used index that is never reached again. */
	vq->avail.flags = 1;
	vq->avail.used_event = UINT16_MAX;
	return true;
}

static bool queues_start(unsigned extras)
{
	return queue_start(QUEUE_INFLATE) && queue_start(QUEUE_DEFLATE) &&
	       (!(extras & BALLOON_HINTS) || queue_start(QUEUE_HINT)) &&
	       (!(extras & BALLOON_REPORTS) || queue_start(QUEUE_REPORT));
}

bool balloon_start(unsigned extras)
{
	uint32_t needed = (extras & BALLOON_HINTS ? F_FREE_PAGE_HINT : 0) |
			  (extras & BALLOON_REPORTS ? F_REPORTING : 0);
	uint32_t known = F_MUST_TELL_HOST | F_EVENT_IDX | needed;
	uint32_t status = S_ACKNOWLEDGE | S_DRIVER;
	uint32_t offered;

	reg_write(R_STATUS, S_ACKNOWLEDGE);
	reg_write(R_STATUS, status);
	reg_write(R_DEVICE_FEATURES_SEL, 1);
	if (!(reg_read(R_DEVICE_FEATURES) & F_VERSION_1))
		return false;
	reg_write(R_DEVICE_FEATURES_SEL, 0);
	offered = reg_read(R_DEVICE_FEATURES) & known;
	if ((offered & needed) != needed)
		return false;
	event_idx = offered & F_EVENT_IDX;
	reg_write(R_DRIVER_FEATURES_SEL, 0);
	reg_write(R_DRIVER_FEATURES, offered);
	reg_write(R_DRIVER_FEATURES_SEL, 1);
	reg_write(R_DRIVER_FEATURES, F_VERSION_1);
	status |= S_FEATURES_OK;
	reg_write(R_STATUS, status);
	if (!(reg_read(R_STATUS) & S_FEATURES_OK))
		return false;
	if (!queues_start(extras))
		return false;
	reg_write(R_STATUS, status | S_DRIVER_OK);
	return true;
}

void balloon_reset(void)
{
	reg_write(R_STATUS, 0);
	while (reg_read(R_STATUS))
		relax();
}

/* One buffer, and wait until the device returns it. */
static void send(unsigned queue, uint64_t addr, uint32_t len, uint16_t flags)
{
	struct queue *vq = &queues[queue];
	uint16_t old = vq->avail.idx;
	uint16_t idx = (uint16_t)(old + 1);
	bool kick;

	vq->desc[0].addr = addr;
	vq->desc[0].len = len;
	vq->desc[0].flags = flags;
	vq->avail.used_event = (uint16_t)(old - 1);
	__atomic_store_n(&vq->avail.idx, idx, __ATOMIC_RELEASE);
	/* The new index must be seen before we look whether a kick is wanted (2.7.7.2). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	kick = event_idx ? __atomic_load_n(&vq->used.avail_event, __ATOMIC_RELAXED) == old
			 : !(__atomic_load_n(&vq->used.flags, __ATOMIC_RELAXED) & 1);
	if (kick)
		reg_write(R_QUEUE_NOTIFY, queue);
	while (__atomic_load_n(&vq->used.idx, __ATOMIC_ACQUIRE) != idx)
		relax();
}

void balloon_send(unsigned queue, const uint32_t *pfn, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		message[queue][i] = pfn[i];
	send(queue, (uint64_t)message[queue], n * (uint32_t)sizeof(*pfn), 0);
}

void balloon_breach(unsigned queue, const struct flat_desc desc[2], uint16_t head,
		    uint16_t step)
{
	struct queue *vq = &queues[queue];
	uint16_t old = vq->avail.idx;

	vq->desc[0] = desc[0];
	vq->desc[1] = desc[1];
	for (unsigned i = 0; i < QUEUE_NUM; i++)
		vq->avail.ring[i] = head;
	__atomic_store_n(&vq->avail.idx, (uint16_t)(old + step), __ATOMIC_RELEASE);
	reg_write(R_QUEUE_NOTIFY, queue);
}

bool balloon_broken(void)
{
	return reg_read(R_STATUS) & S_NEEDS_RESET;
}

void balloon_be_refused(void)
{
	static const struct {
		uint32_t reg, v;
	} writes[] = {
		{R_QUEUE_NOTIFY, QUEUES + 70}, /* there is none */
		{R_QUEUE_NOTIFY, 1u << 31},
		{R_STATUS, S_ACKNOWLEDGE}, /* what was set doesn't go */
		{R_STATUS, 0x100},
		{R_DRIVER_FEATURES, UINT32_MAX}, /* too late, all of these */
		{R_QUEUE_NUM, 4},
		{R_QUEUE_DESC, 64},
		{R_QUEUE_READY, 2},
		{R_DEVICE_ID, 1}, /* to be read only */
		{0x0f8, 1},	  /* no register */
	};

	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		reg_write(writes[i].reg, writes[i].v);
}

uint64_t balloon_address(void)
{
	return base;
}

uint32_t balloon_hint_id(void)
{
	return reg_read(R_CONFIG_HINT_ID);
}

void balloon_hint_command(uint32_t id)
{
	balloon_send(QUEUE_HINT, &id, 1);
}

void balloon_hint(uint64_t gpa, uint32_t bytes)
{
	send(QUEUE_HINT, gpa, bytes, DESC_WRITE);
}

void balloon_actual(uint32_t pages)
{
	reg_write(R_CONFIG_ACTUAL, pages);
}
