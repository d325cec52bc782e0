/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing the controller and its ports up, xHCI 1.2 §4.2, §4.3. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/gdrv.h"

uint32_t gdrv_r32(struct gdrv *d, uint32_t off)
{
	return (uint32_t)d->bus->read(d->bus_p, off, 4);
}

void gdrv_w32(struct gdrv *d, uint32_t off, uint32_t v)
{
	d->bus->write(d->bus_p, off, 4, v);
}

uint64_t gdrv_r64(struct gdrv *d, uint32_t off)
{
	if (d->opts.write64)
		return d->bus->read(d->bus_p, off, 8);
	return gdrv_r32(d, off) | (uint64_t)gdrv_r32(d, off + 4) << 32;
}

void gdrv_w64(struct gdrv *d, uint32_t off, uint64_t v)
{
	if (d->opts.write64) {
		d->bus->write(d->bus_p, off, 8, v);
		return;
	}
	if (d->opts.high_first)
		gdrv_w32(d, off + 4, (uint32_t)(v >> 32));
	gdrv_w32(d, off, (uint32_t)v);
	if (!d->opts.high_first)
		gdrv_w32(d, off + 4, (uint32_t)(v >> 32));
}

void gdrv_doorbell(struct gdrv *d, unsigned slot, unsigned dci, unsigned stream)
{
	struct gdrv_dev *v = slot < 256 ? d->dev[slot] : NULL;
	struct gdrv_streams *s = v && dci < 32 ? v->streams[dci] : NULL;

	if (v && dci < 32 && v->ring[dci] &&
	    v->ring[dci]->state == RING_STOPPED)
		v->ring[dci]->state = RING_RUNNING;
	for (unsigned i = 1; s && i < s->n; i++)
		if (s->ring[i].state == RING_STOPPED)
			s->ring[i].state = RING_RUNNING;
	gdrv_w32(d, d->db + slot * 4, dci | stream << 16);
}

uint64_t gdrv_now(struct gdrv *d)
{
	return d->bus->now_ns(d->bus_p);
}

uint64_t gdrv_intrs(struct gdrv *d, unsigned vector)
{
	return d->bus->intrs(d->bus_p, vector);
}

void gdrv_fail(struct gdrv *d, const char *fmt, ...)
{
	char line[sizeof(d->err)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!d->nerr++)
		memcpy(d->err, line, sizeof(line));
	if (d->nerr <= 20)
		fprintf(stderr, "gdrv: %s\n", line);
}

bool gdrv_ok(const struct gdrv *d)
{
	return d->nerr == 0;
}

int gdrv_wait_reg(struct gdrv *d, uint32_t off, uint32_t mask, uint32_t want,
		  unsigned ms)
{
	uint64_t end = gdrv_now(d) + ms * 1000000ull;

	for (;;) {
		d->bus->run(d->bus_p);
		if ((gdrv_r32(d, off) & mask) == want)
			return 0;
		if (gdrv_now(d) >= end)
			return -ETIMEDOUT;
		d->bus->advance(d->bus_p, 1000000);
	}
}

/* A Supported Protocol capability, §7.2 */
static void parse_protocol(struct gdrv *d, uint32_t off)
{
	uint32_t w0 = gdrv_r32(d, off), w2 = gdrv_r32(d, off + 8);
	unsigned first = w2 & 0xff, count = w2 >> 8 & 0xff;

	if (gdrv_r32(d, off + 4) != 0x20425355u)
		gdrv_fail(d, "protocol capability without \"USB \"");
	for (unsigned p = first; p < first + count; p++) {
		if (!p || p > d->max_ports || p > GDRV_PORTS) {
			gdrv_fail(d, "protocol capability names port %u", p);
			continue;
		}
		if (d->port[p].present)
			gdrv_fail(d, "port %u has two protocols", p);
		d->port[p].present = true;
		d->port[p].major = (uint8_t)(w0 >> 24);
		d->port[p].usb3 = w0 >> 24 == 3;
		d->port[p].slot_type = (uint8_t)(gdrv_r32(d, off + 12) & 31);
	}
}

static void parse_extended(struct gdrv *d)
{
	uint32_t off = (gdrv_r32(d, CAP_HCCPARAMS1) >> 16) * 4;

	for (unsigned n = 0; off; n++) {
		uint32_t w = gdrv_r32(d, off);

		if (n == 64 || off >= 0x10000) {
			gdrv_fail(d, "extended capabilities have no end");
			return;
		}
		if ((w & 0xff) == 2)
			parse_protocol(d, off);
		off = w >> 8 & 0xff ? off + (w >> 8 & 0xff) * 4 : 0;
	}
	for (unsigned p = 1; p <= d->max_ports; p++)
		if (!d->port[p].present)
			gdrv_fail(d, "port %u has no protocol", p);
}

