/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: epoll over file descriptors, and timers. One loop, on the main thread. All
 * functions are for that thread, except loop_stop().
 */
#ifndef AEROSTAT_IO_LOOP_H
#define AEROSTAT_IO_LOOP_H

#include <stdint.h>

struct loop;
struct loop_timer;

/* events: EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR as epoll_wait(2) gave them. */
typedef void (*loop_fn)(void *opaque, uint32_t events);

/* A new loop, or NULL with errno set. */
struct loop *loop_create(void);
/* Frees the loop and what is still registered; closes none of the callers' descriptors. NULL is
 * fine. */
void loop_destroy(struct loop *l);

/*
 * Watch fd. fn may add and delete any descriptor, its own too; after loop_del() its callback
 * is not called any more, not even for events already fetched. 0 or a negative errno
 * (-EPERM: a regular file, which epoll doesn't take).
 */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *opaque);
int loop_mod(struct loop *l, int fd, uint32_t events);
void loop_del(struct loop *l, int fd);

/* A timer that is off. NULL with errno set on failure. fn gets events 0. */
struct loop_timer *loop_timer_create(struct loop *l, void (*fn)(void *opaque), void *opaque);
/* NULL is fine. */
void loop_timer_destroy(struct loop_timer *t);
/* First expiry after delay_ns, then every period_ns (0: once). delay_ns 0 switches it off. */
void loop_timer_set(struct loop_timer *t, uint64_t delay_ns, uint64_t period_ns);

/* Dispatch until loop_stop(). */
void loop_run(struct loop *l);
/* Make loop_run() return after the current round. Any thread. */
void loop_stop(struct loop *l);

#endif
