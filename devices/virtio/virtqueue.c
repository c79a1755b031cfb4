// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/virtqueue.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ring fields are little endian");

/* Section 2.7.5; bits beyond these are reserved and ignored. */
#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u

#define AVAIL_NO_INTERRUPT 1u /* 2.7.6 */

#define CHAIN_MAX_BYTES (1ull << 32) /* 2.7.5.2 */

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct avail {
	uint16_t flags, idx, ring[];
};

struct used_elem {
	uint32_t id, len;
};

struct used {
	uint16_t flags, idx;
	struct used_elem ring[];
};

/* Both event fields lie behind their ring, whether or not event idx is used (2.7). */
#define AVAIL_BYTES(num) (sizeof(struct avail) + 2ull * (num) + 2)
#define USED_BYTES(num)	 (sizeof(struct used) + sizeof(struct used_elem) * (num) + 2ull)

static uint16_t *used_event(const struct virtqueue *vq)
{
	struct avail *a = vq->avail;

	return &a->ring[vq->num];
}

static uint16_t *avail_event(const struct virtqueue *vq)
{
	struct used *u = vq->used;

	return (uint16_t *)&u->ring[vq->num];
}

static uint16_t load(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void store(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

/* Orders what the driver wrote before it moved idx with our reads after this one. */
static uint16_t load_avail_idx(const struct virtqueue *vq)
{
	const struct avail *a = vq->avail;

	return __atomic_load_n(&a->idx, __ATOMIC_ACQUIRE);
}

/* The n bytes at p, in the used ring, were written: for the log of what devices write. */
static void wrote_used(const struct virtqueue *vq, const void *p, uint32_t n)
{
	uint64_t off = (uint64_t)((const uint8_t *)p - (const uint8_t *)vq->used);

	gmem_dirty(vq->mem, vq->used_gpa + off, n);
}

static void store_avail_event(struct virtqueue *vq, uint16_t v)
{
	store(avail_event(vq), v);
	wrote_used(vq, avail_event(vq), sizeof(v));
}

/*
 * A store of ours followed by a load of what the driver stores, while the driver does the same
 * the other way round: only a full barrier keeps both from reading the old value.
 */
static void store_load_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void vq_reset(struct virtqueue *vq)
{
	uint16_t num_max = vq->num_max;

	*vq = (struct virtqueue){.num_max = num_max, .num = num_max};
}

static const char *check_settings(const struct virtqueue *vq)
{
	if (!vq->num || vq->num & (vq->num - 1) || vq->num > vq->num_max)
		return "queue size is no power of two or above the maximum";
	if (vq->desc_gpa % 16)
		return "descriptor table isn't aligned to 16 bytes";
	if (vq->avail_gpa % 2)
		return "available ring isn't aligned to 2 bytes";
	if (vq->used_gpa % 4)
		return "used ring isn't aligned to 4 bytes";
	return NULL;
}

static const char *map_areas(struct virtqueue *vq, const struct gmem *mem)
{
	vq->desc = gmem_ptr(mem, vq->desc_gpa, sizeof(struct desc) * vq->num);
	if (!vq->desc)
		return "descriptor table is outside RAM";
	vq->avail = gmem_ptr(mem, vq->avail_gpa, AVAIL_BYTES(vq->num));
	if (!vq->avail)
		return "available ring is outside RAM";
	vq->used = gmem_ptr(mem, vq->used_gpa, USED_BYTES(vq->num));
	if (!vq->used)
		return "used ring is outside RAM";
	return NULL;
}

int vq_enable(struct virtqueue *vq, const struct gmem *mem, bool event_idx, bool indirect,
	      const char **why)
{
	struct used *u;

	vq_disable(vq);
	*why = check_settings(vq);
	if (!*why)
		*why = map_areas(vq, mem);
	if (*why)
		return -EPROTO;
	vq->mem = mem;
	vq->event_idx = event_idx;
	vq->indirect = indirect;
	vq->ready = true;
	/* Garbage here would tell the driver not to kick us, or that buffers were used. */
	u = vq->used;
	store(&u->flags, 0);
	store(&u->idx, 0);
	wrote_used(vq, u, sizeof(*u));
	store_avail_event(vq, 0);
	return 0;
}

void vq_disable(struct virtqueue *vq)
{
	*vq = (struct virtqueue){
		.num_max = vq->num_max,
		.num = vq->num,
		.desc_gpa = vq->desc_gpa,
		.avail_gpa = vq->avail_gpa,
		.used_gpa = vq->used_gpa,
	};
}

static int break_queue(struct virtqueue *vq, const char *why)
{
	vq->broken = true;
	vq->why_broken = why;
	return -EPROTO;
}

/* The table descriptors are read from: the ring's own, then perhaps one indirect. */
struct table {
	const uint8_t *hva;
	uint32_t entries;
	bool indirect;
};

static struct desc read_desc(const struct table *t, uint32_t i)
{
	struct desc d;

	/* Not through a struct pointer: an indirect table may have any alignment. */
	memcpy(&d, t->hva + i * sizeof(d), sizeof(d));
	/* The guest may be changing it: the compiler must not read it again later. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return d;
}

static const char *enter_indirect(const struct virtqueue *vq, struct table *t,
				  const struct desc *d)
{
	const void *hva;

	if (!vq->indirect)
		return "indirect descriptor without the feature";
	if (t->indirect)
		return "indirect descriptor in an indirect table";
	if (d->flags & DESC_NEXT)
		return "indirect descriptor with a next one";
	if (!d->len || d->len % sizeof(struct desc))
		return "indirect table of odd length";
	hva = gmem_ptr(vq->mem, d->addr, d->len);
	if (!hva)
		return "indirect table is outside RAM";
	*t = (struct table){hva, d->len / sizeof(struct desc), true};
	return NULL;
}

static const char *add_seg(const struct virtqueue *vq, struct vq_chain *c, const struct desc *d)
{
	unsigned n = c->nout + c->nin;
	void *hva;

	/* Also what ends a loop. */
	if (n == vq->num)
		return "descriptor chain is longer than the queue";
	if (n == c->seg_max)
		return "descriptor chain is longer than the device takes";
	if (!(d->flags & DESC_WRITE) && c->nin)
		return "readable descriptor after a writable one";
	if (!d->len)
		return "descriptor of length 0";
	hva = gmem_ptr(vq->mem, d->addr, d->len);
	if (!hva)
		return "descriptor is outside RAM";
	c->seg[n] = (struct vq_seg){d->addr, hva, d->len};
	if (d->flags & DESC_WRITE)
		c->nin++;
	else
		c->nout++;
	return NULL;
}

/* Fills c from c->head on. NULL, or what is wrong. */
static const char *walk_chain(const struct virtqueue *vq, struct vq_chain *c)
{
	struct table t = {vq->desc, vq->num, false};
	uint64_t bytes = 0;
	uint32_t i = c->head;

	c->nout = c->nin = 0;
	for (;;) {
		const char *why;
		struct desc d;

		if (i >= t.entries)
			return "descriptor number is outside its table";
		d = read_desc(&t, i);
		if (d.flags & DESC_INDIRECT) {
			why = enter_indirect(vq, &t, &d);
			if (why)
				return why;
			i = 0;
			continue;
		}
		why = add_seg(vq, c, &d);
		if (why)
			return why;
		bytes += d.len;
		if (bytes > CHAIN_MAX_BYTES)
			return "descriptor chain has more than 2^32 bytes";
		if (!(d.flags & DESC_NEXT))
			return NULL;
		i = d.next;
	}
}

/* Available chains; 0 also arms the driver's next notification. */
static uint16_t available(struct virtqueue *vq)
{
	uint16_t n = (uint16_t)(load_avail_idx(vq) - vq->next_avail);

	if (n || !vq->event_idx)
		return n;
	/*
	 * The driver may have added a buffer before it could see the new avail_event, and then
	 * doesn't notify: look again after it must be seen (2.7.10).
	 */
	store_avail_event(vq, vq->next_avail);
	store_load_barrier();
	return (uint16_t)(load_avail_idx(vq) - vq->next_avail);
}

int vq_pop(struct virtqueue *vq, struct vq_chain *c)
{
	const struct avail *a = vq->avail;
	uint16_t in_flight = (uint16_t)(vq->next_avail - vq->next_used);
	uint16_t n;
	const char *why;

	if (!vq->ready || vq->broken)
		return 0;
	n = available(vq);
	if (!n)
		return 0;
	/* Every chain, available or in flight, occupies a descriptor of the table. */
	if (n > vq->num - in_flight)
		return break_queue(vq, "more buffers are available than the queue holds");
	c->head = load(&a->ring[vq->next_avail & (vq->num - 1)]);
	why = walk_chain(vq, c);
	if (why)
		return break_queue(vq, why);
	vq->next_avail++;
	return 1;
}

void vq_push(struct virtqueue *vq, uint16_t head, uint32_t written)
{
	struct used *u = vq->used;
	struct used_elem *e;

	if (!vq->ready || vq->broken)
		return;
	assert(head < vq->num && vq->next_used != vq->next_avail);
	e = &u->ring[vq->next_used & (vq->num - 1)];
	*e = (struct used_elem){head, written};
	vq->next_used++;
	vq->unsignalled++;
	if (vq->owed)
		vq->owed++;
	/* The driver reads the entry, and what the device wrote, only after it sees idx. */
	__atomic_store_n(&u->idx, vq->next_used, __ATOMIC_RELEASE);
	wrote_used(vq, e, sizeof(*e));
	wrote_used(vq, u, sizeof(*u));
}

/* Is used_event one of the last n indices? After a full turn it must be. */
static bool event_among(const struct virtqueue *vq, uint32_t n)
{
	return (uint16_t)(vq->next_used - load(used_event(vq)) - 1) < n;
}

bool vq_need_interrupt(struct virtqueue *vq)
{
	const struct avail *a = vq->avail;
	uint32_t n = vq->unsignalled;

	if (!vq->ready || !n)
		return false;
	vq->unsignalled = 0;
	/* The driver moves used_event, or clears the flag, and then looks at used idx again. */
	store_load_barrier();
	if (!vq->event_idx)
		return !(load(&a->flags) & AVAIL_NO_INTERRUPT);
	return event_among(vq, n);
}

bool vq_owe_interrupt(struct virtqueue *vq)
{
	uint32_t n = vq->unsignalled;

	assert(vq->event_idx || !n);
	if (!vq_need_interrupt(vq))
		return false;
	vq->owed = n;
	return true;
}

bool vq_still_owed(struct virtqueue *vq)
{
	if (!vq->owed)
		return false;
	/* As above. The push may have been another thread's; the lock puts it before this. */
	store_load_barrier();
	if (event_among(vq, vq->owed))
		return true;
	vq->owed = 0;
	return false;
}

void vq_paid(struct virtqueue *vq)
{
	vq->owed = 0;
}
