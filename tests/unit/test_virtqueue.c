// SPDX-License-Identifier: Apache-2.0
/* Which rings and chains the device's side takes; when it notifies is test_virtqueue_events.c.
 */
#include "devices/virtio/virtqueue.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/vq_fixture.h"
#include "vmm/base/bitmap.h"

/* With the event field behind it. */
#define USED_LEN(num) (sizeof(struct vring_used) + sizeof(struct vring_used_elem) * (num) + 2)

/* The next pop finds the rule broken, and the queue is dead until it is enabled anew. */
static void check_broken(const char *reason)
{
	uint16_t used = ring.used->idx;

	ck_assert_int_eq(vq_pop(&vq, &chain), -EPROTO);
	ck_assert(vq.broken);
	ck_assert_ptr_nonnull(strstr(vq.why_broken, reason));
	ck_assert_int_eq(vq_pop(&vq, &chain), 0);
	vq_push(&vq, 0, 0);
	ck_assert_uint_eq(ring.used->idx, used);
	use_ring(ring.num, vq.event_idx, vq.indirect);
	add_one();
	pop_one();
	use_ring(ring.num, vq.event_idx, vq.indirect);
}

START_TEST(reset_forgets_all_but_the_maximum)
{
	setup(NUM, true, true);
	vq_reset(&vq);
	ck_assert_uint_eq(vq.num_max, VQ_MAX_SIZE);
	ck_assert_uint_eq(vq.num, VQ_MAX_SIZE);
	ck_assert(!vq.ready && !vq.event_idx && !vq.indirect);
	ck_assert_uint_eq(vq.desc_gpa | vq.avail_gpa | vq.used_gpa, 0);
	ck_assert_ptr_null(vq.desc);
	ck_assert_int_eq(vq_pop(&vq, &chain), 0);
	vq_push(&vq, 0, 0);
	ck_assert(!vq_need_interrupt(&vq));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(enable_checks_size_alignment_and_place)
{
	const uint64_t end = RAM + RAM_LEN;
	static const char size[] = "queue size";
	const struct {
		uint16_t num, max;
		uint64_t desc, avail, used;
		const char *reason; /* NULL: accepted */
	} cases[] = {
		{8, 8, RAM, RAM + 128, RAM + 256, NULL},
		{1, 8, RAM, RAM + 128, RAM + 256, NULL},
		{0, 8, RAM, RAM + 128, RAM + 256, size},
		{7, 8, RAM, RAM + 128, RAM + 256, size},
		{16, 8, RAM, RAM + 128, RAM + 256, size},
		{8, 8, RAM + 8, RAM + 256, RAM + 512, "aligned to 16"},
		{8, 8, RAM, RAM + 129, RAM + 256, "aligned to 2"},
		{8, 8, RAM, RAM + 128, RAM + 258, "aligned to 4"},
		{8, 8, end - 128, RAM, RAM + 256, NULL},
		{8, 8, end - 112, RAM, RAM + 256, "descriptor table is outside"},
		{8, 8, RAM - 16, RAM + 128, RAM + 256, "descriptor table is outside"},
		{8, 8, -16ull, RAM + 128, RAM + 256, "descriptor table is outside"},
		/* The event fields count: 4 + 2 * 8 + 2 and 4 + 8 * 8 + 2 bytes. */
		{8, 8, RAM, end - 22, RAM + 256, NULL},
		{8, 8, RAM, end - 20, RAM + 256, "available ring is outside"},
		{8, 8, RAM, RAM2 + RAM2_LEN, RAM + 256, "available ring is outside"},
		{8, 8, RAM, RAM + 128, end - 72, NULL},
		{8, 8, RAM, RAM + 128, end - 68, "used ring is outside"},
		{8, 8, RAM, RAM + 128, 0, "used ring is outside"},
	};

	setup(NUM, false, false);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = NULL;
		int rc;

		vq = (struct virtqueue){.num_max = cases[i].max};
		vq.num = cases[i].num;
		vq.desc_gpa = cases[i].desc;
		vq.avail_gpa = cases[i].avail;
		vq.used_gpa = cases[i].used;
		rc = vq_enable(&vq, &mem, true, true, &why);
		ck_assert_msg(rc == (cases[i].reason ? -EPROTO : 0), "case %u", i);
		ck_assert(vq.ready == !cases[i].reason);
		if (cases[i].reason)
			ck_assert_msg(strstr(why, cases[i].reason), "case %u: %s", i, why);
	}
	gmem_destroy(&mem);
}
END_TEST

