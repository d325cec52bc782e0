/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/gdrv_rig.h"

static _Noreturn void die(const char *what, int rc)
{
	fprintf(stderr, "rig: %s: %d\n", what, rc);
	exit(99);
}

static void configure(struct rig *g, const struct rig_cfg *cfg)
{
	static const uint8_t type[] = {[RIG_OUT] = EPT_BULK_OUT,
				       [RIG_IN] = EPT_BULK_IN,
				       [RIG_INT_OUT] = EPT_INTR_OUT,
				       [RIG_INT_IN] = EPT_INTR_IN};
	struct gdrv_epcfg ep[4];
	bool super = g->v->speed >= 4;
	int cc;

	for (unsigned i = 0; i < 4; i++) {
		unsigned dci = RIG_OUT + i;
		bool intr = dci >= RIG_INT_OUT;

		ep[i] = (struct gdrv_epcfg){
			.dci = (uint8_t)dci,
			.type = type[dci],
			.mps = intr    ? 64
			       : super ? 1024
				       : 512,
			.interval = intr ? 3 : 0,
			.max_esit = intr ? 64 : 0,
			.nsegs = cfg->nsegs,
		};
		memcpy(ep[i].ntrbs, cfg->ntrbs, sizeof(cfg->ntrbs));
	}
	cc = gdrv_configure(g->v, ep, 4);
	if (cc != CC_SUCCESS)
		die("Configure Endpoint", cc);
}

struct rig *rig_up(const struct rig_cfg *cfg)
{
	static const struct rig_cfg none;
	struct rig *g = calloc(1, sizeof(*g));
	struct xhci_config xc;
	unsigned port;
	int rc;

	if (!g)
		die("memory", 0);
	if (!cfg)
		cfg = &none;
	xc = cfg->xhci;
	if (!xc.usb2_ports) {
		xc.usb2_ports = 4;
		xc.usb3_ports = 4;
	}
	port = cfg->port ? cfg->port : 1;
	guestmem_init(&g->gm);
	guestmem_add(&g->gm, RIG_LOW, 16u << 20);
	guestmem_add(&g->gm, RIG_HIGH, 32u << 20);
	rc = gdrv_emu_init(&g->e, &g->gm, &xc);
	if (rc)
		die("xhci_create", rc);
	stub_init(&g->s);
	rc = stub_connect(&g->s, g->e.x, port,
			  port > xc.usb2_ports ? USB_SPEED_SUPER
					       : USB_SPEED_HIGH);
	if (rc)
		die("xhci_port_connect", rc);
	gdrv_emu_poll(&g->e, stub_poll, &g->s);
	rc = gdrv_init(&g->d, &gdrv_emu_bus, &g->e, &g->gm, &cfg->opts);
	if (rc)
		die("gdrv_init", rc);
	rc = gdrv_start(&g->d);
	if (rc)
		die("gdrv_start", rc);
	if (cfg->bare)
		return g;
	g->v = gdrv_open(&g->d, port);
	if (!g->v)
		die("no device", 0);
	configure(g, cfg);
	return g;
}

unsigned rig_down(struct rig *g)
{
	unsigned wrong = g->d.nerr;

	/* the driver's memory goes after the controller that may write it */
	for (unsigned i = 0; i < STUB_EPS; i++) {
		g->s.ep[i].cancel_hold = false;
		g->s.ep[i].rule.hold = false;
	}
	gdrv_emu_fini(&g->e);
	if (g->e.holds) {
		fprintf(stderr, "rig: %lld holds on guest memory left\n",
			(long long)g->e.holds);
		wrong++;
	}
	if (stub_in_flight(&g->s)) {
		fprintf(stderr, "rig: %u transfers left in the device\n",
			stub_in_flight(&g->s));
		wrong++;
	}
	gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	free(g);
	return wrong;
}

uint32_t rig_normal(struct rig *g, unsigned dci, uint64_t gpa, uint32_t len,
		    uint32_t flags)
{
	struct gdrv_trb t = {
		.type = TRB_NORMAL, .ptr = gpa, .len = len, .flags = flags};
	uint32_t td;
	int rc = gdrv_post(g->v->ring[dci], &t, 1, &td);

	if (rc)
		die("ring full", rc);
	return td;
}

void rig_ring(struct rig *g, unsigned dci)
{
	gdrv_doorbell(&g->d, g->v->slot, dci, 0);
	gdrv_pump(&g->d);
}

bool rig_pattern(struct rig *g, uint64_t gpa, size_t len, uint64_t n)
{
	const uint8_t *p = guestmem_ptr(&g->gm, gpa, len);

	for (size_t i = 0; i < len; i++)
		if (p[i] != stub_byte(n + i))
			return false;
	return true;
}

void rig_fill(struct rig *g, uint64_t gpa, size_t len, uint64_t n)
{
	uint8_t *p = guestmem_ptr(&g->gm, gpa, len);

	for (size_t i = 0; i < len; i++)
		p[i] = stub_byte(n + i);
}
