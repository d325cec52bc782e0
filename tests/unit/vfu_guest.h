/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_guest.h - a VMM with a guest at work, over vfio-user. When its
 * connection is lost, time passes quickly for the guest, so that it gives up.
 * Included by one file of a program.
 */
#ifndef VXHCI_TESTS_UNIT_VFU_GUEST_H
#define VXHCI_TESTS_UNIT_VFU_GUEST_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/gdrv.h"
#include "tests/lib/vfu_client.h"
#include "vmm/vxhci.h"

/* A guest's second is that many of ours: the machine may be busy. */
#define VG_SLOWER 10u
#define VG_OUT 2u
#define VG_IN 3u

struct vg {
	struct vc vc;
	bool lost;
	uint64_t skipped_ns;
	const char *(*hasty)(void); /* not NULL: it need not wait any more */
	struct vc_dev dev;
	struct guestmem gm;
	struct gdrv d;
	int irq[VXHCI_VECTORS];
	uint64_t irqs[VXHCI_VECTORS];
	bool up; /* .d is there */
};

static uint64_t vg_read(void *p, uint32_t off, unsigned size)
{
	struct vg *g = p;
	uint64_t v = 0;

	if (!g->lost && vc_read(&g->vc, VFU_REGION_BAR0, off, &v, size))
		g->lost = true;
	return g->lost ? UINT64_MAX >> (64 - 8 * size) : v;
}

static void vg_write(void *p, uint32_t off, unsigned size, uint64_t v)
{
	struct vg *g = p;

	if (!g->lost && vc_write(&g->vc, VFU_REGION_BAR0, off, &v, size))
		g->lost = true;
}

static void vg_run(void *p)
{
	(void)p;
}

static uint64_t vg_now(void *p)
{
	struct vg *g = p;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec) /
		       VG_SLOWER +
	       g->skipped_ns;
}

static void vg_advance(void *p, uint64_t ns)
{
	struct vg *g = p;
	struct pollfd f[2] = {{.fd = g->irq[0], .events = POLLIN},
			      {.fd = g->vc.fd}};

	if (!g->lost)
		poll(f, 2, 1);
	if (g->lost || (g->hasty && g->hasty()))
		g->skipped_ns += g->lost ? ns : 10000000;
}

static uint64_t vg_intrs(void *p, unsigned vector)
{
	struct vg *g = p;
	uint64_t n;

	if (read(g->irq[vector], &n, sizeof(n)) == sizeof(n))
		g->irqs[vector] += n;
	return g->irqs[vector];
}

static const struct gdrv_bus vg_bus = {
	.read = vg_read,
	.write = vg_write,
	.run = vg_run,
	.now_ns = vg_now,
	.advance = vg_advance,
	.intrs = vg_intrs,
};

static void vg_init(struct vg *g)
{
	memset(g, 0, sizeof(*g));
	g->vc.fd = -1;
	guestmem_init(&g->gm);
	guestmem_add(&g->gm, 0x100000, 4u << 20);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		g->irq[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void vg_fini(struct vg *g)
{
	vc_close(&g->vc);
	if (g->up)
		gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		close(g->irq[i]);
}

/* What a VMM does, then the driver's start. True when all of it worked. */
static bool vg_up(struct vg *g, enum vc_kind kind, const char *path)
{
	const struct vc_mem mem = {.fd = g->gm.region[0].fd,
				   .iova = g->gm.region[0].gpa,
				   .size = g->gm.region[0].len};
	const uint16_t cmd = 6; /* memory, bus master */

	if (vc_connect(&g->vc, kind, path) ||
	    vc_realize(&g->vc, &mem, 1, &g->dev) || g->vc.async_errors ||
	    vc_write(&g->vc, VFU_REGION_CONFIG, 4, &cmd, 2) ||
	    vc_msix_enable(&g->vc, &g->dev, g->irq))
		return false;
	g->up = gdrv_init(&g->d, &vg_bus, g, &g->gm, NULL) == 0;
	return g->up && gdrv_start(&g->d) == 0;
}

/* The driver of the device zero in @port: a transfer each way */
static bool vg_zero(struct vg *g, unsigned port)
{
	static const uint8_t set_config[8] = {0, 9, 3};
	static const struct gdrv_epcfg ep[2] = {
		{.dci = VG_OUT, .type = EPT_BULK_OUT, .mps = 512},
		{.dci = VG_IN, .type = EPT_BULK_IN, .mps = 512}};
	struct gdrv_sg sg = {.len = 4096};
	struct gdrv_dev *v = gdrv_open(&g->d, port);
	bool ok;

	if (!v)
		return false;
	sg.gpa = guestmem_alloc(&g->gm, sg.len);
	ok = gdrv_control(v, OS_LINUX, set_config, 0, NULL) == CC_SUCCESS &&
	     gdrv_configure(v, ep, 2) == CC_SUCCESS &&
	     gdrv_bulk(v, VG_IN, OS_LINUX, &sg, 1, NULL) == CC_SUCCESS &&
	     gdrv_bulk(v, VG_OUT, OS_LINUX, &sg, 1, NULL) == CC_SUCCESS;
	guestmem_free(&g->gm, sg.gpa, sg.len);
	return ok;
}

/* The end of the machine: the driver's, then the VMM's */
static bool vg_down(struct vg *g)
{
	return gdrv_halt(&g->d) == 0 &&
	       vc_machine_reset(&g->vc, &g->dev) == 0 &&
	       vc_unmap(&g->vc, g->gm.region[0].gpa, g->gm.region[0].len) == 0;
}

/* A life of a machine. True when all of it worked. */
static inline bool vg_life(struct vg *g, enum vc_kind kind, const char *path)
{
	return vg_up(g, kind, path) && vg_zero(g, 1) && vg_down(g);
}

#endif
