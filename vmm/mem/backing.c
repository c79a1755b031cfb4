// SPDX-License-Identifier: Apache-2.0
#include "vmm/mem/backing.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/fd.h"
#include "vmm/base/size.h"

/* Linux 5.14 and 5.18, include/uapi/asm-generic/mman-common.h. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif

static unsigned log2_of(uint64_t power_of_two)
{
	return (unsigned)__builtin_ctzll(power_of_two);
}

/* ---- what the host has ---- */

/* The first line of a file of sysfs, or false. */
static bool read_line(const char *path, char *line, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(line, (int)cap, f) != NULL;
	fclose(f);
	return ok;
}

static int64_t pool_number(uint64_t size, const char *what)
{
	char path[96], line[32];
	long long v;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/%s",
		 (unsigned long long)(size / KIB), what);
	return read_line(path, line, sizeof(line)) && sscanf(line, "%lld", &v) == 1 ? v : -1;
}

uint64_t backing_host_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

int64_t backing_hugepages_free(uint64_t size)
{
	int64_t free = pool_number(size, "free_hugepages");
	int64_t reserved = pool_number(size, "resv_hugepages");

	if (free < 0 || reserved < 0)
		return -1;
	return free > reserved ? free - reserved : 0;
}

/* Is the word in brackets, which is the one in force, one of these? */
static bool chosen(const char *line, const char *const *words)
{
	for (; *words; words++) {
		char bracketed[32];

		snprintf(bracketed, sizeof(bracketed), "[%s]", *words);
		if (strstr(line, bracketed))
			return true;
	}
	return false;
}

#define THP "/sys/kernel/mm/transparent_hugepage/"

/* Is the setting that holds for such memory one of these words? *path: the file it is in. */
static bool thp_setting(enum gmem_backing backing, const char *const *words, const char **path)
{
	static const char *const inherit[] = {"inherit", NULL};
	bool file = backing == GMEM_MEMFD;
	const char *by_size =
		file ? THP "hugepages-2048kB/shmem_enabled" : THP "hugepages-2048kB/enabled";
	char line[128];

	/* Since Linux 6.8 each size has a setting of its own, which may point to the old one.
	 */
	*path = by_size;
	if (read_line(by_size, line, sizeof(line)) && !chosen(line, inherit))
		return chosen(line, words);
	*path = file ? THP "shmem_enabled" : THP "enabled";
	return read_line(*path, line, sizeof(line)) && chosen(line, words);
}

bool backing_thp_allowed(enum gmem_backing backing, const char **path)
{
	static const char *const anon[] = {"always", "madvise", NULL};
	static const char *const shared[] = {"always", "within_size", "advise", "force", NULL};

	return thp_setting(backing, backing == GMEM_MEMFD ? shared : anon, path);
}

bool backing_thp_default(enum gmem_backing backing)
{
	static const char *const words[] = {"always", "within_size", "force", NULL};
	const char *path;

	return thp_setting(backing, words, &path);
}

/* ---- mapping ---- */

static int open_file(struct gmem_region *r, const struct gmem_config *cfg, struct err *err)
{
	unsigned flags = MFD_CLOEXEC;
	char text[SIZE_TEXT];
	int rc;

	if (cfg->backing == GMEM_HUGETLB)
		flags |= MFD_HUGETLB | log2_of(cfg->hugepage) << MFD_HUGE_SHIFT;
	r->fd = memfd_create("guest-memory", flags);
	if (r->fd >= 0 && !ftruncate(r->fd, (off_t)(r->fd_off + r->len)))
		return 0;
	rc = -errno;
	fd_close(&r->fd);
	return err_sys(err, rc, "cannot make a file of %s for guest memory",
		       size_format(r->len, text));
}

/*
 * Find addresses for the region where hva and gpa agree modulo `align`. What is reserved on
 * both sides stays so: running over an end of guest memory is a fault, not another mapping.
 */
