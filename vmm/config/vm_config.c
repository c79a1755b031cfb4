// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/vm_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE (4 * KIB)

void vm_config_init(struct vm_config *c)
{
	*c = (struct vm_config){
		.mem = VM_MEM_DEFAULT,
		.cpus = 1,
		.balloon = {.must_tell_host = true,
			    .stats = true,
			    .reporting = REPORTING_AUTO,
			    .hinting = true,
			    .poison = true},
		.reclaim = RECLAIM_AUTO,
		.console = CONSOLE_STDIO,
		.loglevel = LOG_WARN,
	};
}

bool vm_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > VM_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		/* Not isalnum(): a file name must not depend on the locale. */
		if (!isascii((unsigned char)name[i]) ||
		    (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i])))
			return false;
	}
	return true;
}

static int check_name(struct vm_config *c, struct err *err)
{
	if (!c->name[0])
		snprintf(c->name, sizeof(c->name), "vm-%d", (int)getpid());
	if (!vm_name_valid(c->name))
		return err_set(
			err, -EINVAL,
			"--name: '%s' is not accepted; give 1 to %d letters, digits, '.', "
			"'_' or '-', not starting with '.' or '-'",
			c->name, VM_NAME_MAX);
	return 0;
}

static int check_memory(struct vm_config *c, struct err *err)
{
	struct mem_config *m = &c->memory;
	char size[SIZE_TEXT], page[SIZE_TEXT];

	if (c->mem < VM_MEM_MIN || c->mem % PAGE)
		return err_set(err, -EINVAL,
			       "-m/--mem: %s; give at least %lluM, in steps of 4K",
			       size_format(c->mem, size), VM_MEM_MIN / MIB);
	if (m->backing != MEM_HUGETLB) {
		if (m->hugepage)
			return err_set(err, -EINVAL,
				       "-m/--mem: hugepage is for backing=hugetlb; give thp=on "
				       "for transparent huge pages");
		return 0;
	}
	if (!m->hugepage)
		m->hugepage = 2 * MIB;
	if (m->hugepage != 2 * MIB && m->hugepage != GIB)
		return err_set(err, -EINVAL, "-m/--mem: hugepage: %s; give 2M or 1G",
			       size_format(m->hugepage, page));
	if (m->thp != MEM_THP_DEFAULT)
		return err_set(err, -EINVAL,
			       "-m/--mem: thp is for backing=anon or memfd; hugetlb has huge "
			       "pages of its own");
	if (c->mem % m->hugepage)
		return err_set(err, -EINVAL,
			       "-m/--mem: size: %s; give a multiple of %s for backing=hugetlb",
			       size_format(c->mem, size), size_format(m->hugepage, page));
	return 0;
}

static int check_reporting(struct vm_config *c, struct err *err)
{
	const struct mem_config *m = &c->memory;
	struct balloon_config *b = &c->balloon;

	if (b->reporting == REPORTING_AUTO)
		b->reporting =
			m->backing == MEM_HUGETLB || m->prealloc ? REPORTING_OFF : REPORTING_ON;
	if (b->reporting == REPORTING_ON || (!b->reporting_min && !b->reporting_rate))
		return 0;
	return err_set(err, -EINVAL, "--balloon: %s needs reporting; give reporting=on",
		       b->reporting_min ? "reporting-min" : "reporting-rate");
}

static int check_balloon(struct vm_config *c, struct err *err)
{
	const struct balloon_config *b = &c->balloon;
	char size[SIZE_TEXT];

	if (!b->enabled)
		return 0;
	if (b->initial % PAGE)
		return err_set(err, -EINVAL, "--balloon: initial: %s; give a multiple of 4K",
			       size_format(b->initial, size));
	if (b->initial >= c->mem)
		return err_set(err, -EINVAL,
			       "--balloon: initial: give less than the VM's memory, %s",
			       size_format(c->mem, size));
	if (b->stats_interval && !b->stats)
		return err_set(err, -EINVAL,
			       "--balloon: stats-interval needs statistics; give stats=on");
	return check_reporting(c, err);
}

int vm_config_check(struct vm_config *c, struct err *err)
{
	int rc;

	if (!c->kernel || !c->kernel[0])
		return err_set(err, -EINVAL, "-k/--kernel is missing; give a kernel image");
	if (c->initrd && !c->initrd[0])
		return err_set(err, -EINVAL,
			       "-i/--initrd is empty; give a file or leave it out");
	if (c->pidfile && !c->pidfile[0])
		return err_set(err, -EINVAL, "--pidfile is empty; give a file or leave it out");
	if (c->dump_dtb && !c->dump_dtb[0])
		return err_set(err, -EINVAL,
			       "--dump-dtb is empty; give a file or leave it out");
	rc = check_memory(c, err);
	if (rc)
		return rc;
	if (c->cpus < 1 || c->cpus > VM_CPUS_MAX)
		return err_set(err, -EINVAL, "-c/--cpus: %u; give 1 to %d", c->cpus,
			       VM_CPUS_MAX);
	if (c->params && strlen(c->params) > VM_CMDLINE_MAX)
		return err_set(
			err, -EINVAL,
			"-p/--params: the kernel command line has %zu bytes; at most %d fit",
			strlen(c->params), VM_CMDLINE_MAX);
	rc = check_name(c, err);
	return rc ? rc : check_balloon(c, err);
}
