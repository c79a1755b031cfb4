/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte channel between the guest's serial device and a pair of descriptors, usually the
 * monitor's stdin and stdout: terminals, pipes, sockets, files, /dev/null, or nothing.
 *
 * Output goes through an outlet (outlet.h): bounded in memory, written in batches by the event
 * loop, and neither a slow reader nor one that is gone stops the guest for ever.
 *
 * Input is read only when the device has taken the bytes before, so the writer of a pipe is
 * held back and nothing is lost. At its end the guest runs on without.
 *
 * The inherited open file descriptions stay as they are, for they are shared with the shell.
 * FIFOs and terminals are opened again through /proc/self/fd, which gives a non-blocking
 * description of our own; where that fails, outlet.h says what happens.
 *
 * With escape (the input is a terminal) some keys are the monitor's, as in lkvm and QEMU:
 *	Ctrl-a x	quit: the callback
 *	Ctrl-a Ctrl-a	one Ctrl-a for the guest
 *	Ctrl-a other	neither key goes to the guest (as in QEMU)
 * Then the terminal is read even when the device has no room, or a guest that hangs couldn't
 * be left; what is typed ahead beyond CONSOLE_TYPEAHEAD bytes is lost.
 *
 * Lock order: a device may hold its own lock when it calls console_put(), console_lost() and
 * console_input_room(); the sink is called without any lock of the console.
 */
#ifndef AEROSTAT_IO_CONSOLE_H
#define AEROSTAT_IO_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/io/loop.h"

#define CONSOLE_TYPEAHEAD 1024

struct console;

/* The device's side. Called on the loop's thread. */
struct console_sink {
	/* Takes as many of the n > 0 bytes as there is room for; returns how many. */
	size_t (*receive)(void *opaque, const uint8_t *buf, size_t n);
	/* After console_put() said "not now": try again. */
	void (*writable)(void *opaque);
};

struct console_stats {
	uint64_t out;	  /* bytes written to out_fd */
	uint64_t dropped; /* bytes of the guest that nobody got */
	uint64_t in;	  /* bytes the device took */
};

/*
 * in_fd and out_fd (-1, or not open: none) stay the caller's; the console works on its own
 * descriptors for the same files. quit(opaque) runs on the loop's thread and must not destroy
 * the console. The process must ignore SIGPIPE. NULL with *err filled on failure. Loop's
 * thread, as all functions but those that say otherwise.
 */
struct console *console_create(struct loop *l, int in_fd, int out_fd, bool escape,
			       void (*quit)(void *opaque), void *opaque, struct err *err);
/* Doesn't flush. No device may use it any more. NULL is fine. */
void console_destroy(struct console *c);

/* Connect the device before it runs; input is read from now on. Sink NULL disconnects. */
void console_attach(struct console *c, const struct console_sink *sink, void *opaque);

/* Take one byte of the guest; false: not now, sink->writable() will come. Any thread. */
bool console_put(struct console *c, uint8_t byte);
/* Count n bytes as dropped that the device itself lost after a "not now". Any thread. */
void console_lost(struct console *c, size_t n);
/* The device has room again after receive() didn't take everything. Cheap. Any thread. */
void console_input_room(struct console *c);

/* Write out what is waiting, for at most timeout_ms. For shutdown, vCPUs stopped. */
void console_flush(struct console *c, unsigned timeout_ms);

/* Any thread. */
void console_get_stats(struct console *c, struct console_stats *s);

#endif
