// SPDX-License-Identifier: Apache-2.0
/* Everything on the buses: the platform's own devices, and virtio in its slots. */
#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/machine/private.h"

static void wish_reset(void *opaque)
{
	machine_wish(opaque, WISH_RESET);
}

static void wish_poweroff(void *opaque)
{
	machine_wish(opaque, WISH_POWEROFF);
}

static const struct pm_ops pm_ops = {.poweroff = wish_poweroff, .reset = wish_reset};

static void on_console_quit(void *opaque)
{
	machine_quit(opaque);
}

static int create_console(struct machine *m, struct err *err)
{
	bool stdio = m->cfg->console == CONSOLE_STDIO;
	bool terminal = stdio && isatty(STDIN_FILENO);
	int rc = terminal ? tty_raw(&m->tty, STDIN_FILENO, err) : 0;

	if (rc)
		return rc;
	m->console =
		console_create(m->loop, stdio ? STDIN_FILENO : -1, stdio ? STDOUT_FILENO : -1,
			       terminal, on_console_quit, m, err);
	return m->console ? 0 : -EIO;
}

static int create_plic(struct machine *m, const struct arch_dev *dev)
{
	assert(dev->len >= PLIC_LEN(m->cfg->cpus));
	m->plic = plic_create(m->cfg->cpus, machine_plic_output, m);
	return m->plic ? bus_add(&m->mmio, dev->base, dev->len, &plic_bus_ops, m->plic)
		       : -ENOMEM;
}

static int create_platform_device(struct machine *m, const struct arch_dev *dev,
				  struct err *err)
{
	struct bus *bus = dev->pio ? &m->pio : &m->mmio;
	struct irq_line *irq = NULL;
	int rc = dev->has_irq ? machine_irqs_add(m, dev->gsi, &irq, err) : 0;

	if (rc)
		return rc;
	switch (dev->kind) {
	case ARCH_DEV_SERIAL:
		m->serial = serial_create(m->console, irq);
		if (!m->serial)
			return err_sys(err, -ENOMEM, "cannot create the serial port");
		rc = bus_add(bus, dev->base, dev->len, &serial_bus_ops, m->serial);
		break;
	case ARCH_DEV_I8042:
		m->i8042 = (struct i8042){.reset = wish_reset, .opaque = m};
		rc = bus_add(bus, dev->base, dev->len, &i8042_bus_ops, &m->i8042);
		break;
	case ARCH_DEV_PM:
		pm_init(&m->pm, &pm_ops, m, irq);
		m->has_pm = true;
		rc = bus_add(bus, dev->base, dev->len, &pm_bus_ops, &m->pm);
		break;
	case ARCH_DEV_PLIC:
		rc = m->host.irqs == KVM_IRQS_VCPU ? create_plic(m, dev) : 0;
		break;
	}
	return rc ? err_sys(err, rc, "cannot place a device at %#llx",
			    (unsigned long long)dev->base)
		  : 0;
}

/* ---- the balloon ---- */

static void balloon_changed(void *opaque)
{
	struct machine *m = opaque;

	m->last_change_ns = clock_now_ns();
	balloon_change_taken(m->balloon);
	machine_emit(m, MACHINE_EV_BALLOON);
}

/* Tell at most once a second: `actual` changes with every MiB, listeners are slow. */
static void on_change(void *opaque, uint32_t events)
{
	struct machine *m = opaque;
	uint64_t age = clock_now_ns() - m->last_change_ns;

	(void)events;
	fd_drain(m->change_fd);
	if (age >= NSEC_PER_SEC)
		balloon_changed(m);
	else
		loop_timer_set(m->change_timer, NSEC_PER_SEC - age, 0);
}

static void poll_stats(void *opaque)
{
	struct machine *m = opaque;

	/* Without a driver, or while the last answer is still due, there is nothing to ask. */
	balloon_stats_request(m->balloon);
}

/*
 * The guest answered with statistics: nothing a vCPU should wait for. Whatever number the other
 * queues have, this is that of statistics; a driver that declines them may have something else
 * there (queues.h), which is then kicked this way as well.
 */
static void on_stats_bell(void *opaque, uint32_t events)
{
	struct machine *m = opaque;
	struct virtio_device *dev = balloon_virtio(m->balloon);

	(void)events;
	fd_drain(m->stats_bell.fd);
	virtio_lock(dev);
	virtio_kick(dev, m->stats_bell.queue);
	virtio_unlock(dev);
}

/* Called by a vCPU's thread, which is why it is no timer of the loop's. */
static void set_look(void *opaque)
{
	const struct machine *m = opaque;
	const struct itimerspec its = {.it_value.tv_nsec = VIRTIO_LOOK_NS};

	timerfd_settime(m->look_fd, 0, &its, NULL);
}

