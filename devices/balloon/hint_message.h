/* SPDX-License-Identifier: Apache-2.0 */
/* A message of the free page hint queue (virtio 1.2, section 5.5.6.5): from a chain to hint.h.
 */
#ifndef AEROSTAT_DEVICES_BALLOON_HINT_MESSAGE_H
#define AEROSTAT_DEVICES_BALLOON_HINT_MESSAGE_H

#include "devices/balloon/hint.h"
#include "devices/virtio/virtqueue.h"
#include "vmm/reclaim/hintset.h"

/*
 * Take in a popped chain: a command, or one block per writable segment. Contents of blocks are
 * neither read nor written. set: where blocks go; may be NULL while no session is on. NULL, or
 * what is wrong with the message's form, a static text; the session has failed then. The caller
 * pushes the chain, with 0 bytes written.
 *
 * Call it in the exit of the vCPU that kicked, and return chains before that ends: a driver
 * whose queue is full loses hints. Under the balloon's lock.
 */
const char *hint_message(struct hint *h, struct hintset *set, const struct vq_chain *c,
			 uint64_t now_ns);

#endif
