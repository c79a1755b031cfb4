// SPDX-License-Identifier: Apache-2.0
#include "devices/legacy/serial.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RX	 0x01
#define IER_THRE 0x02
#define IER_LINE 0x04
#define IER_MSR	 0x08
#define IER_MASK 0x0f

#define IIR_NONE	0x01
#define IIR_MSR		0x00
#define IIR_THRE	0x02
#define IIR_RX		0x04
#define IIR_LINE	0x06
#define IIR_RX_TIMEOUT	0x0c
#define IIR_FIFO_ENABLE 0xc0

#define FCR_ENABLE	  0x01
#define FCR_CLEAR_RX	  0x02
#define FCR_CLEAR_TX	  0x04
#define FCR_TRIGGER_SHIFT 6

#define LCR_DLAB 0x80

#define MCR_DTR	 0x01
#define MCR_RTS	 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DATA    0x01
#define LSR_OVERRUN 0x02
#define LSR_THRE    0x20
#define LSR_TEMT    0x40

#define MSR_DELTAS 0x0f
#define MSR_CTS	   0x10
#define MSR_DSR	   0x20
#define MSR_RI	   0x40
#define MSR_DCD	   0x80

#define FIFO_SIZE	16
#define DIVISOR_DEFAULT 12 /* 9600 baud */

struct fifo {
	uint8_t byte[FIFO_SIZE];
	unsigned head, len;
};

struct serial {
	struct console *con;
	const struct irq_line *irq;

	pthread_mutex_t lock; /* the rest */
	struct fifo rx, tx;
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t overrun; /* LSR_OVERRUN until LSR is read */
	uint8_t msr;	 /* lines and deltas */
	uint16_t divisor;
	bool thre_pending; /* the THRE interrupt, whether enabled or not */
	bool irq_on;	   /* some enabled source is pending */
};

static void fifo_push(struct fifo *f, uint8_t byte)
{
	f->byte[(f->head + f->len++) % FIFO_SIZE] = byte;
}

static uint8_t fifo_pop(struct fifo *f)
{
	uint8_t byte = f->byte[f->head];

	f->head = (f->head + 1) % FIFO_SIZE;
	f->len--;
	return byte;
}

