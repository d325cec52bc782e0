/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/lib/gdrv_record.h"
#include "tests/lib/gdrv_vx.h"

#define PCI_COMMAND 0x04u
#define PCI_CAP_PTR 0x34u
#define PCI_CAP_MSIX 0x11u

static void vx_msix(void *opaque, unsigned vector)
{
	struct gdrv_vx *e = opaque;

	if (vector < VXHCI_VECTORS)
		e->msgs[vector]++;
}

static void vx_wake(void *opaque)
{
	struct gdrv_vx *e = opaque;

	pthread_mutex_lock(&e->lock);
	e->woken = true;
	pthread_cond_signal(&e->cond);
	pthread_mutex_unlock(&e->lock);
}

static void vx_log(void *opaque, enum vxhci_log level, const char *line)
{
	(void)opaque;
	if (level <= VXHCI_LOG_WARN)
		fprintf(stderr, "vxhci: %s\n", line);
}

static void vx_released(void *opaque, void *cookie)
{
	struct gdrv_vx *e = opaque;

	(void)cookie;
	e->released++;
}

static void vx_fd_watch(void *opaque, int fd, short events)
{
	struct gdrv_vx *e = opaque;

	(void)fd;
	e->watched = events;
}

static uint64_t vx_now(void *opaque)
{
	struct gdrv_vx *e = opaque;

	return e->now;
}

static const struct vxhci_ops vx_ops = {
	.msix = vx_msix,
	.wake = vx_wake,
	.log = vx_log,
	.mem_released = vx_released,
	.fd_watch = vx_fd_watch,
};

static const struct vxhci_ops vx_own_ops = {
	.msix = vx_msix,
	.log = vx_log,
	.mem_released = vx_released,
};

static uint32_t find_msix(struct vxhci *v)
{
	uint32_t off = vxhci_cfg_read(v, PCI_CAP_PTR, 1);

	for (unsigned n = 0; off && n < 48; n++) {
		if (vxhci_cfg_read(v, off, 1) == PCI_CAP_MSIX)
			return off;
		off = vxhci_cfg_read(v, off + 1, 1);
	}
	return 0;
}

/* What a guest's PCI code does: memory, bus master, MSI-X on and unmasked. */
static void pci_enable(struct vxhci *v)
{
	uint32_t msix = find_msix(v), table;

	vxhci_cfg_write(v, PCI_COMMAND, 2, 0x0006);
	if (!msix)
		return;
	vxhci_cfg_write(v, msix + 2, 2, 0x8000);
	table = vxhci_cfg_read(v, msix + 4, 4) & ~7u;
	for (unsigned i = 0; i < VXHCI_VECTORS; i++) {
		vxhci_bar_write(v, table + i * 16, 4, 0xfee00000u);
		vxhci_bar_write(v, table + i * 16 + 8, 4, 0x40 + i);
		vxhci_bar_write(v, table + i * 16 + 12, 4, 0);
	}
}

static int vx_init(struct gdrv_vx *e, struct guestmem *gm,
		   const char *slot_option, const struct vxhci_ops *ops,
		   bool virtual_time)
{
	struct vxhci_ops own = *ops;
	int rc;

	memset(e, 0, sizeof(*e));
	e->gm = gm;
	e->virtual_time = virtual_time;
	e->now = 1000000000u;
	if (virtual_time)
		own.now_ns = vx_now;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->cond, NULL);
	e->record = gdrv_record_open();
	rc = vxhci_create_recorded(slot_option, &own, e, e->record, e->err,
				   sizeof(e->err), &e->v);
	if (rc) {
		fprintf(stderr, "vxhci_create: %s\n", e->err);
		return rc;
	}
	for (unsigned i = 0; i < gm->nregions && !rc; i++)
		rc = vxhci_mem_map(e->v, gm->region[i].gpa, gm->region[i].len,
				   gm->region[i].base, gm->region[i].writable,
				   &gm->region[i]);
	pci_enable(e->v);
	return rc;
}

int gdrv_vx_init(struct gdrv_vx *e, struct guestmem *gm,
		 const char *slot_option)
{
	return vx_init(e, gm, slot_option, &vx_ops, false);
}

int gdrv_vx_init_own(struct gdrv_vx *e, struct guestmem *gm,
		     const char *slot_option)
{
	int r = vx_init(e, gm, slot_option, &vx_own_ops, false);

	return r ? r : vxhci_start(e->v);
}

int gdrv_vx_init_virtual(struct gdrv_vx *e, struct guestmem *gm,
			 const char *slot_option)
{
	return vx_init(e, gm, slot_option, &vx_ops, true);
}

void gdrv_vx_fini(struct gdrv_vx *e)
{
	vxhci_destroy(e->v);
	e->v = NULL;
	vxhci_record_close(e->record);
	e->record = NULL;
	pthread_cond_destroy(&e->cond);
	pthread_mutex_destroy(&e->lock);
}

static bool take_wake(struct gdrv_vx *e)
{
	bool woken;

	pthread_mutex_lock(&e->lock);
	woken = e->woken;
	e->woken = false;
	pthread_mutex_unlock(&e->lock);
	return woken;
}

static void bus_run(void *p)
{
	struct gdrv_vx *e = p;
	uint64_t timeout;

	do {
		if (e->watched)
			vxhci_fd_ready(e->v);
		vxhci_dispatch(e->v, &timeout);
	} while (take_wake(e) || timeout == 0);
}

/* To the next deadline, at most @ns, and what is to be done then */
static void advance_virtual(struct gdrv_vx *e, uint64_t ns)
{
	uint64_t timeout;

	vxhci_dispatch(e->v, &timeout);
	e->now += timeout < ns ? timeout : ns;
	bus_run(e);
}

/* Wait for a wake-up, at most @ns, then work. */
static void bus_advance(void *p, uint64_t ns)
{
	struct gdrv_vx *e = p;
	struct timespec at;

	if (e->virtual_time) {
		advance_virtual(e, ns);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_nsec += (long)(ns % 1000000000);
	at.tv_sec += (time_t)(ns / 1000000000) + at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	pthread_mutex_lock(&e->lock);
	if (!e->woken)
		pthread_cond_timedwait(&e->cond, &e->lock, &at);
	pthread_mutex_unlock(&e->lock);
	bus_run(e);
}

static uint64_t bus_read(void *p, uint32_t off, unsigned size)
{
	struct gdrv_vx *e = p;

	return vxhci_bar_read(e->v, off, size);
}

static void bus_write(void *p, uint32_t off, unsigned size, uint64_t v)
{
	struct gdrv_vx *e = p;

	vxhci_bar_write(e->v, off, size, v);
}

static uint64_t bus_now(void *p)
{
	struct gdrv_vx *e = p;
	struct timespec t;

	if (e->virtual_time)
		return e->now;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t bus_intrs(void *p, unsigned vector)
{
	struct gdrv_vx *e = p;

	return vector < VXHCI_VECTORS ? e->msgs[vector] : 0;
}

const struct gdrv_bus gdrv_vx_bus = {
	.read = bus_read,
	.write = bus_write,
	.run = bus_run,
	.now_ns = bus_now,
	.advance = bus_advance,
	.intrs = bus_intrs,
};
