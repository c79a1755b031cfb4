/* SPDX-License-Identifier: Apache-2.0 */
/* What a VM is to be: one plain struct, filled by the command line, checked once. */
#ifndef AEROSTAT_CONFIG_VM_CONFIG_H
#define AEROSTAT_CONFIG_VM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/err.h"
#include "vmm/base/log.h"
#include "vmm/base/size.h"

#define VM_NAME_MAX    64 /* characters */
#define VM_CPUS_MAX    255
#define VM_MEM_MIN     (32 * MIB)
#define VM_MEM_DEFAULT (256 * MIB)
#define VM_CMDLINE_MAX 2047 /* bytes without NUL; x86 boot protocol's cmdline_size */

/* Where guest memory comes from; gmem.h says what that means. */
enum mem_backing { MEM_ANON, MEM_MEMFD, MEM_HUGETLB };
enum mem_thp { MEM_THP_DEFAULT, MEM_THP_ON, MEM_THP_OFF };

struct mem_config {
	enum mem_backing backing;
	uint64_t hugepage; /* bytes, 2 MiB or 1 GiB; for MEM_HUGETLB only, else 0 */
	enum mem_thp thp;  /* transparent huge pages */
	bool prealloc;	   /* populated before the guest starts */
	bool lock;	   /* never swapped */
};

/* What gives guest memory back to the host, and when. See vmm/reclaim/reclaim.h. */
enum reclaim_kind {
	RECLAIM_AUTO,	/* as RECLAIM_URING where the host has a ring for us, else THREAD */
	RECLAIM_URING,	/* a thread, with long runs by io_uring */
	RECLAIM_THREAD, /* a thread */
	RECLAIM_SYNC,	/* the vCPU that sends the message, before it is answered */
	RECLAIM_NONE,	/* nothing is given back: for measuring the limit */
};

enum deflate_kind {
	DEFLATE_LAZY,	  /* pages that the guest takes back come when it touches them */
	DEFLATE_POPULATE, /* all of a message, before it is answered */
};

enum reporting_kind { REPORTING_OFF, REPORTING_ON, REPORTING_AUTO };

enum console_kind { CONSOLE_STDIO, CONSOLE_NONE };

struct balloon_config {
	bool enabled;
	uint64_t initial;	 /* bytes the balloon is asked to take from the start */
	bool must_tell_host;	 /* offer VIRTIO_BALLOON_F_MUST_TELL_HOST */
	bool stats;		 /* offer VIRTIO_BALLOON_F_STATS_VQ */
	bool deflate_on_oom;	 /* offer VIRTIO_BALLOON_F_DEFLATE_ON_OOM */
	uint32_t stats_interval; /* seconds between polls; 0: only on demand */
	enum deflate_kind deflate;
	uint64_t backlog; /* bytes that may wait to be given back; 0: the engine's default */
	/*
	 * Offer VIRTIO_BALLOON_F_REPORTING. REPORTING_AUTO: not for memory that is to be there
	 * come what may, hugetlb or prealloc, for what the guest reports may be gone for good.
	 */
	enum reporting_kind reporting;
	uint64_t reporting_min;	 /* bytes; smaller blocks of free memory are left alone */
	uint64_t reporting_rate; /* bytes a second; what is beyond is left alone; 0: no limit */
	bool hinting;		 /* offer VIRTIO_BALLOON_F_FREE_PAGE_HINT */
	bool poison;		 /* offer VIRTIO_BALLOON_F_PAGE_POISON */
};

struct vm_config {
	char name[VM_NAME_MAX + 1];
	const char *kernel; /* strings belong to the caller (argv) */
	const char *initrd; /* NULL: none */
	const char *params; /* kernel command line; NULL: none */
	uint64_t mem;	    /* bytes */
	struct mem_config memory;
	uint32_t cpus;
	struct balloon_config balloon;
	enum reclaim_kind reclaim;
	enum console_kind console;
	const char *pidfile;  /* NULL: none */
	const char *dump_dtb; /* where to write the guest's device tree; NULL: nowhere */
	enum log_level loglevel;
};

/* Defaults: 256 MiB, 1 vCPU, no balloon (but its keys at their defaults), stdio, LOG_WARN. */
void vm_config_init(struct vm_config *c);

/*
 * Check what no single option can: a kernel was named, sizes are multiples of 4 KiB and in
 * range, the keys of --mem fit each other, the balloon's initial target is below the memory
 * size, the command line's length. An empty name becomes "vm-<pid>", the size of huge pages
 * 2 MiB, REPORTING_AUTO on or off. 0, or -EINVAL with one line naming the option.
 */
int vm_config_check(struct vm_config *c, struct err *err);

/* [A-Za-z0-9_][A-Za-z0-9._-]*, 1 to VM_NAME_MAX characters: safe as a file name. */
bool vm_name_valid(const char *name);

#endif