static unsigned depth(const struct serial *s)
{
	return s->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

/* The pending source of the highest priority. */
static uint8_t iir(const struct serial *s)
{
	static const uint8_t trigger[] = {1, 4, 8, 14};

	if (s->ier & IER_LINE && s->overrun)
		return IIR_LINE;
	if (s->ier & IER_RX && s->rx.len) {
		if (!(s->fcr & FCR_ENABLE) || s->rx.len >= trigger[s->fcr >> FCR_TRIGGER_SHIFT])
			return IIR_RX;
		return IIR_RX_TIMEOUT;
	}
	if (s->ier & IER_THRE && s->thre_pending)
		return IIR_THRE;
	if (s->ier & IER_MSR && s->msr & MSR_DELTAS)
		return IIR_MSR;
	return IIR_NONE;
}

/* After every change, under the lock, so that no two threads see the same edge or none. */
static void update_irq(struct serial *s)
{
	bool on = iir(s) != IIR_NONE;

	if (on && !s->irq_on)
		irq_line_raise(s->irq);
	s->irq_on = on;
}

static void update_msr(struct serial *s)
{
	uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD, changed;

	if (s->mcr & MCR_LOOP) {
		lines = (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
			(s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
	}
	changed = (s->msr ^ lines) & (uint8_t)~MSR_DELTAS;
	if (lines & MSR_RI)
		changed &= (uint8_t)~MSR_RI;
	/* Each delta bit is its line's, four below. */
	s->msr = lines | (s->msr & MSR_DELTAS) | changed >> 4;
}

static void receive_one(struct serial *s, uint8_t byte)
{
	if (s->rx.len < depth(s)) {
		fifo_push(&s->rx, byte);
		return;
	}
	s->overrun = LSR_OVERRUN;
	/* The FIFO keeps what it has, the single register is overwritten. */
	if (!(s->fcr & FCR_ENABLE))
		s->rx.byte[s->rx.head] = byte;
}

static void send_waiting(struct serial *s)
{
	while (s->tx.len && console_put(s->con, s->tx.byte[s->tx.head])) {
		fifo_pop(&s->tx);
		s->thre_pending = !s->tx.len;
	}
}

static void write_data(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP) {
		receive_one(s, byte);
		s->thre_pending = true;
		return;
	}
	if (s->tx.len == depth(s)) {
		console_lost(s->con, 1);
		return;
	}
	fifo_push(&s->tx, byte);
	s->thre_pending = false;
	/* Bytes before this one wait for the console, which said it will call. */
	if (s->tx.len == 1)
		send_waiting(s);
}

static uint8_t read_data(struct serial *s)
{
	uint8_t byte;

	if (!s->rx.len)
		return 0;
	byte = fifo_pop(&s->rx);
	if (!s->rx.len)
		console_input_room(s->con);
	return byte;
}

static void clear_rx(struct serial *s)
{
	s->rx.len = 0;
	console_input_room(s->con);
}

static void clear_tx(struct serial *s)
{
	if (!s->tx.len)
		return;
	console_lost(s->con, s->tx.len);
	s->tx.len = 0;
	s->thre_pending = true;
}

static void write_fcr(struct serial *s, uint8_t value)
{
	/* Switching the mode clears both; the other bits count only with FCR_ENABLE. */
	bool toggled = (s->fcr ^ value) & FCR_ENABLE;

	if (!(value & FCR_ENABLE))
		value = 0;
	if (toggled || value & FCR_CLEAR_RX)
		clear_rx(s);
	if (toggled || value & FCR_CLEAR_TX)
		clear_tx(s);
	s->fcr = value & (uint8_t) ~(FCR_CLEAR_RX | FCR_CLEAR_TX);
}

static void write_ier(struct serial *s, uint8_t value)
{
	/* Enabling it with an empty transmitter makes it pending: drivers start sending so. */
	if (value & ~s->ier & IER_THRE && !s->tx.len)
		s->thre_pending = true;
	s->ier = value & IER_MASK;
}

static void write_mcr(struct serial *s, uint8_t value)
{
	s->mcr = value & MCR_MASK;
	update_msr(s);
	console_input_room(s->con);
}

static uint8_t read_reg(struct serial *s, unsigned reg)
{
	bool dlab = s->lcr & LCR_DLAB;
	uint8_t v;

	switch (reg) {
	case REG_DATA:
		return dlab ? (uint8_t)s->divisor : read_data(s);
	case REG_IER:
		return dlab ? s->divisor >> 8 : s->ier;
	case REG_IIR_FCR:
		v = iir(s);
		if (v == IIR_THRE)
			s->thre_pending = false;
		return v | (s->fcr & FCR_ENABLE ? IIR_FIFO_ENABLE : 0);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		v = s->overrun | (s->rx.len ? LSR_DATA : 0) |
		    (s->tx.len ? 0 : LSR_THRE | LSR_TEMT);
		s->overrun = 0;
		return v;
	case REG_MSR:
		v = s->msr;
		s->msr &= (uint8_t)~MSR_DELTAS;
		return v;
	default:
		return s->scr;
	}
}

static void write_reg(struct serial *s, unsigned reg, uint8_t value)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			s->divisor = (uint16_t)((s->divisor & 0xff00) | value);
		else
			write_data(s, value);
		break;
	case REG_IER:
		if (dlab)
			s->divisor = (uint16_t)((s->divisor & 0x00ff) | value << 8);
		else
			write_ier(s, value);
		break;
	case REG_IIR_FCR:
		write_fcr(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		write_mcr(s, value);
		break;
	case REG_SCR:
		s->scr = value;
		break;
	default: /* LSR and MSR are for factory tests */
		break;
	}
}

static uint64_t serial_read(void *opaque, uint64_t off, unsigned len)
{
	struct serial *s = opaque;
	uint64_t v = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < len; i++)
		v |= (uint64_t)read_reg(s, (unsigned)off + i) << (8 * i);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return v;
}

static void serial_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct serial *s = opaque;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < len; i++)
		write_reg(s, (unsigned)off + i, (uint8_t)(value >> (8 * i)));
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

const struct bus_ops serial_bus_ops = {.read = serial_read, .write = serial_write};

static size_t sink_receive(void *opaque, const uint8_t *buf, size_t n)
{
	struct serial *s = opaque;
	size_t i = 0;

	pthread_mutex_lock(&s->lock);
	if ((s->mcr & (MCR_RTS | MCR_LOOP)) == MCR_RTS) {
		while (i < n && s->rx.len < depth(s))
			fifo_push(&s->rx, buf[i++]);
	}
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return i;
}

static void sink_writable(void *opaque)
{
	struct serial *s = opaque;

	pthread_mutex_lock(&s->lock);
	send_waiting(s);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

static const struct console_sink sink = {.receive = sink_receive, .writable = sink_writable};

static void power_on(struct serial *s)
{
	clear_rx(s);
	clear_tx(s);
	s->ier = s->lcr = s->mcr = s->scr = s->fcr = s->overrun = 0;
	s->msr = MSR_CTS | MSR_DSR | MSR_DCD;
	s->divisor = DIVISOR_DEFAULT;
	s->thre_pending = s->irq_on = false;
}

struct serial *serial_create(struct console *con, const struct irq_line *irq)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->con = con;
	s->irq = irq;
	pthread_mutex_init(&s->lock, NULL);
	power_on(s);
	console_attach(con, &sink, s);
	return s;
}

void serial_destroy(struct serial *s)
{
	if (!s)
		return;
	console_attach(s->con, NULL, NULL);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void serial_reset(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	power_on(s);
	pthread_mutex_unlock(&s->lock);
}
