/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's balloon sends: messages of page numbers, recorded from a guest or made up.
 *
 * The text of a recording, line by line:
 *   # ...        a remark
 *   ram N        pages of guest RAM, which begins at page 0
 *   i LIST       a message of the inflate queue
 *   d LIST       a message of the deflate queue; none of the inflate queue follows
 * In a LIST, P is a page number, P*N are N of them, each one more than the one before, and
 * P*N-S or P*N+S are N of them, each S less or more.
 */
#ifndef AEROSTAT_TESTS_BENCH_STREAM_H
#define AEROSTAT_TESTS_BENCH_STREAM_H

#include <stddef.h>
#include <stdint.h>

#define STREAM_MESSAGE 256u /* pages of a message, at most */

struct stream {
	char name[32];
	uint64_t ram;  /* pages */
	uint32_t *pfn; /* of all messages, one after the other */
	size_t npfns;
	uint16_t *len; /* of each message, in pages */
	size_t nlens;
	size_t takes;	/* the first of them inflate, the others deflate */
	uint64_t pages; /* inflated by these */
};

/* Both end the program, with a word on standard error, when they can't. */
void stream_load(struct stream *s, const char *path);
/*
 * Half of 1 GiB, each page drawn by lot: no guest was seen to send that, it is the worst that
 * one could. Then all of it back, in the same order.
 */
void stream_scatter(struct stream *s);
void stream_free(struct stream *s);

#endif