static int parse_caps(struct gdrv *d)
{
	uint32_t len = gdrv_r32(d, CAP_LENGTH);
	uint32_t p1 = gdrv_r32(d, CAP_HCSPARAMS1);
	uint32_t p2 = gdrv_r32(d, CAP_HCSPARAMS2);
	uint32_t cc = gdrv_r32(d, CAP_HCCPARAMS1);

	if (len == 0 || len == UINT32_MAX)
		return -ENODEV;
	d->op = len & 0xff;
	d->rt = gdrv_r32(d, CAP_RTSOFF) & ~31u;
	d->db = gdrv_r32(d, CAP_DBOFF) & ~3u;
	d->max_slots = p1 & 0xff;
	d->max_intrs = p1 >> 8 & 0x7ff;
	d->max_ports = p1 >> 24;
	d->erst_max = 1u << (p2 >> 4 & 15);
	d->nscratch = (p2 >> 21 & 31) << 5 | p2 >> 27;
	d->ctx_size = cc & HCC1_CSZ ? 64 : 32;
	if (d->max_ports > GDRV_PORTS || d->nscratch > 32)
		return -ENODEV;
	parse_extended(d);
	return 0;
}

static void opts_default(struct gdrv *d)
{
	struct gdrv_opts *o = &d->opts;

	if (!o->cmd_trbs)
		o->cmd_trbs = 64;
	if (!o->evt_segs)
		o->evt_segs = 1;
	if (!o->evt_trbs)
		o->evt_trbs = 256;
	if (!o->nintrs)
		o->nintrs = 1;
	if (o->evt_segs > d->erst_max)
		gdrv_fail(d, "more event segments than ERST Max allows");
	if (o->nintrs > d->max_intrs || o->nintrs > GDRV_INTRS)
		gdrv_fail(d, "more interrupters than there are");
	if (!o->max_slots || o->max_slots > d->max_slots)
		o->max_slots = d->max_slots;
}

int gdrv_init(struct gdrv *d, const struct gdrv_bus *bus, void *bus_p,
	      struct guestmem *gm, const struct gdrv_opts *opts)
{
	int rc;

	memset(d, 0, sizeof(*d));
	d->bus = bus;
	d->bus_p = bus_p;
	d->gm = gm;
	if (opts)
		d->opts = *opts;
	rc = parse_caps(d);
	if (rc)
		return rc;
	opts_default(d);
	d->dcbaa = guestmem_alloc(gm, 256 * 8);
	if (d->nscratch)
		d->scratch_array = guestmem_alloc(gm, d->nscratch * 8);
	for (unsigned i = 0; i < d->nscratch; i++) {
		d->scratch[i] = guestmem_alloc(gm, GM_PAGE);
		guestmem_w64(gm, d->scratch_array + i * 8, d->scratch[i]);
	}
	guestmem_w64(gm, d->dcbaa, d->scratch_array);
	gdrv_ring_init(d, &d->cmd, 1, &d->opts.cmd_trbs);
	d->cmd.link_flags = 0;
	for (unsigned i = 0; i < d->opts.nintrs; i++) {
		struct gdrv_evring *er = &d->evr[i];

		er->nsegs = d->opts.evt_segs;
		er->ntrbs = d->opts.evt_trbs;
		er->erst = guestmem_alloc(gm, er->nsegs * 16);
		for (unsigned s = 0; s < er->nsegs; s++)
			er->seg[s] = guestmem_alloc(gm, er->ntrbs * 16);
	}
	return 0;
}

void gdrv_fini(struct gdrv *d)
{
	struct guestmem *gm = d->gm;

	for (unsigned s = 0; s < 256; s++)
		gdrv_dev_free(d->dev[s]);
	if (!d->dcbaa)
		return;
	gdrv_ring_fini(&d->cmd);
	for (unsigned i = 0; i < d->opts.nintrs; i++) {
		struct gdrv_evring *er = &d->evr[i];

		guestmem_free(gm, er->erst, er->nsegs * 16);
		for (unsigned s = 0; s < er->nsegs; s++)
			guestmem_free(gm, er->seg[s], er->ntrbs * 16);
	}
	for (unsigned i = 0; i < d->nscratch; i++)
		guestmem_free(gm, d->scratch[i], GM_PAGE);
	if (d->nscratch)
		guestmem_free(gm, d->scratch_array, d->nscratch * 8);
	guestmem_free(gm, d->dcbaa, 256 * 8);
	d->dcbaa = 0;
}

int gdrv_halt(struct gdrv *d)
{
	uint32_t cmd = gdrv_r32(d, d->op + OP_USBCMD);

	gdrv_w32(d, d->op + OP_USBCMD, cmd & ~(CMD_RS | CMD_INTE));
	return gdrv_wait_reg(d, d->op + OP_USBSTS, STS_HCH, STS_HCH, 32);
}

