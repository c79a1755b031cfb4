// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupts, from the devices' lines into the VM of the moment. Where KVM takes eventfds, it
 * takes them itself. Else the lines end here: as a pulse for its controller, or in the PLIC,
 * whose outputs come back here for the vCPUs. Devices' threads may raise lines at any time, so
 * a lock keeps them away from a VM that goes.
 */
#include <assert.h>

#include "vmm/machine/private.h"

static void edge(void *opaque, uint32_t gsi)
{
	struct machine *m = opaque;

	if (m->plic) {
		plic_edge(m->plic, gsi);
		return;
	}
	pthread_mutex_lock(&m->irq.lock);
	/* It can't fail: gsi is one of the controller's. */
	if (m->irq.connected)
		kvm_vm_irq_pulse(&m->vm, gsi);
	pthread_mutex_unlock(&m->irq.lock);
}

/*
 * KVM forgets the level when the guest starts a stopped hart (SBI HSM), and says so to nobody:
 * a guest that left sources enabled for that hart first hears of the next change. Linux
 * doesn't.
 */
void machine_plic_output(void *opaque, unsigned context, bool level)
{
	struct machine *m = opaque;

	pthread_mutex_lock(&m->irq.lock);
	if (m->irq.connected)
		kvm_vcpu_interrupt(m->vcpus.vcpu[context].fd, level);
	pthread_mutex_unlock(&m->irq.lock);
}

void machine_irqs_init(struct machine *m)
{
	pthread_mutex_init(&m->irq.lock, NULL);
	m->irq.sink = (struct irq_sink){.edge = edge, .opaque = m};
}

void machine_irqs_fini(struct machine *m)
{
	for (unsigned i = 0; i < m->irq.n; i++)
		irq_line_fini(&m->irq.line[i]);
	pthread_mutex_destroy(&m->irq.lock);
}

int machine_irqs_add(struct machine *m, uint32_t gsi, struct irq_line **line, struct err *err)
{
	int rc = 0;

	assert(m->irq.n < MACHINE_IRQS_MAX);
	*line = &m->irq.line[m->irq.n];
	if (m->host.irqs == KVM_IRQS_EVENTFD)
		rc = irq_line_init(*line, gsi);
	else
		irq_line_init_sink(*line, gsi, &m->irq.sink);
	if (rc)
		return err_sys(err, rc, "cannot create the interrupt line of GSI %u", gsi);
	m->irq.n++;
	return 0;
}

int machine_irqs_connect(struct machine *m, struct err *err)
{
	int rc = 0;

	if (m->host.irqs == KVM_IRQS_EVENTFD) {
		for (unsigned i = 0; i < m->irq.n && !rc; i++)
			rc = kvm_vm_irqfd(&m->vm, m->irq.line[i].fd, m->irq.line[i].gsi, err);
		return rc;
	}
	pthread_mutex_lock(&m->irq.lock);
	m->irq.connected = true;
	pthread_mutex_unlock(&m->irq.lock);
	return 0;
}

void machine_irqs_disconnect(struct machine *m)
{
	pthread_mutex_lock(&m->irq.lock);
	m->irq.connected = false;
	pthread_mutex_unlock(&m->irq.lock);
}

void machine_irqs_reset(struct machine *m)
{
	/* An edge left over from before the reset must not greet the next driver. */
	for (unsigned i = 0; i < m->irq.n; i++)
		irq_line_drain(&m->irq.line[i]);
	if (m->plic)
		plic_reset(m->plic);
}
