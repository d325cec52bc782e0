/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_host.c - what the controller, the mapper and the PCI function need of
 * the library around them.
 */
#include "vmm/embed.h"

#include <time.h>

/* What the controller and the mapper need of their host. */

static int host_mem_get(void *host, uint64_t gpa, size_t len, bool write,
			struct xhci_span *ret)
{
	struct vxhci *v = host;

	return dma_get(&v->dma, gpa, len, write, ret);
}

static void host_mem_hold(void *host, void *hold)
{
	(void)host;
	dma_hold(hold);
}

static void host_mem_drop(void *host, void *hold)
{
	struct vxhci *v = host;

	dma_drop(&v->dma, hold);
}

static void host_intr_msg(void *host, unsigned intr)
{
	struct vxhci *v = host;

	pci_msg_fire(&v->pci, intr % VXHCI_VECTORS);
}

static void host_intr_pin(void *host, bool level)
{
	struct vxhci *v = host;

	pci_pin(&v->pci, level);
}

static void host_pme(void *host)
{
	struct vxhci *v = host;

	pci_pme(&v->pci);
}

uint64_t embed_now_ns(struct vxhci *v)
{
	struct timespec ts;

	if (v->ops.now_ns != NULL)
		return v->ops.now_ns(v->opaque);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t host_now_ns(void *host)
{
	return embed_now_ns(host);
}

void embed_wake(struct vxhci *v)
{
	if (v->own != NULL)
		embed_thread_wake(v->own);
	else
		v->ops.wake(v->opaque);
}

static void host_timer_set(void *host, uint64_t at_ns)
{
	struct vxhci *v = host;

	v->timer_at = at_ns;
	if (at_ns < v->told_at && !v->quiet) {
		v->told_at = at_ns; /* it will ask for the new deadline */
		embed_wake(v);
	}
}

static void host_kick(void *host)
{
	struct vxhci *v = host;

	v->kicked = true;
	if (!v->quiet)
		embed_wake(v);
}

void embed_log(struct vxhci *v, enum xhci_log level, const char *line)
{

	if (v->ops.log != NULL)
		v->ops.log(v->opaque, (enum vxhci_log)level, line);
}

static void host_log(void *host, enum xhci_log level, const char *line)
{
	embed_log(host, level, line);
}

/* A job of the worker has ended. Any thread, `lock` not held. */
static void host_wake(void *host)
{
	struct vxhci *v = host;

	pthread_mutex_lock(&v->wake_lock);
	v->woken = true;
	pthread_cond_signal(&v->wake_cond);
	pthread_mutex_unlock(&v->wake_lock);
	embed_wake(v);
}

void embed_mem_released(void *host, void *cookie)
{
	struct vxhci *v = host;

	if (v->ops.mem_released != NULL)
		v->ops.mem_released(v->opaque, cookie);
}

const struct xhci_host_ops embed_xhci_ops = {
	.mem_get = host_mem_get,
	.mem_hold = host_mem_hold,
	.mem_drop = host_mem_drop,
	.intr_msg = host_intr_msg,
	.intr_pin = host_intr_pin,
	.now_ns = host_now_ns,
	.timer_set = host_timer_set,
	.kick = host_kick,
	.log = host_log,
	.pme = host_pme,
};

const struct pmapper_host_ops embed_pmapper_ops = {
	.kick = host_kick,
	.wake = host_wake,
	.log = host_log,
	.now_ns = host_now_ns,
	.port_reset = embed_port_reset,
	.freed = embed_freed,
};

/* Any thread. */
static void host_fd_watch(void *host, int fd, short events)
{
	struct vxhci *v = host;

	if (v->own != NULL)
		embed_thread_watch(v->own, fd, events);
	else
		v->ops.fd_watch(v->opaque, fd, events);
}

const struct hostusb_host_ops embed_hostusb_ops = {
	.fd_watch = host_fd_watch,
	.wake = host_wake,
	.log = host_log,
	.event = embed_usb_event,
};

/* What the PCI function tells. */

static void fn_msix(void *host, unsigned vector)
{
	struct vxhci *v = host;

	v->ops.msix(v->opaque, vector);
}

static void fn_msi(void *host, uint64_t addr, uint32_t data)
{
	struct vxhci *v = host;

	v->ops.msi(v->opaque, addr, data);
}

static void fn_intx(void *host, bool level)
{
	struct vxhci *v = host;

	v->ops.intx(v->opaque, level);
}

static void fn_pme(void *host)
{
	struct vxhci *v = host;

	v->ops.pme(v->opaque);
}

static void fn_intr_mode(void *host, enum pci_intr mode)
{
	static const uint8_t xhci_mode[] = {
		[PCI_INTR_NONE] = XHCI_INTR_NONE,
		[PCI_INTR_PIN] = XHCI_INTR_PIN,
		[PCI_INTR_MSG] = XHCI_INTR_MSG,
	};
	struct vxhci *v = host;

	xhci_set_intr_mode(v->x, (enum xhci_intr_mode)xhci_mode[mode]);
}

static void fn_bus_master(void *host, bool on)
{
	struct vxhci *v = host;

	xhci_set_bus_master(v->x, on);
}

void embed_pci_init(struct vxhci *v)
{
	v->pci_ops = (struct pci_ops){
		.msix = fn_msix,
		.msi = v->ops.msi ? fn_msi : NULL,
		.intx = v->ops.intx ? fn_intx : NULL,
		.pme = v->ops.pme ? fn_pme : NULL,
		.intr_mode = fn_intr_mode,
		.bus_master = fn_bus_master,
	};
	pci_init(&v->pci, v->opt.pci_vendor, v->opt.pci_device, &v->pci_ops, v);
	xhci_set_intr_mode(v->x, v->ops.intx ? XHCI_INTR_PIN : XHCI_INTR_NONE);
	xhci_set_bus_master(v->x, false);
}
