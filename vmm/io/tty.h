/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A terminal in raw mode that comes back whatever happens to the monitor, SIGKILL included.
 *
 * tty_raw() forks a guardian: a process in a group of its own with every signal blocked, so
 * that neither Ctrl-C, a hangup nor a kill of the monitor's process group reaches it. It holds
 * the terminal and the read end of a pipe whose only write end is the monitor's. The pipe ends
 * when the monitor does, in which way ever; then the guardian puts the saved modes back and
 * exits. It can't help when somebody kills both, as the kill of a whole cgroup does.
 *
 * The modes are put back only while the terminal is as tty_raw() left it: a shell that has
 * noticed the death earlier and set up its own modes isn't disturbed.
 */
#ifndef AEROSTAT_IO_TTY_H
#define AEROSTAT_IO_TTY_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "vmm/base/err.h"

/* All zero: nothing to restore. */
struct tty {
	bool active;
	int fd;
	int pipe; /* our end; when the last copy is closed the guardian acts */
	pid_t guardian;
	struct termios saved, raw;
};

/*
 * Make the terminal fd raw: every key goes to the guest, Ctrl-C too. Output processing stays
 * on, because the monitor's own messages end in a plain newline. fd stays open and the
 * caller's until tty_restore().
 *
 * Main thread, before any other thread exists (it forks), and before guest memory is mapped.
 * A child forked later without exec must close t->pipe. 0, or a negative errno with *err
 * filled (-ENOTTY: not a terminal) and nothing changed.
 */
int tty_raw(struct tty *t, int fd, struct err *err);

/* Put the modes back, end the guardian and reap it. Fine on an idle or all-zero *t. */
void tty_restore(struct tty *t);

#endif