START_TEST(enable_clears_the_used_header)
{
	const char *why;

	setup(NUM, true, true);
	ring.used->flags = 1;
	ring.used->idx = 77;
	memset(&ring.used->ring[NUM], 0xff, 2);
	ck_assert_int_eq(vq_enable(&vq, &mem, true, true, &why), 0);
	ck_assert_uint_eq(ring.used->flags, 0);
	ck_assert_uint_eq(ring.used->idx, 0);
	ck_assert_uint_eq(ring_avail_event(&ring), 0);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(disable_keeps_the_settings)
{
	const char *why;

	setup(NUM, false, false);
	add_one();
	pop_one();
	vq_disable(&vq);
	vq_push(&vq, chain.head, 0);
	ck_assert(!vq.ready);
	ck_assert_int_eq(vq_pop(&vq, &chain), 0);
	ck_assert_uint_eq(ring_used_pending(&ring), 0);
	ck_assert_uint_eq(vq.num, NUM);
	ck_assert_uint_eq(vq.desc_gpa, ring.desc_gpa);
	ck_assert_int_eq(vq_enable(&vq, &mem, false, false, &why), 0);
	pop_one(); /* from index 0 again */
	gmem_destroy(&mem);
}
END_TEST

START_TEST(chain_gives_its_segments_in_order)
{
	const struct ring_buf b[] = {{DATA, 1, false},
				     {DATA + 0x1000, 4096, false},
				     {RAM2 + RAM2_LEN - 3, 3, true},
				     {RAM, 0x10, true}};
	uint16_t first, second, head;
	uint32_t len;

	setup(NUM, false, false);
	first = ring_add(&ring, b, 4);
	second = ring_add(&ring, &b[2], 1);
	pop_one();
	ck_assert_uint_eq(chain.head, first);
	ck_assert_uint_eq(chain.nout, 2);
	ck_assert_uint_eq(chain.nin, 2);
	for (unsigned i = 0; i < 4; i++)
		check_seg(i, b[i].gpa, b[i].len);
	pop_one();
	ck_assert_uint_eq(chain.head, second);
	ck_assert_uint_eq(chain.nout, 0);
	ck_assert_uint_eq(chain.nin, 1);
	ck_assert_int_eq(vq_pop(&vq, &chain), 0);

	/* Returned in the other order. */
	vq_push(&vq, second, 3);
	ck_assert_uint_eq(ring_used_pending(&ring), 1);
	vq_push(&vq, first, 0xffffffff);
	ck_assert(ring_used(&ring, &head, &len) && head == second && len == 3);
	ck_assert(ring_used(&ring, &head, &len) && head == first && len == 0xffffffff);
	ck_assert(!ring_used(&ring, &head, &len));
	gmem_destroy(&mem);
}
END_TEST

START_TEST(chain_may_fill_the_queue)
{
	struct ring_buf b[NUM];

	setup(NUM, false, true);
	for (unsigned i = 0; i < NUM; i++)
		b[i] = (struct ring_buf){DATA + i, 1, i >= 3};
	ring_add(&ring, b, NUM);
	pop_one();
	ck_assert_uint_eq(chain.nout, 3);
	ck_assert_uint_eq(chain.nin, NUM - 3);
	vq_push(&vq, chain.head, 0);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(indirect_chain)
{
	const struct ring_buf b[] = {
		{DATA, 7, false}, {DATA + 64, 8, true}, {DATA + 128, 9, true}};
	uint16_t head;

	setup(NUM, false, true);
	/* A table needs no alignment. */
	head = ring_add_indirect(&ring, TABLE + 1, b, 3);
	pop_one();
	ck_assert_uint_eq(chain.head, head);
	ck_assert_uint_eq(chain.nout, 1);
	ck_assert_uint_eq(chain.nin, 2);
	for (unsigned i = 0; i < 3; i++)
		check_seg(i, b[i].gpa, b[i].len);
	vq_push(&vq, chain.head, 17);

	/* Ordinary descriptors before it; its write flag is ignored (2.7.5.3.2). */
	ring_fill_table(&ring, TABLE, b, 3);
	ring_set_desc(&ring, 4, DATA + 256, 5, VRING_DESC_F_NEXT, 6);
	ring_set_desc(&ring, 6, TABLE, 48, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	ring_put(&ring, 4);
	pop_one();
	ck_assert_uint_eq(chain.head, 4);
	ck_assert_uint_eq(chain.nout, 2);
	ck_assert_uint_eq(chain.nin, 2);
	check_seg(0, DATA + 256, 5);
	check_seg(1, DATA, 7);
	check_seg(3, DATA + 128, 9);

	/* A table may be longer than the queue; the chain in it may not. */
	ring_set_desc(&ring, 1, TABLE, 16 * 64, VRING_DESC_F_INDIRECT, 0);
	ring_put(&ring, 1);
	pop_one();
	ck_assert_uint_eq(chain.nout + chain.nin, 3);
	gmem_destroy(&mem);
}
END_TEST

/* One or two descriptors that break a rule; the first is the head. */
static const struct {
	struct vring_desc d[2];
	const char *reason;
} bad_descs[] = {
	{{{DATA, 0, 0, 0}}, "length 0"},
	{{{0, 16, 0, 0}}, "outside RAM"},
	{{{RAM + RAM_LEN - 15, 16, 0, 0}}, "outside RAM"},
	{{{RAM2 - 1, 16, VRING_DESC_F_WRITE, 0}}, "outside RAM"},
	{{{~0ull, 1, 0, 0}}, "outside RAM"},
	{{{~0ull - 15, 0xffffffff, 0, 0}}, "outside RAM"},
	{{{RAM, 0xffffffff, 0, 0}}, "outside RAM"},
	{{{DATA, 16, VRING_DESC_F_NEXT, NUM}}, "outside its table"},
	{{{DATA, 16, VRING_DESC_F_NEXT, 0xffff}}, "outside its table"},
	{{{DATA, 16, VRING_DESC_F_NEXT, 0}}, "longer than the queue"},
	{{{DATA, 16, VRING_DESC_F_NEXT, 1}, {DATA, 16, VRING_DESC_F_NEXT, 0}},
	 "longer than the queue"},
	{{{DATA, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1}, {DATA, 16, 0, 0}},
	 "readable descriptor after"},
	{{{TABLE, 0, VRING_DESC_F_INDIRECT, 0}}, "odd length"},
	{{{TABLE, 8, VRING_DESC_F_INDIRECT, 0}}, "odd length"},
	{{{TABLE, 17, VRING_DESC_F_INDIRECT, 0}}, "odd length"},
	{{{TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1}, {DATA, 16, 0, 0}},
	 "with a next"},
	{{{RAM + RAM_LEN - 16, 32, VRING_DESC_F_INDIRECT, 0}}, "table is outside"},
	{{{~0ull - 15, 32, VRING_DESC_F_INDIRECT, 0}}, "table is outside"},
	{{{TABLE, 0xfffffff0, VRING_DESC_F_INDIRECT, 0}}, "table is outside"},
};

START_TEST(bad_descriptor_breaks_the_queue)
{
	setup(NUM, true, true);
	for (unsigned i = 0; i < sizeof(bad_descs) / sizeof(bad_descs[0]); i++) {
		memcpy(ring.desc, bad_descs[i].d, sizeof(bad_descs[i].d));
		ring_put(&ring, 0);
		check_broken(bad_descs[i].reason);
	}
	ring_put(&ring, NUM);
	check_broken("outside its table");
	ring_put(&ring, 0xffff);
	check_broken("outside its table");
	gmem_destroy(&mem);
}
END_TEST

START_TEST(bad_indirect_table_breaks_the_queue)
{
	const struct {
		struct vring_desc d[2];
		const char *reason;
	} cases[] = {
		{{{DATA, 0, 0, 0}}, "length 0"},
		{{{0, 16, 0, 0}}, "outside RAM"},
		{{{DATA, 16, VRING_DESC_F_NEXT, 2}}, "outside its table"},
		{{{DATA, 16, VRING_DESC_F_NEXT, 0}}, "longer than the queue"},
		{{{DATA, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1}, {DATA, 16, 0, 0}},
		 "readable descriptor after"},
		{{{TABLE, 32, VRING_DESC_F_INDIRECT, 0}}, "in an indirect table"},
		{{{DATA, 16, VRING_DESC_F_NEXT, 1}, {TABLE, 32, VRING_DESC_F_INDIRECT, 0}},
		 "in an indirect table"},
	};

	setup(NUM, false, true);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ring_poke(&mem, TABLE, cases[i].d, sizeof(cases[i].d));
		ring_set_desc(&ring, 3, TABLE, 32, VRING_DESC_F_INDIRECT, 0);
		ring_put(&ring, 3);
		check_broken(cases[i].reason);
	}
	/* Readable segments in the table, after a writable one before it. */
	ring_fill_table(&ring, TABLE, &(struct ring_buf){DATA, 1, false}, 1);
	ring_set_desc(&ring, 0, DATA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	ring_set_desc(&ring, 1, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_put(&ring, 0);
	check_broken("readable descriptor after");

	use_ring(NUM, false, false);
	ring_set_desc(&ring, 0, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	ring_put(&ring, 0);
	check_broken("without the feature");
	gmem_destroy(&mem);
}
END_TEST

START_TEST(indirect_chain_longer_than_the_queue)
{
	struct ring_buf b[NUM + 1];

	for (unsigned i = 0; i <= NUM; i++)
		b[i] = (struct ring_buf){DATA + i, 1, false};
	setup(NUM, false, true);
	ring_add_indirect(&ring, TABLE, b, NUM);
	pop_one();
	ck_assert_uint_eq(chain.nout, NUM);
	ring_add_indirect(&ring, TABLE, b, NUM + 1);
	check_broken("longer than the queue");
	/* Those in front of the table count. */
	ring_fill_table(&ring, TABLE, b, NUM);
	ring_set_desc(&ring, 0, DATA, 1, VRING_DESC_F_NEXT, 1);
	ring_set_desc(&ring, 1, TABLE, 16 * NUM, VRING_DESC_F_INDIRECT, 0);
	ring_put(&ring, 0);
	check_broken("longer than the queue");
	gmem_destroy(&mem);
}
END_TEST

START_TEST(chain_longer_than_the_array)
{
	const struct ring_buf b[] = {{DATA, 1, false}, {DATA, 1, true}, {DATA, 1, true}};

	setup(NUM, false, false);
	chain.seg_max = 2;
	ring_add(&ring, b, 2);
	pop_one();
	ring_add(&ring, b, 3);
	seg[2].gpa = 42;
	ck_assert_int_eq(vq_pop(&vq, &chain), -EPROTO);
	ck_assert_ptr_nonnull(strstr(vq.why_broken, "device takes"));
	ck_assert_uint_eq(seg[2].gpa, 42);
	gmem_destroy(&mem);
}
END_TEST

START_TEST(chain_of_more_than_4_gib)
{
	const struct gmem_span big = {RAM, 1ull << 31};
	const struct ring_buf b[] = {
		{RAM, 1u << 31, true}, {RAM, 1u << 31, true}, {RAM, 1, true}};

	ck_assert_int_eq(gmem_create(&mem, &big, 1, NULL), 0);
	use_ring(NUM, false, false);
	ring_add(&ring, b, 2);
	pop_one();
	ring_add(&ring, b, 3);
	check_broken("2^32");
	gmem_destroy(&mem);
}
END_TEST

START_TEST(avail_idx_stays_in_its_bounds)
{
	setup(NUM, true, false);
	ring_set_desc(&ring, 0, DATA, 1, 0, 0); /* every ring entry is head 0 */
	ring_set_idx(&ring, NUM);
	for (unsigned i = 0; i < NUM; i++)
		pop_one();
	/* All are in flight: no descriptor is left for one more. */
	ring_set_idx(&ring, NUM + 1);
	check_broken("more buffers");

	ring_set_idx(&ring, NUM + 1);
	check_broken("more buffers");
	ring_set_idx(&ring, 0xffff);
	check_broken("more buffers");

	/* Back by one, and to a place that only looks right from the used index. */
	ring_set_desc(&ring, 0, DATA, 1, 0, 0);
	ring_set_idx(&ring, 3);
	pop_one();
	pop_one();
	ring_set_idx(&ring, 1);
	check_broken("more buffers");

	/* A pushed one makes room. */
	ring_set_desc(&ring, 0, DATA, 1, 0, 0);
	ring_set_idx(&ring, NUM);
	pop_one();
	vq_push(&vq, 0, 0);
	ring_set_idx(&ring, NUM + 1);
	for (unsigned i = 0; i < NUM; i++)
		pop_one();
	ck_assert_int_eq(vq_pop(&vq, &chain), 0);
	gmem_destroy(&mem);
}
END_TEST

static void check_aborts(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		vq_push(&vq, chain.head, 0);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

START_TEST(second_push_is_asserted)
{
	setup(NUM, false, false);
	add_one();
	pop_one();
	vq_push(&vq, chain.head, 0);
	check_aborts();
	add_one();
	pop_one();
	chain.head = NUM;
	check_aborts();
	gmem_destroy(&mem);
}
END_TEST

/* The pages of the ring, counted from its first, that are in the log; then it's a new log. */
static uint64_t marked(void)
{
	const uint64_t *map = gmem_dirty_map(&mem);
	uint64_t pages = map[0];

	ck_assert_uint_eq(bitmap_next(map, mem.npages, 64, true), mem.npages);
	gmem_dirty_stop(&mem);
	ck_assert_int_eq(gmem_dirty_start(&mem), 0);
	return pages;
}

/* A used ring of three pages: its header, an entry in any of them, avail_event in the last. */
START_TEST(what_it_writes_is_in_the_log)
{
	uint64_t used, head, last;
	const char *why;

	setup(RING_MAX, true, false);
	used = (ring.used_gpa - RAM) >> GMEM_PAGE_SHIFT;
	head = 1ull << used;
	last = 1ull << ((ring.used_gpa + USED_LEN(RING_MAX) - 1 - RAM) >> GMEM_PAGE_SHIFT);
	ck_assert(last > head << 1);
	ck_assert_int_eq(gmem_dirty_start(&mem), 0);
	ck_assert_int_eq(vq_enable(&vq, &mem, true, false, &why), 0);
	ck_assert_uint_eq(marked(), head | last);
	ck_assert_int_eq(vq_pop(&vq, &chain), 0); /* moves avail_event */
	ck_assert_uint_eq(marked(), last);
	for (unsigned i = 0; i < RING_MAX; i++) {
		uint64_t at = ring.used_gpa + 4 + 8 * i - RAM;
		uint16_t id;
		uint32_t len;

		add_one();
		pop_one();
		ck_assert_uint_eq(marked(), 0); /* to look is not to write */
		vq_push(&vq, chain.head, 0);
		ck_assert_uint_eq(marked(), head | 1ull << (at >> GMEM_PAGE_SHIFT) |
						    1ull << ((at + 7) >> GMEM_PAGE_SHIFT));
		ck_assert(ring_used(&ring, &id, &len));
	}
	gmem_destroy(&mem);
}
END_TEST

UNIT_MAIN("virtqueue", reset_forgets_all_but_the_maximum,
	  enable_checks_size_alignment_and_place, enable_clears_the_used_header,
	  disable_keeps_the_settings, chain_gives_its_segments_in_order,
	  chain_may_fill_the_queue, indirect_chain, bad_descriptor_breaks_the_queue,
	  bad_indirect_table_breaks_the_queue, indirect_chain_longer_than_the_queue,
	  chain_longer_than_the_array, chain_of_more_than_4_gib, avail_idx_stays_in_its_bounds,
	  second_push_is_asserted, what_it_writes_is_in_the_log)
