// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/fd.h"

/* Fill a new file beside the wanted one and note which it is. */
static int write_new(struct pidfile *p, const char *path)
{
	char text[24];
	struct stat st;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int rc;

	if (fd < 0)
		return -errno;
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	rc = fd_write_full(fd, text, strlen(text));
	if (!rc && fstat(fd, &st))
		rc = -errno;
	/* Some file systems tell of a full disk only now. */
	if (close(fd) && !rc)
		rc = -errno;
	if (rc) {
		unlink(path);
		return rc;
	}
	p->dev = st.st_dev;
	p->ino = st.st_ino;
	return 0;
}

int pidfile_create(struct pidfile *p, const char *path, struct err *err)
{
	char fresh[PATH_MAX];
	struct stat st;
	int rc;
	int n = snprintf(fresh, sizeof(fresh), "%s.%d", path, (int)getpid());

	p->path = NULL;
	if (n < 0 || (size_t)n >= sizeof(fresh))
		return err_sys(err, -ENAMETOOLONG, "--pidfile '%.80s'", path);
	/* rename() would replace a device or a link as readily as a file. */
	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		return err_set(err, -EEXIST, "--pidfile '%s' is not a regular file", path);
	rc = write_new(p, fresh);
	if (!rc && rename(fresh, path)) {
		rc = -errno;
		unlink(fresh);
	}
	if (rc)
		return err_sys(err, rc, "--pidfile '%s'", path);
	p->path = path;
	return 0;
}

void pidfile_remove(struct pidfile *p)
{
	struct stat st;

	if (p->path && !lstat(p->path, &st) && st.st_dev == p->dev && st.st_ino == p->ino)
		unlink(p->path);
	p->path = NULL;
}
