/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib_guest.h - for lib_fuzz: a guest whose driver has brought up a built-in
 * device.
 */
#ifndef TESTS_FUZZ_LIB_GUEST_H
#define TESTS_FUZZ_LIB_GUEST_H

#include <stdlib.h>
#include <string.h>

#include "tests/lib/gdrv_vx.h"

#define LOW 0x100000ull
#define MEM_BYTES (3u << 20)
#define DISK_BYTES (256u << 10)
#define BUF_BYTES 16384u

static const struct {
	const char *device;
	bool disk;
	const char *more;
} options[] = {
	{"zero,speed=high", false, ""},
	{"zero,speed=full", false, ""},
	{"zero,speed=super", false, ""},
	{"storage=", true, ",removable,speed=full"},
	{"storage=", true, ",removable,speed=high"},
	{"storage=", true, ",removable,speed=super"},
	{"storage=", true, ",readonly,speed=super"},
	{"keyboard", false, ""},
	{"tablet", false, ""},
	{"mouse", false, ""},
	{"audio,speed=full", false, ""},
	{"audio,speed=high", false, ""},
	{"camera", false, ""},
};
#define NOPTIONS (sizeof(options) / sizeof(options[0]))

static struct guest {
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	struct gdrv_dev *v;
	uint64_t buf;
	unsigned kind; /* of options[] */
	uint32_t tag;
} * g;
static int disk = -1;
static char disk_path[32];

static inline void need(int cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static inline void wait_a_little(void)
{
	gdrv_pump(&g->d);
	for (unsigned i = 0; i < 4; i++)
		g->d.bus->advance(g->d.bus_p, 1000000);
	gdrv_pump(&g->d);
}

static inline void control(const uint8_t setup[8])
{
	uint32_t td;

	if (gdrv_control_post(g->v->ring[1], OS_LINUX, setup, g->buf, &td))
		return;
	gdrv_doorbell(&g->d, g->v->slot, 1, 0);
	wait_a_little();
}

/* An endpoint as the guest configures it, from its descriptors */
static inline struct gdrv_epcfg ep_config(const uint8_t *p, bool super)
{
	bool in = p[2] & 0x80;
	uint16_t mps = (uint16_t)(p[4] | p[5] << 8);
	struct gdrv_epcfg c = {
		.dci = (uint8_t)((p[2] & 15) * 2 + in),
		.type = (uint8_t)((p[3] & 3) + (in ? 4 : 0)),
		.mps = mps & 0x7ff,
		.interval = p[6] & 15,
		.max_esit = mps & 0x7ff,
		.nsegs = 2,
		.ntrbs = {64, 64},
	};

	if (super && p[p[0]] >= 6 && p[p[0] + 1] == 48) {
		c.max_burst = p[p[0] + 2] & 15;
		if ((p[3] & 3) == 2 && p[p[0] + 3] & 31)
			c.streams = 3;
	}
	return c;
}

/* Configuration, all interfaces in alternate setting @alt where they have it */
static inline void bring_up(unsigned alt)
{
	uint8_t setup[8] = {0x80, 6, 0, 2, 0, 0, 0, 2}, *p;
	struct gdrv_epcfg ep[30];
	unsigned n = 0, total;
	bool ours = false;

	control(setup);
	p = guestmem_ptr(&g->gm, g->buf, BUF_BYTES);
	total = p[2] | (unsigned)p[3] << 8;
	if (total > 512)
		total = 512;
	setup[0] = 0;
	setup[1] = 9;
	setup[2] = p[5];
	memset(setup + 3, 0, 5);
	for (unsigned i = 0; i + 1 < total && p[i]; i += p[i]) {
		if (p[i + 1] == 4)
			ours = p[i + 3] == alt || !p[i + 3];
		if (p[i + 1] == 4 && p[i + 3] == alt && alt)
			n = 0; /* in place of those of setting 0 */
		if (p[i + 1] != 5 || !ours || n == 30)
			continue;
		ep[n] = ep_config(p + i, g->v->speed >= 4);
		n += (p[i + 2] & 15) != 0;
	}
	/* one of each address */
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = i + 1; k < n; k++)
			if (ep[k].dci == ep[i].dci)
				ep[k--] = ep[--n];
	control(setup);
	if (n)
		gdrv_configure(g->v, ep, n);
	if (!alt)
		return;
	memcpy(setup, (uint8_t[]){1, 11, (uint8_t)alt, 0, 0, 0, 0, 0}, 8);
	control(setup);
	setup[4] = 1;
	control(setup);
}

static inline void begin(uint8_t kind, unsigned alt)
{
	char option[96];
	unsigned port;

	g = calloc(1, sizeof(*g));
	need(g != NULL, "no memory");
	g->kind = kind % NOPTIONS;
	guestmem_init(&g->gm);
	guestmem_add(&g->gm, LOW, MEM_BYTES);
	snprintf(option, sizeof(option), "30,xhci,%s%s%s",
		 options[g->kind].device,
		 options[g->kind].disk ? disk_path : "", options[g->kind].more);
	need(gdrv_vx_init_virtual(&g->e, &g->gm, option) == 0, "no controller");
	need(gdrv_init(&g->d, &gdrv_vx_bus, &g->e, &g->gm, NULL) == 0,
	     "no driver");
	need(gdrv_start(&g->d) == 0, "it does not start");
	port = gdrv_port_find(&g->d, 0);
	g->v = gdrv_open(&g->d, port);
	need(g->v != NULL, "no device");
	g->buf = guestmem_alloc(&g->gm, BUF_BYTES);
	bring_up(alt);
	g->d.nerr = 100; /* from here on the guest is none the driver knows */
}

static inline void end(void)
{
	gdrv_vx_fini(&g->e);
	need(g->e.released == g->gm.nregions, "memory is held");
	gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	free(g);
	g = NULL;
}

#endif
