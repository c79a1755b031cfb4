// SPDX-License-Identifier: Apache-2.0
/*
 * Register accesses, input, a reader that stops and comes back, and resets in any order.
 * Besides memory safety it checks what a driver relies on: LSR and IIR hold only defined bits,
 * the receiver holds 16 bytes at most, and no interrupt is lost: once IIR said "none", it says
 * something else only after an edge.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "devices/legacy/serial.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"

enum { RBR = 0, IIR = 2, LCR = 3, LSR = 5 };

static struct loop *loop;
static struct console *con;
static struct serial *uart;
static struct irq_line irq;
static int in[2], out[2];
static int turn; /* eventfd: ends one round of the loop */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_turn(void *opaque, uint32_t events)
{
	(void)events;
	fd_drain(turn);
	loop_stop(opaque);
}

static void create(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	loop = loop_create();
	turn = fd_eventfd();
	if (!loop || pipe2(in, O_NONBLOCK) || pipe2(out, O_NONBLOCK) ||
	    loop_add(loop, turn, EPOLLIN, on_turn, loop) || irq_line_init(&irq, 4))
		abort();
	con = console_create(loop, in[0], out[1], false, NULL, NULL, NULL);
	uart = con ? serial_create(con, &irq) : NULL;
	if (!uart)
		abort();
}

static void run_loop(void)
{
	fd_signal(turn);
	loop_run(loop);
}

static void check(bool ok)
{
	if (!ok)
		abort();
}

static uint8_t rd(unsigned reg)
{
	return (uint8_t)serial_bus_ops.read(uart, reg, 1);
}

/* Read IIR; *none: the last read said so and no edge has come since. */
static void check_iir(bool *none)
{
	static const uint16_t defined =
		1 << 0x0 | 1 << 0x1 | 1 << 0x2 | 1 << 0x4 | 1 << 0x6 | 1 << 0xc;
	bool raised = fd_drain(irq.fd);
	uint8_t v = rd(IIR);

	check(!(v & 0x30) && defined >> (v & 0x0f) & 1);
	check(v & 0x01 || !*none || raised);
	*none = v & 0x01;
}

static void check_receiver(void)
{
	unsigned n = 0;

	serial_bus_ops.write(uart, LCR, 1, 0);
	for (; rd(LSR) & 0x01; n++)
		rd(RBR);
	check(n <= 16);
}

/* Fill the ring, and the pipe behind it, so that the console says "not now". */
static void block_output(void)
{
	while (console_put(con, 'x'))
		;
	run_loop();
}

static void drain_output(void)
{
	static char buf[65536];

	while (read(out[0], buf, sizeof(buf)) > 0)
		;
	run_loop();
}

static void special(uint8_t op, uint8_t arg, bool *none)
{
	switch (op & 7) {
	case 0:
		if (write(in[1], &arg, 1) == 1)
			run_loop();
		break;
	case 1:
		run_loop();
		break;
	case 2:
		drain_output();
		break;
	case 3:
		if (arg == 0x5a)
			block_output();
		break;
	case 4:
		check_receiver();
		break;
	case 5:
		serial_reset(uart);
		break;
	default:
		check_iir(none);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool none = false;

	if (!loop)
		create();
	serial_reset(uart);
	fd_drain(irq.fd);
	for (size_t i = 0; i + 1 < size; i += 2) {
		unsigned reg = data[i] & 7, len = 1;

		if (data[i] & 0x40 && reg + 4 <= SERIAL_PORTS)
			len = 4;
		if (data[i] & 0x80)
			special(data[i], data[i + 1], &none);
		else if (data[i] & 0x20)
			serial_bus_ops.write(uart, reg, len, data[i + 1] * 0x01010101ull);
		else if (reg == IIR && len == 1)
			check_iir(&none);
		else
			serial_bus_ops.read(uart, reg, len);
		/* Not always: reading LSR ends the line status interrupt. */
		if (data[i] & 0x10)
			check(!(rd(LSR) & 0x9c));
	}
	return 0;
}
