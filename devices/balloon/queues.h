/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which queue is which. The standard fixes the numbers (virtio 1.2, section 5.5.2), those of
 * enum balloon_vq. Linux up to 6.12 at least numbers the queues whose feature was negotiated
 * one after the other instead (init_vqs() in drivers/virtio/virtio_balloon.c names no others,
 * and vm_find_vqs() in virtio_mmio.c spends no number on what has no name): without statistics,
 * reporting has number 2 there. What tells them apart is which queues the driver made ready.
 */
#ifndef AEROSTAT_DEVICES_BALLOON_QUEUES_H
#define AEROSTAT_DEVICES_BALLOON_QUEUES_H

#include <stdint.h>

enum balloon_vq {
	BALLOON_VQ_INFLATE,
	BALLOON_VQ_DEFLATE,
	BALLOON_VQ_STATS,
	BALLOON_VQ_HINT, /* free page hints */
	BALLOON_VQ_REPORTING,
	BALLOON_NVQ,
};

#define BALLOON_NO_QUEUE 0xffu

/*
 * number[v] becomes the number of the queue that serves as v under these negotiated features,
 * or BALLOON_NO_QUEUE: its feature is missing, or its queue isn't ready. ready: bit q says that
 * queue number q is. Of the two ways to number, it is the one by which more of the queues are
 * ready; the standard's when they are equal.
 *
 * Statistics have number 2 in either way. Pure.
 */
void balloon_number_queues(uint64_t features, unsigned ready, uint8_t number[BALLOON_NVQ]);

#endif
