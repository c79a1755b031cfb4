/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded way out for single bytes: producers on any thread put them into a ring of
 * OUTLET_RING bytes, the event loop writes them to a descriptor in batches.
 *
 * A put costs no system call but the first one after a quiet time: that wakes the loop, and
 * after the loop wrote something it looks again OUTLET_LINGER_MS later by itself.
 *
 * When the ring is full, a put is told "not now". A reader that takes nothing for
 * OUTLET_STALL_MS after that is stalled: bytes are dropped and counted until it moves again. So
 * producers are slowed down by a slow reader, but never stopped by one that doesn't read. A
 * reader that is gone (EPIPE, EIO) or a write that fails otherwise (ENOSPC) costs the bytes in
 * the ring and those of the next OUTLET_STALL_MS; then a write is tried again, because a FIFO
 * may get a new reader and a disk new space.
 *
 * The descriptor had best be non-blocking on an open file description of its own. One that is
 * blocking may be shared with a shell, so it is made non-blocking for the length of each write
 * and no longer (sockets have MSG_DONTWAIT, files never block). poll(2) before the write isn't
 * enough: a terminal that says it has room may block on a line.
 */
#ifndef AEROSTAT_IO_OUTLET_H
#define AEROSTAT_IO_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/io/loop.h"

#define OUTLET_RING	 65536
#define OUTLET_LINGER_MS 2
#define OUTLET_STALL_MS	 1000

struct outlet;

struct outlet_stats {
	uint64_t out;	  /* bytes written */
	uint64_t dropped; /* bytes put and never written */
};

/*
 * Takes fd over (-1: everything is dropped), also when it fails: NULL with errno set.
 * writable(opaque) is called on the loop's thread, without a lock, some time after a put was
 * told "not now". The process must ignore SIGPIPE. Loop's thread, as all functions but those
 * that say otherwise.
 */
struct outlet *outlet_create(struct loop *l, int fd, void (*writable)(void *opaque),
			     void *opaque);
/* Doesn't flush. NULL is fine. */
void outlet_destroy(struct outlet *o);

/* Take one byte; false: not now, writable() will come. Any thread. */
bool outlet_put(struct outlet *o, uint8_t byte);
/* Count n bytes as dropped that the producer itself lost. Any thread. */
void outlet_lost(struct outlet *o, size_t n);
/* Write out what the ring holds, for at most timeout_ms. */
void outlet_flush(struct outlet *o, unsigned timeout_ms);
/* Any thread. */
void outlet_get_stats(struct outlet *o, struct outlet_stats *s);

#endif
