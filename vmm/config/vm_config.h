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

enum console_kind { CONSOLE_STDIO, CONSOLE_NONE };

struct balloon_config {
	bool enabled;
	uint64_t initial;	 /* bytes the balloon is asked to take from the start */
	bool must_tell_host;	 /* offer VIRTIO_BALLOON_F_MUST_TELL_HOST */
	bool stats;		 /* offer VIRTIO_BALLOON_F_STATS_VQ */
	bool deflate_on_oom;	 /* offer VIRTIO_BALLOON_F_DEFLATE_ON_OOM */
	uint32_t stats_interval; /* seconds between polls; 0: only on demand */
};

struct vm_config {
	char name[VM_NAME_MAX + 1];
	const char *kernel; /* strings belong to the caller (argv) */
	const char *initrd; /* NULL: none */
	const char *params; /* kernel command line; NULL: none */
	uint64_t mem;	    /* bytes */
	uint32_t cpus;
	struct balloon_config balloon;
	enum console_kind console;
	const char *pidfile; /* NULL: none */
	enum log_level loglevel;
};

/* Defaults: 256 MiB, 1 vCPU, no balloon (but its keys at their defaults), stdio, LOG_WARN. */
void vm_config_init(struct vm_config *c);

/*
 * Check what no single option can: a kernel was named, sizes are multiples of 4 KiB and in
 * range, the balloon's initial target is below the memory size, the command line's length.
 * An empty name becomes "vm-<pid>". 0, or -EINVAL with one line naming the option.
 */
int vm_config_check(struct vm_config *c, struct err *err);

/* [A-Za-z0-9_][A-Za-z0-9._-]*, 1 to VM_NAME_MAX characters: safe as a file name. */
bool vm_name_valid(const char *name);

#endif
