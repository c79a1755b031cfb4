// SPDX-License-Identifier: Apache-2.0
#include "vmm/ctl/rundir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/fd.h"

#define SUFFIX ".sock"

static const char *env(const char *var)
{
	const char *v = getenv(var);

	return v && *v ? v : NULL;
}

static int find(struct rundir *d, struct err *err)
{
	const char *own = env("AEROSTAT_RUNTIME_DIR");
	const char *xdg = env("XDG_RUNTIME_DIR");
	size_t len;
	int n;

	if (own && own[0] != '/')
		return err_set(err, -EINVAL,
			       "AEROSTAT_RUNTIME_DIR: '%s' is not an absolute path", own);
	if (own)
		n = snprintf(d->path, sizeof(d->path), "%s", own);
	else if (geteuid() == 0)
		n = snprintf(d->path, sizeof(d->path), "/run/aerostat");
	else if (xdg && xdg[0] == '/')
		n = snprintf(d->path, sizeof(d->path), "%s/aerostat", xdg);
	else
		n = snprintf(d->path, sizeof(d->path), "/tmp/aerostat-%u", geteuid());
	if (n < 0 || (size_t)n >= sizeof(d->path))
		return err_set(
			err, -ENAMETOOLONG,
			"the runtime directory's path is too long: %d bytes, at most %zu", n,
			sizeof(d->path) - 1);
	len = (size_t)n;
	while (len > 1 && d->path[len - 1] == '/')
		d->path[--len] = '\0';
	return 0;
}

static int check_owner(const struct rundir *d, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(err, -errno, "runtime directory '%s'", d->path);
	if (st.st_uid != geteuid())
		return err_set(err, -EPERM,
			       "runtime directory '%s' belongs to user %u, not to %u", d->path,
			       st.st_uid, geteuid());
	if (st.st_mode & 077)
		return err_set(
			err, -EPERM,
			"runtime directory '%s' is open to others (mode %03o, must be 700)",
			d->path, st.st_mode & 0777);
	return 0;
}

int rundir_open(struct rundir *d, bool create, struct err *err)
{
	int fd;
	int rc = find(d, err);

	if (rc)
		return rc;
	if (create && mkdir(d->path, 0700) && errno != EEXIST)
		return err_sys(err, -errno, "cannot create runtime directory '%s'", d->path);
	/* In /tmp anyone may have put a link there: never follow one. */
	fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !create)
		return 0;
	if (fd < 0)
		return err_sys(err, -errno, "runtime directory '%s'", d->path);
	rc = check_owner(d, fd, err);
	fd_close(&fd);
	return rc;
}

int rundir_socket(const struct rundir *d, const char *name, char out[RUNDIR_PATH_MAX],
		  struct err *err)
{
	int n;

	assert(vm_name_valid(name));
	n = snprintf(out, RUNDIR_PATH_MAX, "%s/%s" SUFFIX, d->path, name);
	if (n < 0 || n >= RUNDIR_PATH_MAX)
		return err_set(err, -ENAMETOOLONG,
			       "the socket path '%s/%s" SUFFIX "' is longer than %d bytes",
			       d->path, name, RUNDIR_PATH_MAX - 1);
	return 0;
}

/* The VM's name if the entry is one of our sockets. */
static bool vm_of(int dirfd, const char *entry, char name[VM_NAME_MAX + 1])
{
	size_t len = strlen(entry);
	struct stat st;

	if (len <= strlen(SUFFIX) || len > VM_NAME_MAX + strlen(SUFFIX) ||
	    strcmp(entry + len - strlen(SUFFIX), SUFFIX))
		return false;
	len -= strlen(SUFFIX);
	memcpy(name, entry, len);
	name[len] = '\0';
	return vm_name_valid(name) && !fstatat(dirfd, entry, &st, AT_SYMLINK_NOFOLLOW) &&
	       S_ISSOCK(st.st_mode);
}

/* strcmp order, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int rundir_each(const struct rundir *d, int (*fn)(void *opaque, const char *name), void *opaque,
		struct err *err)
{
	struct dirent **entries = NULL;
	int rc = 0;
	int dirfd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int n;

	if (dirfd < 0 && errno == ENOENT)
		return 0;
	if (dirfd < 0)
		return err_sys(err, -errno, "runtime directory '%s'", d->path);
	n = scandirat(dirfd, ".", &entries, NULL, by_name);
	if (n < 0)
		rc = err_sys(err, -errno, "runtime directory '%s'", d->path);
	for (int i = 0; i < n; i++) {
		char name[VM_NAME_MAX + 1];

		if (!rc && vm_of(dirfd, entries[i]->d_name, name))
			rc = fn(opaque, name);
		free(entries[i]);
	}
	free(entries);
	fd_close(&dirfd);
	return rc;
}
