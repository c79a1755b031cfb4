// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"

#define BACKLOG 64
/* The lock is held for a few system calls: who waits longer waits for a stopped process. */
#define LOCK_TIMEOUT_MS 5000
#define RETRY_MS	5

uint64_t endpoint_deadline(int timeout_ms)
{
	if (timeout_ms < 0)
		return ENDPOINT_NEVER;
	return clock_now_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
}

/* Milliseconds left, for poll(): rounded up so that it doesn't spin, at most an hour. */
static int ms_left(uint64_t deadline_ns)
{
	const uint64_t hour = 3600 * NSEC_PER_SEC;
	uint64_t now = clock_now_ns();

	if (now >= deadline_ns)
		return 0;
	if (deadline_ns - now > hour)
		return (int)(hour / NSEC_PER_MSEC);
	return (int)((deadline_ns - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

bool endpoint_expired(uint64_t deadline_ns)
{
	return clock_now_ns() >= deadline_ns;
}

int endpoint_wait(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	for (;;) {
		int left = ms_left(deadline_ns);
		int n = poll(&pfd, 1, left);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!left)
			return -ETIMEDOUT;
	}
}

static void nap(void)
{
	struct timespec ts = {.tv_nsec = RETRY_MS * (long)NSEC_PER_MSEC};

	nanosleep(&ts, NULL);
}

/* The locked directory (closing it unlocks), or a negative errno. */
static int lock_dir(const struct rundir *d, uint64_t deadline_ns)
{
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		int rc = errno == EWOULDBLOCK ? 0 : -errno;

		if (!rc && endpoint_expired(deadline_ns))
			rc = -ETIMEDOUT;
		if (rc) {
			fd_close(&fd);
			return rc;
		}
		nap();
	}
	return fd;
}

static struct sockaddr_un address(const char path[RUNDIR_PATH_MAX])
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	_Static_assert(sizeof(sun.sun_path) >= RUNDIR_PATH_MAX, "a path fits sun_path");
	memcpy(sun.sun_path, path, strlen(path));
	return sun;
}

/*
 * One attempt: a descriptor, -EAGAIN when the VM's backlog is full, -ECONNREFUSED when nobody
 * listens, -ENOENT, ...
 */
static int try_connect(const char path[RUNDIR_PATH_MAX])
{
	struct sockaddr_un sun = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
		int rc = -errno;

		fd_close(&fd);
		return rc;
	}
	return fd;
}

/*
 * Remove the socket if it is stale. 0: nothing is there (any more); -EEXIST: a VM lives;
 * or another negative errno. The directory is locked.
 */
static int reap(const char path[RUNDIR_PATH_MAX])
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	/* connect() refuses other files too, and those aren't ours to remove. */
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	fd = try_connect(path);
	if (fd >= 0 || fd == -EAGAIN) {
		fd_close(&fd);
		return -EEXIST;
	}
	if (fd == -ECONNREFUSED && unlink(path))
		return -errno;
	return fd == -ECONNREFUSED || fd == -ENOENT ? 0 : fd;
}

static int bind_locked(struct endpoint *e)
{
	struct sockaddr_un sun = address(e->path);
	struct stat st;
	int rc = 0;

	e->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		return -errno;
	if (bind(e->fd, (struct sockaddr *)&sun, sizeof(sun))) {
		rc = -errno;
		fd_close(&e->fd);
		return rc;
	}
	/* Nobody can connect before listen(), so the mode is right from the start. */
	if (chmod(e->path, 0600) || lstat(e->path, &st) || listen(e->fd, BACKLOG)) {
		rc = -errno;
		unlink(e->path);
		fd_close(&e->fd);
		return rc;
	}
	e->dev = st.st_dev;
	e->ino = st.st_ino;
	return 0;
}

int endpoint_listen(struct endpoint *e, const struct rundir *d, const char *name,
		    struct err *err)
{
	int lock;
	int rc;

	*e = (struct endpoint){.fd = -1, .dir = *d};
	rc = rundir_socket(d, name, e->path, err);
	if (rc)
		return rc;
	lock = lock_dir(d, endpoint_deadline(LOCK_TIMEOUT_MS));
	if (lock < 0)
		return err_sys(err, lock, "cannot lock runtime directory '%s'", d->path);
	rc = reap(e->path);
	if (!rc)
		rc = bind_locked(e);
	fd_close(&lock);
	if (rc == -EEXIST)
		return err_set(err, rc, "a VM named '%s' is running", name);
	if (rc)
		return err_sys(err, rc, "cannot listen on '%s'", e->path);
	return 0;
}

void endpoint_close(struct endpoint *e)
{
	struct stat st;
	int lock;

	if (e->fd < 0)
		return;
	lock = lock_dir(&e->dir, endpoint_deadline(LOCK_TIMEOUT_MS));
	/* While fd is open its inode number can't be given to another file. */
	if (lock >= 0 && !lstat(e->path, &st) && st.st_dev == e->dev && st.st_ino == e->ino)
		unlink(e->path);
	fd_close(&e->fd);
	fd_close(&lock);
}

/* Nobody listens: make sure, and clean up. 0 when somebody does now. */
static int refused(const struct rundir *d, const char *path, uint64_t deadline_ns)
{
	int lock = lock_dir(d, deadline_ns);
	int rc;

	if (lock < 0)
		return lock;
	rc = reap(path);
	fd_close(&lock);
	if (rc == -EEXIST)
		return 0;
	return rc ? rc : -ECONNREFUSED;
}

int endpoint_connect(const struct rundir *d, const char *name, uint64_t deadline_ns,
		     struct err *err)
{
	char path[RUNDIR_PATH_MAX];
	int rc;

	if (!vm_name_valid(name))
		return err_set(err, -EINVAL, "'%s' is not the name of a VM", name);
	rc = rundir_socket(d, name, path, err);
	if (rc)
		return rc;
	for (;;) {
		rc = try_connect(path);
		if (rc == -ECONNREFUSED)
			rc = refused(d, path, deadline_ns);
		else if (rc == -EAGAIN)
			rc = endpoint_expired(deadline_ns) ? -ETIMEDOUT : 0;
		else if (rc >= 0)
			return rc;
		if (rc)
			break;
		nap();
	}
	if (rc == -ENOENT)
		return err_set(err, rc, "no VM named '%s' is running", name);
	if (rc == -ECONNREFUSED)
		return err_set(err, rc, "VM '%s' is dead: its stale socket has been removed",
			       name);
	if (rc == -ETIMEDOUT)
		return err_set(err, rc, "VM '%s' does not answer", name);
	return err_sys(err, rc, "cannot connect to '%s'", path);
}
