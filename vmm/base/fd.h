/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers around file descriptors. All return 0 or a negative errno unless said. */
#ifndef AEROSTAT_BASE_FD_H
#define AEROSTAT_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A new non-blocking close-on-exec eventfd, or a negative errno. The caller owns it. */
int fd_eventfd(void);

/* Add one to an eventfd. Never blocks: a full counter is as good as a signal. Any thread. */
void fd_signal(int efd);

/* Empty an eventfd or timerfd; true if it had been signalled. */
bool fd_drain(int efd);

int fd_set_nonblock(int fd, bool on);

/* Read exactly len bytes at off. -ENODATA when the file ends before. */
int fd_pread_full(int fd, void *buf, size_t len, off_t off);

/* Write all of buf, resuming after EINTR and short writes; waits when fd is non-blocking. */
int fd_write_full(int fd, const void *buf, size_t len);

/* Close *fd if it is open (>= 0) and set it to -1. */
void fd_close(int *fd);

#endif