static int reserve(struct gmem_region *r, uint64_t align)
{
	uint64_t lowest;
	void *p;

	r->reserved_len = r->len + align + 2 * GMEM_PAGE_SIZE;
	p = mmap(NULL, r->reserved_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	r->reserved = p;
	lowest = (uintptr_t)p + GMEM_PAGE_SIZE;
	r->hva = (uint8_t *)(uintptr_t)(lowest + ((r->gpa - lowest) & (align - 1)));
	return 0;
}

static int place(struct gmem_region *r)
{
	int flags = MAP_FIXED;
	void *p;

	/*
	 * Without MAP_NORESERVE mmap takes the huge pages out of the pool, so that a fault
	 * later finds one. Ordinary memory is not worth a promise that the host may refuse.
	 */
	if (r->backing == GMEM_ANON)
		flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	else
		flags |= MAP_SHARED | (r->backing == GMEM_MEMFD ? MAP_NORESERVE : 0);
	p = mmap(r->hva, r->len, PROT_READ | PROT_WRITE, flags, r->fd, (off_t)r->fd_off);
	return p == MAP_FAILED ? -errno : 0;
}

static void advise(struct gmem_region *r, const struct gmem_config *cfg)
{
	/* Guest memory in a core file would be the guest's secrets, and gigabytes. */
	madvise(r->hva, r->len, MADV_DONTDUMP);
	if (cfg->backing == GMEM_HUGETLB || cfg->thp == GMEM_THP_DEFAULT)
		return;
	/* Without transparent huge pages in the kernel there are none: which is what off means.
	 */
	madvise(r->hva, r->len, cfg->thp == GMEM_THP_ON ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

int backing_map(struct gmem_region *r, const struct gmem_config *cfg, struct err *err)
{
	uint64_t page = cfg->backing == GMEM_HUGETLB ? cfg->hugepage : backing_host_page();
	uint64_t align = page > BACKING_ALIGN ? page : BACKING_ALIGN;
	char text[SIZE_TEXT];
	int rc;

	assert(!(page & (page - 1)) && !(r->gpa % page) && !(r->len % page));
	r->backing = cfg->backing;
	r->page_shift = log2_of(page);
	r->dontneed = MADV_DONTNEED;
	r->fd = -1;
	r->fd_off = cfg->backing == GMEM_MEMFD ? r->gpa % BACKING_ALIGN : 0;
	rc = reserve(r, align);
	if (!rc && cfg->backing != GMEM_ANON) {
		rc = open_file(r, cfg, err);
		if (rc) {
			backing_unmap(r);
			return rc;
		}
	}
	if (!rc)
		rc = place(r);
	if (rc) {
		backing_unmap(r);
		return err_sys(err, rc, "cannot map %s of guest memory",
			       size_format(r->len, text));
	}
	advise(r, cfg);
	return 0;
}

void backing_unmap(struct gmem_region *r)
{
	if (r->reserved)
		munmap(r->reserved, r->reserved_len);
	r->reserved = NULL;
	fd_close(&r->fd);
}

/* ---- locked and populated ---- */

int backing_lock(struct gmem_region *r, struct err *err)
{
	struct rlimit limit = {0};
	char size[SIZE_TEXT], most[SIZE_TEXT];
	int rc;

	if (r->backing == GMEM_HUGETLB)
		return 0; /* never swapped anyway */
	/* On fault: a guest that doesn't use its memory should not occupy the host's. */
	if (mlock2(r->hva, r->len, MLOCK_ONFAULT)) {
		rc = -errno;
		getrlimit(RLIMIT_MEMLOCK, &limit);
		return err_sys(err, rc,
			       "-m/--mem: lock=on: cannot lock %s with a limit of %s (ulimit "
			       "-l) and without CAP_IPC_LOCK",
			       size_format(r->len, size), size_format(limit.rlim_cur, most));
	}
	/* Nothing is there yet to be lost by the question. */
	if (!madvise(r->hva, GMEM_PAGE_SIZE, MADV_DONTNEED_LOCKED))
		r->dontneed = MADV_DONTNEED_LOCKED;
	return 0;
}

static int touch(const struct gmem_region *r)
{
	volatile uint8_t *p = r->hva;

	for (uint64_t off = 0; off < r->len; off += GMEM_PAGE_SIZE) {
		uint8_t v = p[off];

		p[off] = v;
	}
	return 0;
}

int backing_populate(const struct gmem_region *r)
{
	int rc;

	do {
		rc = madvise(r->hva, r->len, MADV_POPULATE_WRITE) ? -errno : 0;
	} while (rc == -EINTR);
	if (rc != -EINVAL)
		return rc;
	/* Before Linux 5.14. A huge page that can't be had is SIGBUS for who touches it. */
	if (r->backing != GMEM_HUGETLB)
		return touch(r);
	return fallocate(r->fd, 0, (off_t)r->fd_off, (off_t)r->len) ? -errno : 0;
}

int backing_discard(const struct gmem_region *r, bool unlock)
{
	int rc;

	if (r->backing != GMEM_ANON)
		return fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 (off_t)r->fd_off, (off_t)r->len)
			       ? -errno
			       : 0;
	/* By its number: under AddressSanitizer munlock() does nothing, unlike mlock2(). */
	if (unlock && syscall(SYS_munlock, r->hva, r->len))
		return -errno;
	rc = madvise(r->hva, r->len, r->dontneed) ? -errno : 0;
	if (unlock && mlock2(r->hva, r->len, MLOCK_ONFAULT) && !rc)
		rc = -errno;
	return rc;
}

int backing_reserve(const struct gmem_region *r)
{
	void *p;

	if (r->backing != GMEM_HUGETLB)
		return 0;
	/* A shared mapping reserves for the file, which keeps it when the mapping goes. */
	p = mmap(NULL, r->len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, (off_t)r->fd_off);
	if (p == MAP_FAILED)
		return -errno;
	munmap(p, r->len);
	return 0;
}