static void on_look(void *opaque, uint32_t events)
{
	struct machine *m = opaque;

	(void)events;
	fd_drain(m->look_fd);
	virtio_look(balloon_virtio(m->balloon));
}

static int create_look(struct machine *m)
{
	m->look_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return m->look_fd < 0 ? -errno : loop_add(m->loop, m->look_fd, EPOLLIN, on_look, m);
}

static int create_balloon_plumbing(struct machine *m)
{
	m->change_fd = fd_eventfd();
	if (m->change_fd < 0)
		return m->change_fd;
	m->change_timer = loop_timer_create(m->loop, balloon_changed, m);
	m->stats_timer = loop_timer_create(m->loop, poll_stats, m);
	if (!m->change_timer || !m->stats_timer)
		return -errno;
	return loop_add(m->loop, m->change_fd, EPOLLIN, on_change, m);
}

static int create_stats_bell(struct machine *m, uint64_t gpa)
{
	m->stats_bell.fd = fd_eventfd();
	if (m->stats_bell.fd < 0)
		return m->stats_bell.fd;
	m->stats_bell.gpa = gpa + VIRTIO_MMIO_NOTIFY;
	m->stats_bell.queue = BALLOON_VQ_STATS;
	return loop_add(m->loop, m->stats_bell.fd, EPOLLIN, on_stats_bell, m);
}

static int create_balloon(struct machine *m, struct err *err)
{
	const struct arch_slot slot = arch_virtio_slot(0);
	const struct reclaim_config reclaim = {.kind = m->cfg->reclaim,
					       .backlog_max = m->cfg->balloon.backlog};
	struct balloon_owner owner = {.alarm = {.set = set_look, .opaque = m}};
	struct irq_line *irq = NULL;
	int rc = machine_irqs_add(m, slot.gsi, &irq, err);

	if (rc)
		return rc;
	rc = create_balloon_plumbing(m);
	if (!rc && m->cfg->balloon.stats)
		rc = create_stats_bell(m, slot.gpa);
	if (!rc)
		rc = machine_trim_init(m);
	if (rc)
		return err_sys(err, rc, "cannot create the balloon's events");
	owner.change_fd = m->change_fd;
	owner.hint_fd = m->trim.hint_fd;
	m->reclaim = reclaim_create(&m->mem, &reclaim, err);
	if (!m->reclaim)
		return -EIO;
	m->balloon = balloon_create(&m->cfg->balloon, &m->mem, m->reclaim, irq, &owner);
	if (!m->balloon)
		return err_sys(err, -ENOMEM, "cannot create the balloon");
	rc = create_look(m);
	if (rc)
		return err_sys(err, rc, "cannot create the balloon's timer");
	virtio_mmio_init(&m->balloon_mmio, balloon_virtio(m->balloon));
	m->virtio_slots |= 1u << 0;
	rc = bus_add(&m->mmio, slot.gpa, VIRTIO_MMIO_WINDOW, &virtio_mmio_ops,
		     &m->balloon_mmio);
	if (rc)
		return err_sys(err, rc, "cannot place the balloon");
	return machine_set_stats_interval(m, m->cfg->balloon.stats_interval);
}

int machine_devices_create(struct machine *m, struct err *err)
{
	const struct arch_dev *dev;
	unsigned n;
	int rc = create_console(m, err);

	dev = arch_devices(&n);
	for (unsigned i = 0; i < n && !rc; i++)
		rc = create_platform_device(m, &dev[i], err);
	if (!rc && m->cfg->balloon.enabled)
		rc = create_balloon(m, err);
	return rc;
}

void machine_devices_destroy(struct machine *m)
{
	machine_trim_fini(m);
	loop_timer_destroy(m->stats_timer);
	loop_timer_destroy(m->change_timer);
	if (m->stats_bell.fd >= 0)
		loop_del(m->loop, m->stats_bell.fd);
	fd_close(&m->stats_bell.fd);
	if (m->change_fd >= 0)
		loop_del(m->loop, m->change_fd);
	fd_close(&m->change_fd);
	if (m->look_fd >= 0)
		loop_del(m->loop, m->look_fd);
	fd_close(&m->look_fd);
	balloon_destroy(m->balloon);
	reclaim_destroy(m->reclaim);
	if (m->console)
		console_flush(m->console, 500);
	serial_destroy(m->serial);
	console_destroy(m->console);
	tty_restore(&m->tty);
	machine_irqs_fini(m);
	plic_destroy(m->plic);
}

void machine_devices_reset(struct machine *m)
{
	serial_reset(m->serial);
	pm_reset(&m->pm);
	if (m->balloon)
		virtio_mmio_reset(&m->balloon_mmio);
	machine_irqs_reset(m);
	if (m->stats_bell.fd >= 0)
		fd_drain(m->stats_bell.fd);
}
