// SPDX-License-Identifier: Apache-2.0
#include "guest/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

void sys_drain(void)
{
	tcdrain(STDOUT_FILENO);
}

void say(const char *fmt, ...)
{
	char line[SYS_LINE_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	if (len > (int)sizeof(line) - 1)
		len = sizeof(line) - 1;
	line[len++] = '\n';
	/* A console that takes nothing leaves nobody to tell. */
	if (write(STDOUT_FILENO, line, len) < 0)
		return;
}

void sys_open_console(void)
{
	struct termios t;
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		return;
	for (int std = 0; std <= 2; std++)
		if (fd != std)
			dup2(fd, std);
	if (fd > 2)
		close(fd);

	if (tcgetattr(STDIN_FILENO, &t))
		return;
	t.c_lflag &= ~(ECHO | ECHONL | ISIG);
	t.c_oflag &= ~OPOST;
	t.c_iflag |= ICRNL;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

long sys_read_file(const char *path, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		if (n == 0)
			break;
		len += n;
	}
	close(fd);
	buf[len] = '\0';
	return len;
}

int sys_write_file(const char *path, const char *text)
{
	char line[SYS_LINE_MAX];
	int len = snprintf(line, sizeof(line), "%s\n", text);
	int fd, err;

	if (len < 0 || len >= (int)sizeof(line))
		return -E2BIG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write(fd, line, len) < 0 ? -errno : 0;
	close(fd);
	return err;
}

uint64_t sys_meminfo_kib(const char *field)
{
	char buf[4096];
	size_t len = strlen(field);

	if (sys_read_file("/proc/meminfo", buf, sizeof(buf)) < 0)
		return 0;
	for (char *line = buf; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, field, len) && line[len] == ':')
			return strtoull(line + len + 1, NULL, 10);
	}
	return 0;
}

int sys_load_module(const char *name)
{
	char path[256];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/modules/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		err = -errno;
	close(fd);
	return err;
}

int sys_unload_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

int sys_kexec_load(const char *kernel, const char *initrd)
{
	char cmdline[SYS_LINE_MAX];
	long len = sys_read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	int kernel_fd = open(kernel, O_RDONLY | O_CLOEXEC);
	int initrd_fd = open(initrd, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (len < 0)
		err = len;
	else if (kernel_fd < 0 || initrd_fd < 0)
		err = -ENOENT;
	if (!err) {
		cmdline[strcspn(cmdline, "\n")] = '\0';
		if (syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, strlen(cmdline) + 1,
			    cmdline, 0ul))
			err = -errno;
	}
	if (kernel_fd >= 0)
		close(kernel_fd);
	if (initrd_fd >= 0)
		close(initrd_fd);
	return err;
}

int sys_kexec(void)
{
	return reboot(LINUX_REBOOT_CMD_KEXEC) ? -errno : 0;
}

uint64_t sys_clock_ms(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
