/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest's init wants from its kernel: console lines, small files, modules. */
#ifndef AEROSTAT_GUEST_SYS_H
#define AEROSTAT_GUEST_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYS_LINE_MAX 2000 /* bytes of a console line, the newline included */

/* Waits until everything written to the console was sent, as before a power-off. */
void sys_drain(void);

/* One line on the console in a single write. Too long a line is cut. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Make /dev/console stdin, stdout and stderr, without echo and output processing, but with line
 * editing, so that a read gives a line. Without a console, /dev/null takes its place.
 */
void sys_open_console(void);

/*
 * The first bytes of a file as a string, at most size - 1 of them.
 * Returns their number, or a negative errno.
 */
long sys_read_file(const char *path, char *buf, size_t size);

/* Write text and a newline with one write, as sysfs and procfs want it. 0 or a negative errno.
 */
int sys_write_file(const char *path, const char *text);

/* A field of /proc/meminfo by name, such as "MemFree", in KiB; 0 when there is none. */
uint64_t sys_meminfo_kib(const char *field);

/* Load /modules/NAME.ko. 0 (also when it is loaded already) or a negative errno. */
int sys_load_module(const char *name);

/* 0 or a negative errno. */
int sys_unload_module(const char *name);

/*
 * Load a kernel and its initrd from files, to be started by sys_kexec() with the command line
 * of this one. 0 or a negative errno.
 */
int sys_kexec_load(const char *kernel, const char *initrd);

/* Start it, without a reset of the machine. Returns a negative errno if it can't. */
int sys_kexec(void);

/* Milliseconds of a clock such as CLOCK_BOOTTIME. */
uint64_t sys_clock_ms(int clock);

#endif
