// SPDX-License-Identifier: Apache-2.0
#include "vmm/io/irq.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/unit.h"

START_TEST(test_raise)
{
	struct irq_line l;
	uint64_t n = 0;

	ck_assert_int_eq(irq_line_init(&l, 17), 0);
	ck_assert_uint_eq(l.gsi, 17);
	ck_assert_int_eq(fcntl(l.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(read(l.fd, &n, sizeof(n)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	irq_line_raise(&l);
	irq_line_raise(&l);
	ck_assert_int_eq(read(l.fd, &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, 2);
	irq_line_fini(&l);
	ck_assert_int_eq(l.fd, -1);
	irq_line_fini(&l);
}
END_TEST

START_TEST(test_full_counter_does_not_block)
{
	struct irq_line l;
	uint64_t n = UINT64_MAX - 1;

	ck_assert_int_eq(irq_line_init(&l, 1), 0);
	ck_assert_int_eq(write(l.fd, &n, sizeof(n)), sizeof(n));
	irq_line_raise(&l);
	ck_assert_int_eq(read(l.fd, &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, UINT64_MAX - 1);
	irq_line_fini(&l);
}
END_TEST

START_TEST(test_no_descriptors_left)
{
	struct rlimit old, none;
	struct irq_line l;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){0, old.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(irq_line_init(&l, 1), -EMFILE);
	ck_assert_int_eq(l.fd, -1);
	irq_line_fini(&l);
	setrlimit(RLIMIT_NOFILE, &old);
}
END_TEST

static unsigned edges;

static void on_edge(void *opaque, uint32_t gsi)
{
	ck_assert_ptr_eq(opaque, &edges);
	ck_assert_uint_eq(gsi, 23);
	edges++;
}

START_TEST(test_sink_takes_the_edge_at_once)
{
	const struct irq_sink sink = {.edge = on_edge, .opaque = &edges};
	struct irq_line l;

	irq_line_init_sink(&l, 23, &sink);
	ck_assert_int_eq(l.fd, -1);
	irq_line_raise(&l);
	irq_line_raise(&l);
	ck_assert_uint_eq(edges, 2);
	irq_line_drain(&l);
	irq_line_fini(&l);
	ck_assert_uint_eq(edges, 2);
}
END_TEST

START_TEST(test_drain)
{
	struct irq_line l;
	uint64_t n;

	ck_assert_int_eq(irq_line_init(&l, 17), 0);
	irq_line_raise(&l);
	irq_line_drain(&l);
	ck_assert_int_eq(read(l.fd, &n, sizeof(n)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	irq_line_fini(&l);
}
END_TEST

UNIT_MAIN("irq", test_raise, test_full_counter_does_not_block, test_no_descriptors_left,
	  test_sink_takes_the_edge_at_once, test_drain)
