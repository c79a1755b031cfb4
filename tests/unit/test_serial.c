// SPDX-License-Identifier: Apache-2.0
#include "devices/legacy/serial.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/loop_run.h"
#include "tests/unit/unit.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"
#include "vmm/io/outlet.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = RBR, FCR = IIR, DLL = RBR, DLM = IER };

static struct loop *loop;
static struct console *con;
static struct serial *uart;
static struct irq_line irq;
static struct bus bus;
static int in[2], out[2];

static void setup(void)
{
	struct err e;

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	bus = (struct bus){0};
	ck_assert_int_eq(pipe2(in, O_NONBLOCK), 0);
	ck_assert_int_eq(pipe2(out, O_NONBLOCK), 0);
	loop = loop_create();
	con = console_create(loop, in[0], out[1], false, NULL, NULL, &e);
	ck_assert_ptr_nonnull(con);
	ck_assert_int_eq(irq_line_init(&irq, 4), 0);
	uart = serial_create(con, &irq);
	ck_assert_ptr_nonnull(uart);
	ck_assert_int_eq(bus_add(&bus, SERIAL_COM1, SERIAL_PORTS, &serial_bus_ops, uart), 0);
}

static void teardown(void)
{
	serial_destroy(uart);
	console_destroy(con);
	loop_destroy(loop);
	irq_line_fini(&irq);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static uint8_t rd(unsigned reg)
{
	uint8_t v;

	bus_read(&bus, SERIAL_COM1 + reg, 1, &v);
	return v;
}

static void wr(unsigned reg, uint8_t v)
{
	bus_write(&bus, SERIAL_COM1 + reg, 1, &v);
}

static bool edge(void)
{
	return fd_drain(irq.fd);
}

/* As a driver that has opened the port. */
static void open_port(void)
{
	wr(FCR, 0x01);
	wr(FCR, 0x07);
	wr(FCR, 0x01);
	wr(LCR, 0x03);
	wr(MCR, 0x0b);
}

static void type(const char *text)
{
	ck_assert_int_eq(write(in[1], text, strlen(text)), strlen(text));
	loop_run_ms(loop, 5);
}

/* Make the console say "not now": nobody reads the pipe, the ring is full. */
static void block_output(void)
{
	while (console_put(con, '.'))
		;
	loop_run_ms(loop, 20);
	while (console_put(con, '.'))
		;
}

/* Read all there is; run the loop until nothing more comes. */
static size_t drain_output(char *last)
{
	static char buf[4096];
	size_t total = 0;
	ssize_t n;

	for (int idle = 0; idle < 3;) {
		n = read(out[0], buf, sizeof(buf));
		if (n > 0) {
			total += (size_t)n;
			*last = buf[n - 1];
			idle = 0;
		} else {
			idle++;
		}
		loop_run_ms(loop, 1);
	}
	return total;
}

START_TEST(test_power_on)
{
	setup();
	ck_assert_uint_eq(rd(IER), 0);
	ck_assert_uint_eq(rd(IIR), 0x01);
	ck_assert_uint_eq(rd(LCR), 0);
	ck_assert_uint_eq(rd(MCR), 0);
	ck_assert_uint_eq(rd(LSR), 0x60);
	/* Carrier, data set ready, clear to send; nothing has changed. */
	ck_assert_uint_eq(rd(MSR), 0xb0);
	ck_assert(!edge());
	teardown();
}
END_TEST

/* What Linux's 8250 driver looks at before it believes in a port (autoconfig). */
START_TEST(test_linux_probe)
{
	unsigned fifo = 0;

	setup();
	wr(IER, 0);
	ck_assert_uint_eq(rd(IER), 0);
	wr(IER, 0x0f);
	ck_assert_uint_eq(rd(IER), 0x0f);
	wr(IER, 0);
	edge();
	/* Loopback turns the modem outputs into inputs: RTS and OUT2 are CTS and DCD. */
	wr(MCR, 0x10 | 0x0a);
	ck_assert_uint_eq(rd(MSR) & 0xf0, 0x90);
	wr(MCR, 0);
	/* No enhanced register behind 0xbf, FIFOs that work: a 16550A. */
	wr(LCR, 0xbf);
	wr(FCR, 0);
	wr(LCR, 0);
	wr(FCR, 0x01);
	ck_assert_uint_eq(rd(IIR) >> 6, 3);
	wr(LCR, 0x80);
	ck_assert_uint_ne(rd(IIR), 0);
	wr(LCR, 0xbf);
	ck_assert_uint_ne(rd(IIR), 0);
	wr(LCR, 0);
	/* No XScale: bit 6 of IER doesn't stay. */
	wr(IER, 0x40);
	ck_assert_uint_eq(rd(IER), 0);
	/* Counts the FIFO in loopback: more than 16 would be another chip. */
	wr(FCR, 0x07);
	wr(MCR, 0x10);
	for (unsigned i = 0; i < 256; i++)
		wr(THR, (uint8_t)i);
	for (; rd(LSR) & 0x01 && fifo < 256; fifo++)
		ck_assert_uint_eq(rd(RBR), fifo);
	ck_assert_uint_eq(fifo, 16);
	wr(MCR, 0);
	for (unsigned v = 0; v < 256; v++) {
		wr(SCR, (uint8_t)v);
		ck_assert_uint_eq(rd(SCR), v);
	}
	ck_assert(!edge());
	loop_run_ms(loop, 5);
	ck_assert_int_eq(read(out[0], &fifo, 1), -1);
	teardown();
}
END_TEST

START_TEST(test_divisor)
{
	uint16_t both;

	setup();
	wr(LCR, 0x83);
	ck_assert_uint_eq(rd(DLL), 12);
	wr(DLL, 0x34);
	wr(DLM, 0x12);
	/* One access of two ports is two accesses. */
	bus_read(&bus, SERIAL_COM1, 2, &both);
	ck_assert_uint_eq(both, 0x1234);
	both = 0x0001;
	bus_write(&bus, SERIAL_COM1, 2, &both);
	ck_assert_uint_eq(rd(DLL), 1);
	ck_assert_uint_eq(rd(DLM), 0);
	wr(LCR, 0x03);
	ck_assert_uint_eq(rd(LCR), 0x03);
	/* Neither a byte was sent nor an interrupt enabled meanwhile. */
	ck_assert_uint_eq(rd(IER), 0);
	loop_run_ms(loop, 5);
	ck_assert_int_eq(read(out[0], &both, 1), -1);
	teardown();
}
END_TEST

START_TEST(test_output)
{
	char buf[32] = {0};

	setup();
	open_port();
	for (const char *p = "Linux version"; *p; p++) {
		ck_assert_uint_eq(rd(LSR) & 0x60, 0x60);
		wr(THR, (uint8_t)*p);
	}
	loop_run_ms(loop, 10);
	ck_assert_int_eq(read(out[0], buf, sizeof(buf)), 13);
	ck_assert_str_eq(buf, "Linux version");
	ck_assert(!edge());
	teardown();
}
END_TEST

START_TEST(test_loopback_modem_lines)
{
	static const uint8_t lines[][2] = {
		{0x01, 0x20}, {0x02, 0x10}, {0x04, 0x40}, {0x08, 0x80}};

	setup();
	wr(MCR, 0x10);
	rd(MSR);
	for (size_t i = 0; i < 4; i++) {
		uint8_t delta = lines[i][1] >> 4;

		wr(MCR, 0x10 | lines[i][0]);
		/* Ring is told when it ends, the others on both edges. */
		ck_assert_uint_eq(rd(MSR), lines[i][1] | (i == 2 ? 0 : delta));
		ck_assert_uint_eq(rd(MSR), lines[i][1]);
		wr(MCR, 0x10);
		ck_assert_uint_eq(rd(MSR), delta);
		ck_assert_uint_eq(rd(MSR), 0);
	}
	/* The modem interrupt, and its end by reading MSR. */
	wr(IER, 0x08);
	ck_assert(!edge());
	wr(MCR, 0x12);
	ck_assert(edge());
	ck_assert_uint_eq(rd(IIR), 0x00);
	rd(MSR);
	ck_assert_uint_eq(rd(IIR), 0x01);
	teardown();
}
END_TEST

START_TEST(test_overrun)
{
	setup();
	wr(MCR, 0x10);
	wr(IER, 0x04);
	/* Without FIFO the new byte replaces the old. */
	wr(THR, 'a');
	ck_assert_uint_eq(rd(LSR), 0x61);
	wr(THR, 'b');
	ck_assert(edge());
	ck_assert_uint_eq(rd(IIR), 0x06);
	ck_assert_uint_eq(rd(LSR), 0x63);
	ck_assert_uint_eq(rd(LSR), 0x61);
	ck_assert_uint_eq(rd(IIR), 0x01);
	ck_assert_uint_eq(rd(RBR), 'b');
	ck_assert_uint_eq(rd(LSR), 0x60);
	ck_assert_uint_eq(rd(RBR), 0);
	/* With FIFO it is the new one that is lost. */
	wr(FCR, 0x01);
	for (char ch = 'a'; ch < 'a' + 17; ch++)
		wr(THR, (uint8_t)ch);
	ck_assert_uint_eq(rd(LSR) & 0x02, 0x02);
	for (char ch = 'a'; ch < 'a' + 16; ch++)
		ck_assert_uint_eq(rd(RBR), (uint8_t)ch);
	ck_assert_uint_eq(rd(LSR), 0x60);
	teardown();
}
END_TEST

START_TEST(test_fifo_trigger)
{
	static const struct {
		uint8_t fcr;
		unsigned level;
	} t[] = {{0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};

	setup();
	open_port();
	wr(IER, 0x01);
	for (size_t i = 0; i < 4; i++) {
		wr(FCR, t[i].fcr);
		for (unsigned n = 1; n <= 16; n++) {
			type("k");
			/* One edge for the first; more bytes don't change "pending". */
			ck_assert_int_eq(edge(), n == 1);
			ck_assert_uint_eq(rd(IIR), n < t[i].level ? 0xcc : 0xc4);
		}
		for (unsigned n = 16; n; n--) {
			ck_assert_uint_eq(rd(LSR), 0x61);
			ck_assert_uint_eq(rd(RBR), 'k');
		}
		ck_assert_uint_eq(rd(IIR), 0xc1);
		ck_assert_uint_eq(rd(LSR), 0x60);
	}
	ck_assert(!edge());
	teardown();
}
END_TEST

START_TEST(test_input_in_order)
{
	char got[65] = {0};
	const char *text = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-+";
	unsigned n = 0;

	setup();
	open_port();
	wr(IER, 0x01);
	type(text);
	/* A handler as Linux's: until IIR says none, then wait for the next edge. */
	while (n < 64) {
		ck_assert(edge());
		while (!(rd(IIR) & 0x01)) {
			while (rd(LSR) & 0x01)
				got[n++] = (char)rd(RBR);
		}
		loop_run_ms(loop, 5);
	}
	ck_assert_str_eq(got, text);
	ck_assert(!edge());
	teardown();
}
END_TEST

START_TEST(test_nothing_comes_without_rts)
{
	setup();
	type("typed ahead");
	wr(IER, 0x01);
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(rd(LSR), 0x60);
	/* Opening clears the FIFO; what was typed comes after. */
	open_port();
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(rd(RBR), 't');
	/* In loopback the line is cut off. */
	wr(MCR, 0x1b);
	wr(FCR, 0x03);
	loop_run_ms(loop, 5);
	ck_assert_uint_eq(rd(LSR), 0x60);
	teardown();
}
END_TEST

START_TEST(test_thre_interrupt)
{
	setup();
	open_port();
	/* Enabling it with an empty transmitter is the edge that starts sending. */
	wr(IER, 0x02);
	ck_assert(edge());
	ck_assert_uint_eq(rd(IIR), 0xc2);
	/* Reading IIR took it back. */
	ck_assert_uint_eq(rd(IIR), 0xc1);
	wr(IER, 0x02);
	ck_assert(!edge());
	/* Sent: the transmitter is empty again. */
	wr(THR, 'x');
	ck_assert(edge());
	ck_assert_uint_eq(rd(IIR), 0xc2);
	/* Off and on once more, as Linux tests for ports that forget it. */
	wr(IER, 0x00);
	ck_assert_uint_eq(rd(IIR), 0xc1);
	wr(IER, 0x02);
	ck_assert(edge());
	ck_assert_uint_eq(rd(IIR), 0xc2);
	/* Pending but not enabled isn't an interrupt; enabled it is. */
	wr(IER, 0x00);
	wr(THR, 'y');
	ck_assert(!edge());
	wr(IER, 0x02);
	ck_assert(edge());
	teardown();
}
END_TEST

START_TEST(test_priority)
{
	setup();
	open_port();
	wr(MCR, 0x18);
	for (int i = 0; i < 17; i++)
		wr(THR, 'x');
	wr(IER, 0x0f);
	ck_assert(edge());
	ck_assert_uint_eq(rd(IIR), 0xc6);
	rd(LSR);
	ck_assert_uint_eq(rd(IIR), 0xc4);
	wr(FCR, 0x03);
	ck_assert_uint_eq(rd(IIR), 0xc2);
	ck_assert_uint_eq(rd(IIR), 0xc0);
	rd(MSR);
	ck_assert_uint_eq(rd(IIR), 0xc1);
	ck_assert(!edge());
	teardown();
}
END_TEST

START_TEST(test_output_waits)
{
	struct console_stats st;
	char last = 0;

	setup();
	open_port();
	wr(IER, 0x02);
	rd(IIR);
	edge();
	block_output();
	/* A driver fills the FIFO after THRE; all 16 are kept, and THRE stays off. */
	for (char ch = 'a'; ch < 'a' + 16; ch++)
		wr(THR, (uint8_t)ch);
	ck_assert_uint_eq(rd(LSR) & 0x60, 0);
	ck_assert_uint_eq(rd(IIR), 0xc1);
	ck_assert(!edge());
	console_get_stats(con, &st);
	ck_assert_uint_eq(st.dropped, 0);
	/* One more finds no place. */
	wr(THR, '!');
	console_get_stats(con, &st);
	ck_assert_uint_eq(st.dropped, 1);
	/* The reader comes back: all is sent, and THRE is an edge. */
	ck_assert_uint_gt(drain_output(&last), OUTLET_RING);
	ck_assert_int_eq(last, 'p');
	ck_assert(edge());
	ck_assert_uint_eq(rd(LSR) & 0x60, 0x60);
	ck_assert_uint_eq(rd(IIR), 0xc2);
	teardown();
}
END_TEST

START_TEST(test_reader_never_comes)
{
	uint64_t start;

	setup();
	open_port();
	wr(IER, 0x02);
	rd(IIR);
	block_output();
	edge();
	wr(THR, 'x');
	ck_assert(!edge());
	/* A guest that sleeps until THRE is woken after the stall time. */
	start = clock_now_ns();
	while (!edge() && clock_now_ns() - start < 5 * NSEC_PER_SEC)
		loop_run_ms(loop, 10);
	ck_assert_uint_lt(clock_now_ns() - start, 2 * OUTLET_STALL_MS * NSEC_PER_MSEC);
	/* And from then on isn't held up. */
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_uint_eq(rd(LSR) & 0x60, 0x60);
		wr(THR, 'x');
	}
	teardown();
}
END_TEST

START_TEST(test_clear_transmitter)
{
	setup();
	open_port();
	wr(IER, 0x02);
	rd(IIR);
	block_output();
	wr(THR, 'x');
	edge();
	wr(FCR, 0x05);
	ck_assert_uint_eq(rd(LSR) & 0x60, 0x60);
	ck_assert(edge());
	teardown();
}
END_TEST

START_TEST(test_reset)
{
	setup();
	open_port();
	wr(IER, 0x0f);
	wr(SCR, 7);
	type("lost");
	edge();
	serial_reset(uart);
	ck_assert_uint_eq(rd(IER), 0);
	ck_assert_uint_eq(rd(IIR), 0x01);
	ck_assert_uint_eq(rd(LCR), 0);
	ck_assert_uint_eq(rd(MCR), 0);
	ck_assert_uint_eq(rd(SCR), 0);
	ck_assert_uint_eq(rd(LSR), 0x60);
	ck_assert_uint_eq(rd(MSR), 0xb0);
	/* The next boot has its interrupts and its console. */
	open_port();
	wr(IER, 0x01);
	type("n");
	ck_assert(edge());
	ck_assert_uint_eq(rd(RBR), 'n');
	teardown();
	serial_destroy(NULL);
}
END_TEST

/*
 * A guest driver on a thread: sleeps until an edge, then handles until IIR says none. If an
 * edge is ever missing, it sleeps for ever.
 */
#define ECHO_BYTES 20000

static void *echo_driver(void *opaque)
{
	unsigned *handled = opaque;
	char pending[64];
	unsigned npending = 0;

	while (*handled < ECHO_BYTES) {
		uint8_t iir;

		if (!edge()) {
			usleep(10);
			continue;
		}
		while (!((iir = rd(IIR)) & 0x01)) {
			while (rd(LSR) & 0x01 && npending < sizeof(pending))
				pending[npending++] = (char)rd(RBR);
			if ((iir & 0x0f) == 0x02 || rd(LSR) & 0x20) {
				for (unsigned i = 0; i < npending && i < 16; i++)
					wr(THR, (uint8_t)pending[i]);
				if (npending > 16)
					memmove(pending, pending + 16, npending - 16);
				*handled += npending < 16 ? npending : 16;
				npending = npending < 16 ? 0 : npending - 16;
			}
			wr(IER, npending ? 0x03 : 0x01);
		}
	}
	return NULL;
}

START_TEST(test_no_lost_edge)
{
	static char sent[ECHO_BYTES], got[ECHO_BYTES];
	size_t nsent = 0, ngot = 0;
	unsigned handled = 0;
	uint64_t start = clock_now_ns();
	pthread_t t;

	setup();
	open_port();
	wr(IER, 0x01);
	for (size_t i = 0; i < ECHO_BYTES; i++)
		sent[i] = (char)('!' + i % 90);
	pthread_create(&t, NULL, echo_driver, &handled);
	while (ngot < ECHO_BYTES && clock_now_ns() - start < 50 * NSEC_PER_SEC) {
		/* Pieces of all sizes, so that the driver catches every phase. */
		size_t n = 1 + nsent % 37;
		ssize_t r;

		if (n > ECHO_BYTES - nsent)
			n = ECHO_BYTES - nsent;
		r = write(in[1], sent + nsent, n);
		nsent += r > 0 ? (size_t)r : 0;
		loop_run_ms(loop, 1);
		r = read(out[0], got + ngot, ECHO_BYTES - ngot);
		ngot += r > 0 ? (size_t)r : 0;
	}
	ck_assert_uint_eq(ngot, ECHO_BYTES);
	ck_assert_mem_eq(got, sent, ECHO_BYTES);
	pthread_join(t, NULL);
	teardown();
}
END_TEST

UNIT_MAIN("serial", test_power_on, test_linux_probe, test_divisor, test_output,
	  test_loopback_modem_lines, test_overrun, test_fifo_trigger, test_input_in_order,
	  test_nothing_comes_without_rts, test_thre_interrupt, test_priority, test_output_waits,
	  test_reader_never_comes, test_clear_transmitter, test_reset, test_no_lost_edge)