int gdrv_hcrst(struct gdrv *d)
{
	int rc;

	gdrv_w32(d, d->op + OP_USBCMD, CMD_HCRST);
	rc = gdrv_wait_reg(d, d->op + OP_USBSTS, STS_CNR, 0, 1000);
	if (!rc)
		rc = gdrv_wait_reg(d, d->op + OP_USBCMD, CMD_HCRST, 0, 20);
	for (unsigned s = 0; s < 256; s++)
		gdrv_dev_free(d->dev[s]);
	gdrv_ring_rewind(&d->cmd);
	return rc;
}

static void program_interrupter(struct gdrv *d, unsigned i)
{
	struct gdrv_evring *er = &d->evr[i];
	uint32_t ir = d->rt + RT_IR(i);

	er->ds = er->di = 0;
	er->cycle = true;
	for (unsigned s = 0; s < er->nsegs; s++) {
		guestmem_set(d->gm, er->seg[s], 0, er->ntrbs * 16);
		guestmem_w64(d->gm, er->erst + s * 16, er->seg[s]);
		guestmem_w64(d->gm, er->erst + s * 16 + 8, er->ntrbs);
	}
	gdrv_w32(d, ir + IR_ERSTSZ, er->nsegs);
	if (d->opts.erstba_last) {
		gdrv_w64(d, ir + IR_ERDP, er->seg[0]);
		gdrv_w64(d, ir + IR_ERSTBA, er->erst);
	} else {
		gdrv_w64(d, ir + IR_ERSTBA, er->erst);
		gdrv_w64(d, ir + IR_ERDP, er->seg[0]);
	}
	gdrv_w32(d, ir + IR_IMOD, d->opts.imod);
	gdrv_w32(d, ir + IR_IMAN, d->opts.inte ? IMAN_IE | IMAN_IP : IMAN_IP);
}

void gdrv_program(struct gdrv *d)
{
	gdrv_w32(d, d->op + OP_CONFIG, d->opts.max_slots);
	if (d->opts.twice)
		gdrv_w64(d, d->op + OP_DCBAAP, 0);
	gdrv_w64(d, d->op + OP_DCBAAP, d->dcbaa);
	gdrv_ring_rewind(&d->cmd);
	gdrv_w64(d, d->op + OP_CRCR, d->cmd.seg[0].gpa | CRCR_RCS);
	for (unsigned i = 0; i < d->opts.nintrs; i++)
		program_interrupter(d, i);
}

int gdrv_start(struct gdrv *d)
{
	int rc = gdrv_wait_reg(d, d->op + OP_USBSTS, STS_CNR, 0, 100);

	if (!rc)
		rc = gdrv_halt(d);
	if (!rc)
		rc = gdrv_hcrst(d);
	if (rc)
		return rc;
	if (!(gdrv_r32(d, d->op + OP_PAGESIZE) & 1))
		gdrv_fail(d, "PAGESIZE has no 4 KiB");
	gdrv_program(d);
	gdrv_w32(d, d->op + OP_USBCMD, CMD_RS | (d->opts.inte ? CMD_INTE : 0));
	rc = gdrv_wait_reg(d, d->op + OP_USBSTS, STS_HCH, 0, 32);
	gdrv_pump(d);
	return rc;
}

uint32_t gdrv_portsc(struct gdrv *d, unsigned port)
{
	return gdrv_r32(d, d->op + OP_PORTSC(port));
}

static void port_write(struct gdrv *d, unsigned port, uint32_t set)
{
	gdrv_w32(d, d->op + OP_PORTSC(port),
		 (gdrv_portsc(d, port) & PORT_KEEP) | set);
}

int gdrv_port_reset(struct gdrv *d, unsigned port, bool warm)
{
	uint32_t off = d->op + OP_PORTSC(port), sc;
	int rc;

	port_write(d, port, warm ? PORT_WPR : PORT_PR);
	rc = gdrv_wait_reg(d, off, PORT_PRC, PORT_PRC, 500);
	if (rc)
		return rc;
	sc = gdrv_portsc(d, port);
	if (sc & PORT_PR)
		gdrv_fail(d, "port %u: PRC while PR is set", port);
	port_write(d, port, PORT_CHANGES);
	gdrv_pump(d);
	sc = gdrv_portsc(d, port);
	if (sc & PORT_CHANGES)
		gdrv_fail(d, "port %u: change bits stay: %08x", port, sc);
	if (!(sc & PORT_PED))
		return -EIO;
	return (int)PORT_SPEED(sc);
}

unsigned gdrv_port_find(struct gdrv *d, unsigned after)
{
	for (unsigned p = after + 1; p <= d->max_ports; p++)
		if (gdrv_portsc(d, p) & PORT_CCS)
			return p;
	return 0;
}
