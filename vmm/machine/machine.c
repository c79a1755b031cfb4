// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/machine/private.h"

static int open_image(const char *option, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, -errno, "%s '%s'", option, path) : fd;
}

static int open_images(struct machine *m, struct err *err)
{
	m->kernel_fd = open_image("--kernel", m->cfg->kernel, err);
	if (m->kernel_fd < 0)
		return m->kernel_fd;
	if (!m->cfg->initrd)
		return 0;
	m->initrd_fd = open_image("--initrd", m->cfg->initrd, err);
	return m->initrd_fd < 0 ? m->initrd_fd : 0;
}

static int create_memory(struct machine *m, struct err *err)
{
	static const enum gmem_backing backing[] = {
		[MEM_ANON] = GMEM_ANON, [MEM_MEMFD] = GMEM_MEMFD, [MEM_HUGETLB] = GMEM_HUGETLB};
	static const enum gmem_thp thp[] = {[MEM_THP_DEFAULT] = GMEM_THP_DEFAULT,
					    [MEM_THP_ON] = GMEM_THP_ON,
					    [MEM_THP_OFF] = GMEM_THP_OFF};
	const struct mem_config *c = &m->cfg->memory;
	const struct gmem_config config = {.backing = backing[c->backing],
					   .hugepage = c->hugepage,
					   .thp = thp[c->thp],
					   .prealloc = c->prealloc,
					   .lock = c->lock};
	struct gmem_span spans[GMEM_MAX_REGIONS];
	unsigned n;
	int rc = arch_ram_layout(m->cfg->mem, spans, &n, err);

	if (!rc)
		rc = arch_host_init(&m->host, m->cfg->mem, err);
	if (!rc)
		rc = gmem_create_with(&m->mem, spans, n, &config, err);
	if (!rc && m->cfg->balloon.enabled && !m->mem.discards)
		return err_set(err, -EOPNOTSUPP,
			       "-m/--mem: lock=on: this kernel cannot take back locked memory "
			       "(Linux 5.18 can); leave out lock=on or --balloon, or give "
			       "backing=memfd");
	return rc;
}

static int create_wake(struct machine *m, struct err *err)
{
	int rc;

	m->wake_fd = fd_eventfd();
	rc = m->wake_fd < 0 ? m->wake_fd
			    : loop_add(m->loop, m->wake_fd, EPOLLIN, machine_on_wake, m);
	return rc < 0 ? err_sys(err, rc, "cannot watch the vCPUs") : 0;
}

struct machine *machine_create(const struct vm_config *cfg, struct loop *loop, struct err *err)
{
	struct machine *m = calloc(1, sizeof(*m));
	int rc;

	if (!m) {
		err_sys(err, -ENOMEM, "cannot allocate the machine");
		return NULL;
	}
	m->cfg = cfg;
	m->loop = loop;
	m->kernel_fd = m->initrd_fd = m->host.fd = m->vm.fd = -1;
	machine_irqs_init(m);
	m->wake_fd = m->change_fd = m->look_fd = m->stats_bell.fd = m->trim.hint_fd = -1;

	rc = open_images(m, err);
	if (!rc)
		rc = kvm_host_open(&m->host, err);
	if (!rc)
		rc = create_memory(m, err);
	if (!rc)
		rc = create_wake(m, err);
	if (!rc)
		rc = machine_devices_create(m, err);
	if (!rc)
		rc = machine_vm_create(m, err);
	if (rc) {
		machine_destroy(m);
		return NULL;
	}
	return m;
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	machine_trim_abort(m, "the VM has ended");
	machine_vm_destroy(m);
	machine_devices_destroy(m);
	if (m->wake_fd >= 0)
		loop_del(m->loop, m->wake_fd);
	fd_close(&m->wake_fd);
	gmem_destroy(&m->mem);
	kvm_host_close(&m->host);
	fd_close(&m->initrd_fd);
	fd_close(&m->kernel_fd);
	free(m);
}

void machine_listen(struct machine *m, machine_event_fn fn, void *opaque)
{
	m->listener = fn;
	m->listener_opaque = opaque;
}

struct balloon *machine_balloon(struct machine *m)
{
	return m->balloon;
}

enum machine_state machine_state(const struct machine *m)
{
	return m->state;
}

const struct vm_config *machine_config(const struct machine *m)
{
	return m->cfg;
}

enum machine_exit machine_exit_status(const struct machine *m)
{
	return m->exit_status;
}

const char *machine_report(const struct machine *m)
{
	return m->report;
}

int machine_set_stats_interval(struct machine *m, uint32_t seconds)
{
	if (!m->balloon)
		return -ENODEV;
	balloon_set_stats_interval(m->balloon, seconds);
	loop_timer_set(m->stats_timer, seconds * NSEC_PER_SEC, seconds * NSEC_PER_SEC);
	return 0;
}

/* Bytes of this process that are resident, from /proc/self/statm (pages). */
static uint64_t process_resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void machine_query(struct machine *m, struct machine_info *out)
{
	struct console_stats con;
	uint64_t rss, guest;

	*out = (struct machine_info){
		.state = m->state,
		.name = m->cfg->name,
		.mem = m->cfg->mem,
		.cpus = m->cfg->cpus,
		.exits = m->past_exits + vcpus_exits(&m->vcpus),
		.uptime_ms = m->start_ns ? (clock_now_ns() - m->start_ns) / NSEC_PER_MSEC : 0,
		.resets = m->resets,
	};
	out->resident = gmem_resident(&m->mem);
	rss = process_resident();
	guest = gmem_resident_in_rss(&m->mem, out->resident);
	out->overhead = rss > guest ? rss - guest : 0;
	gmem_query(&m->mem, &out->memory);
	console_get_stats(m->console, &con);
	out->console_out = con.out;
	out->console_dropped = con.dropped;
}
