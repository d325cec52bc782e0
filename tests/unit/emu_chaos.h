/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_chaos.h - a guest, a device and a host that do anything at any time:
 * from a seed that does not change (emu_fuzz_test.c) or as a fuzzer's input
 * says (tests/fuzz/emu_fuzz.c). The fakes see to the rules (a transfer ends
 * once, is cancelled once, memory held is dropped), the sanitizers to the rest.
 */
#ifndef TESTS_EMU_CHAOS_H
#define TESTS_EMU_CHAOS_H

#include "tests/unit/emu_drv.h"

#define NPORTS 8u
#define NRINGS 8u /* DCI 1..8, shared by all slots */
#define G_STREAMS(dci) (0x200000u + (dci)*0x200u)
#define RING_TRBS 64u  /* of each ring that are scribbled on */
#define RUN_WORK 60000 /* accesses to guest memory in one xhci_run() */

struct fuzz {
	struct fake *f;
	uint64_t s;
	/* where choices come from instead of `s`, as long as there is some */
	const uint8_t *in;
	size_t left;
	FILE *log;   /* choices made from `s` are written here, or NULL */
	bool detail; /* within details_begin() and details_end() */
	uint64_t kept;
	unsigned restarts, deaths;
};

static uint32_t seeded(struct fuzz *z)
{
	z->s ^= z->s << 13;
	z->s ^= z->s >> 7;
	z->s ^= z->s << 17;
	return (uint32_t)(z->s >> 16);
}

/* A choice that takes @n bytes of an input */
static uint32_t draw(struct fuzz *z, unsigned n)
{
	uint32_t v = 0;

	if (z->detail || (!z->in && !z->log))
		return seeded(z);
	if (z->log) {
		v = (uint32_t)(seeded(z) & ((UINT64_C(1) << 8 * n) - 1));
		fwrite(&v, n, 1, z->log); /* little endian machines */
		return v;
	}
	for (unsigned i = 0; i < n && z->left; i++, z->left--)
		v |= (uint32_t)*z->in++ << 8 * i;
	return v;
}

static uint32_t rnd(struct fuzz *z)
{
	return draw(z, 4);
}

static uint32_t below(struct fuzz *z, uint32_t n)
{
	return draw(z, n <= 256 ? 1 : n <= 65536 ? 2 : 4) % n;
}

/* Details by the hundred take two bytes of an input: a seed. */
static void details_begin(struct fuzz *z)
{
	if (!z->in && !z->log)
		return;
	z->kept = z->s;
	z->s = (draw(z, 2) + UINT64_C(1)) * 0x9e3779b97f4a7c15u;
	z->detail = true;
}

static void details_end(struct fuzz *z)
{
	if (z->detail)
		z->s = z->kept;
	z->detail = false;
}

static bool one_in(struct fuzz *z, uint32_t n)
{
	return below(z, n) == 0;
}

/* An address: mostly one that means something. */
static uint64_t address_of(struct fuzz *z)
{
	switch (below(z, 12)) {
	case 0:
		return G_RING(1 + below(z, NRINGS)) + 16 * below(z, RING_TRBS);
	case 1:
		return (uint64_t)rnd(z) << 32 | rnd(z);
	case 2:
		return below(z, MEM_SIZE + 8192);
	case 3:
		return G_OCTX(below(z, 4)) + 16 * below(z, 64);
	case 4:
		return G_CMD + 16 * below(z, CMD_TRBS);
	default:
		return 0x400000 + below(z, 0x100000);
	}
}

static void scribble_trb(struct fuzz *z)
{
	static const uint8_t types[] = {TRB_NORMAL,     TRB_NORMAL, TRB_NORMAL,
					TRB_SETUP,      TRB_DATA,   TRB_STATUS,
					TRB_ISOCH,      TRB_LINK,   TRB_LINK,
					TRB_EVENT_DATA, TRB_NOOP};
	uint64_t ring = G_RING(1 + below(z, NRINGS));
	uint64_t at = ring + 16 * below(z, RING_TRBS), param = address_of(z);
	uint32_t type = types[below(z, sizeof(types))], len, fl;

	len = one_in(z, 4) ? rnd(z) & 0x1ffff : below(z, 2048);
	fl = rnd(z) & (TRB_C | TRB_ISP | TRB_CH | TRB_IOC | TRB_BEI);
	if (!one_in(z, 4))
		fl |= TRB_C;
	if (one_in(z, 20))
		type = below(z, 64);
	if (type == TRB_LINK)
		param = ring + 16 * below(z, RING_TRBS);
	if (type == TRB_LINK && one_in(z, 4))
		fl |= TRB_TC;
	if (type == TRB_SETUP) {
		fl |= TRB_IDT;
		param = (rnd(z) & 0xff80) | (uint64_t)below(z, 512) << 48;
		len = 8;
	}
	if (type == TRB_DATA || type == TRB_STATUS || one_in(z, 16))
		fl |= rnd(z) & TRB_DIR_IN;
	if (type == TRB_ISOCH)
		fl |= rnd(z) & 0xfff00000;
	put(z->f, at, param, len | below(z, one_in(z, 8) ? 1024 : 8) << 22,
	    TRB_TYPE_BITS(type) | fl);
}

static void scribble_input(struct fuzz *z)
{
	struct fake *f = z->f;

	details_begin(z);
	ictx_clear(f, one_in(z, 3) ? rnd(z) & rnd(z) : 0,
		   one_in(z, 6) ? rnd(z) : 3 | (rnd(z) & 0x1fc));
	put32(f, ictx(f, 1, 0), 31u << 27);
	put32(f, ictx(f, 1, 1), (1 + below(z, NPORTS + 1)) << 16);
	for (unsigned d = 1; d < 32; d++) {
		static const uint8_t in[] = {EPT_BULK_IN, EPT_INTR_IN,
					     EPT_ISOCH_IN, EPT_CONTROL};
		static const uint8_t out[] = {EPT_BULK_OUT, EPT_INTR_OUT,
					      EPT_ISOCH_OUT, EPT_BULK_OUT};
		unsigned t = d == 1  ? EPT_CONTROL
			     : d & 1 ? in[below(z, 4)]
				     : out[below(z, 4)];

		ictx_ep(f, d, one_in(z, 30) ? below(z, 8) : t,
			d == 1 ? 64 : 512, G_RING(1 + (d - 1) % NRINGS));
		if (one_in(z, 10))
			put32(f, ictx(f, d + 1, 0), rnd(z));
		if (one_in(z, 60))
			put64(f, ictx(f, d + 1, 2), address_of(z));
		if (d > 1 && one_in(z, 8)) {
			/* MaxPStreams, LSA, and an array of them */
			put32(f, ictx(f, d + 1, 0),
			      (1 + below(z, 4)) << 10 |
				      (one_in(z, 6) ? 0 : 1u << 15));
			put64(f, ictx(f, d + 1, 2), G_STREAMS(d));
		}
	}
	for (unsigned i = 1; i < 32; i++)
		put64(f, G_STREAMS(2 + below(z, 8)) + 16 * i,
		      G_RING(1 + below(z, NRINGS)) |
			      (one_in(z, 8) ? below(z, 16) : 3));
	details_end(z);
}

/* The input context is mostly one that suits the command. */
static void suit_input(struct fuzz *z, uint32_t type, unsigned slot)
{
	struct fake *f = z->f;

	if (one_in(z, 8))
		return;
	put32(f, ictx(f, 0, 0), one_in(z, 4) ? rnd(z) & rnd(z) & ~3u : 0);
	put32(f, ictx(f, 0, 1),
	      type == TRB_CONFIGURE_EP ? 1 | (rnd(z) & 0x1fc) : 3);
	put32(f, ictx(f, 1, 0), 31u << 27);
	put32(f, ictx(f, 1, 1), slot << 16);
	put32(f, ictx(f, 1, 2), 0);
	put32(f, ictx(f, 2, 0), 0);
}

static void any_command(struct fuzz *z)
{
	uint32_t type = 9 + below(z, 9), param = G_ICTX;
	unsigned slot = below(z, 6);

	if (one_in(z, 10))
		type = below(z, 64);
	if (type == TRB_SET_TR_DEQ)
		param = (uint32_t)(G_RING(1 + below(z, NRINGS)) +
				   16 * below(z, RING_TRBS)) |
			1;
	if ((type == TRB_DISABLE_SLOT || type == TRB_RESET_DEVICE) &&
	    !one_in(z, 8))
		type = TRB_STOP_EP;
	if (type >= TRB_ADDRESS_DEVICE && type <= TRB_EVALUATE_CTX)
		suit_input(z, type, slot);
	cmd_post(z->f, one_in(z, 20) ? address_of(z) : param,
		 one_in(z, 20) ? rnd(z) : 0,
		 TRB_TYPE_BITS(type) | SLOT(slot) |
			 EP(below(z, one_in(z, 4) ? 32 : NRINGS + 1)) |
			 (one_in(z, 16) ? TRB_BSR : 0));
}

static void any_register(struct fuzz *z)
{
	static const uint32_t offs[] = {
		REG_CMD, REG_STS, REG_CRCR, REG_CRCR + 4, 0x54,
		0x70,    0x74,    0x78,     0x1020,       0x1024,
		0x1028,  0x1030,  0x1038,   0x103c,       0x1048};
	uint32_t off = offs[below(z, 15)], v = rnd(z);

	if (one_in(z, 4))
		off = below(z, XHCI_MMIO_SIZE) & ~3u;
	if (one_in(z, 2))
		off = REG_PORTSC(1 + below(z, NPORTS + 1));
	if (one_in(z, 4))
		v &= rnd(z);
	if (off == REG_CMD && !one_in(z, 20))
		v = CMD_ON | (v & CMD_EWE);
	if (off >= OFF_PORTS && off < OFF_PORTS + 0x100 && !one_in(z, 10))
		v |= PORTSC_PP;
	xhci_mmio_write(z->f->x, off, one_in(z, 9) ? 1u << below(z, 4) : 4, v);
	xhci_mmio_read(z->f->x, below(z, XHCI_MMIO_SIZE), 1u << below(z, 4));
}

static void any_port(struct fuzz *z)
{
	unsigned p = 1 + below(z, NPORTS);
	struct fake_dev *d = &z->f->dev[p];

	switch (below(z, 6)) {
	case 0:
		if (one_in(z, 8))
			xhci_port_disconnect(z->f->x, p);
		break;
	case 1:
	case 2:
		/* a new device only when the old one has given all back */
		if (xhci_port_is_free(z->f->x, p) && !d->nheld) {
			d->eps = 0;
			fake_plug(z->f, p,
				  xhci_port_is_usb3(z->f->x, p)
					  ? USB_SPEED_SUPER
					  : USB_SPEED_HIGH);
		}
		break;
	case 3:
		xhci_port_wake(z->f->x, p);
		break;
	default:
		wr(z->f, REG_PORTSC(p), PORTSC_PP | PORTSC_PR);
		xhci_port_reset_done(z->f->x, p, !one_in(z, 10));
		break;
	}
}

static void any_completions(struct fuzz *z)
{
	struct fake_dev *d = &z->f->dev[1 + below(z, NPORTS)];

	for (unsigned n = below(z, 8); n && d->nheld; n--) {
		unsigned i = below(z, d->nheld);
		uint32_t len = d->held[i]->length;
		enum usb_status st =
			one_in(z, 4) ? below(z, USB_NSTATUS) : USB_OK;

		if (d->held[i]->npackets) {
			d->held[i]->packet[0].actual = len;
			d->held[i]->packet[0].status = st;
		}
		if (d->cancelled[i] && !one_in(z, 4))
			st = USB_CANCELLED;
		dev_end(d, i, st,
			one_in(z, 2) ? len : below(z, len + len / 4 + 1));
	}
}

/* A few good TRBs where the endpoint reads next, and the doorbell */
static void good_trbs(struct fuzz *z, unsigned slot, unsigned dci)
{
	struct fake *f = z->f;
	uint64_t deq = octx_deq(f, slot, dci), at = deq & ~15ull;
	uint32_t c = deq & 1, type = octx(f, slot, dci, 1) >> 3 & 7, id = 0;
	bool isoch = type == EPT_ISOCH_IN || type == EPT_ISOCH_OUT;

	if (octx(f, slot, dci, 0) >> 10 & 31 && at >= MEM_LOW &&
	    at < MEM_SIZE - 256) {
		id = 1 + below(z, 8); /* a stream's */
		deq = mem64(f, at + 16 * id);
		at = deq & ~15ull;
		c = deq & 1;
	}
	if (at < G_RING(1) || at > G_RING(NRINGS + 1))
		return;
	for (unsigned n = 1 + below(z, 6); n; n--) {
		uint32_t fl = c | (rnd(z) & (TRB_IOC | TRB_ISP | TRB_BEI));
		uint32_t intr = below(z, 2) << 22;

		if (type == EPT_CONTROL) {
			bool in = one_in(z, 2);

			at = put(f, at, (in ? 0x80 : 0) | 64ull << 48, 8 | intr,
				 T(SETUP) | TRB_IDT | c);
			at = put(f, at, address_of(z), 64 | intr,
				 T(DATA) | fl | (in ? TRB_DIR_IN : 0));
			at = put(f, at, 0, intr, T(STATUS) | fl);
			continue;
		}
		at = put(
			f, at, 0x400000 + below(z, 0x100000),
			below(z, 4096) | intr,
			(isoch ? T(ISOCH) | TRB_SIA : T(NORMAL)) | fl |
				(n > 1 && !isoch && one_in(z, 2) ? TRB_CH : 0));
	}
	if (one_in(z, 4))
		put(f, at, deq & ~15ull, 0, T(LINK) | c);
	wr(f, OFF_DB + 4 * slot, dci | id << 16);
}

/* What a driver would do next with a slot */
static void helpful(struct fuzz *z)
{
	struct fake *f = z->f;
	unsigned slot = 1 + below(z, 4), dci = 1 + below(z, NRINGS);
	uint32_t type = TRB_CONFIGURE_EP;
	uint64_t param = G_ICTX;

	switch (octx_slot_state(f, slot)) {
	case 0:
		cmd_post(f, 0, 0, T(ENABLE_SLOT));
		wr(f, REG_PORTSC(slot), PORTSC_PP | PORTSC_PR);
		xhci_port_reset_done(f->x, slot, true);
		type = TRB_ADDRESS_DEVICE;
		break;
	case 2:
		break;
	default:
		param = (G_RING(dci) + 16 * below(z, RING_TRBS)) | 1;
		type = TRB_SET_TR_DEQ;
		if (octx_ep_state(f, slot, dci) == EP_RUNNING) {
			good_trbs(z, slot, dci);
			return;
		}
		if (octx_ep_state(f, slot, dci) == EP_HALTED)
			type = TRB_RESET_EP;
		break;
	}
	if (param == G_ICTX) {
		scribble_input(z);
		suit_input(z, type, slot);
	}
	cmd_post(f, param, 0, TRB_TYPE_BITS(type) | SLOT(slot) | EP(dci));
	if (type == TRB_SET_TR_DEQ)
		wr(f, OFF_DB + 4 * slot, dci);
}

static void work(struct fuzz *z)
{
	struct fake *f = z->f;

	for (unsigned i = 0; i < 8 && f->kicked; i++) {
		for (unsigned p = 1; p <= NPORTS; p++)
			f->dev[p].refuse = f->dev[p].nheld > DEV_XFERS / 2 ||
					   one_in(z, 50);
		f->accesses = 0;
		f->kicked = xhci_run(f->x);
		assert_true(f->accesses <= RUN_WORK);
	}
}

static void read_events(struct fuzz *z)
{
	struct xhci_trb ev;

	for (unsigned i = 0; i < 300 && ev_take(z->f, 0, &ev); i++)
		continue;
	ev_ack(z->f, 0);
}

/* It died, or was halted: begin anew, as a driver would. */
static void restart(struct fuzz *z)
{
	struct fake *f = z->f;

	z->deaths += !!(rd(f, REG_STS) & (STS_HCE | STS_HSE));
	wr(f, REG_CMD, CMD_HCRST);
	for (unsigned p = 1; p <= XHCI_MAX_PORTS; p++)
		dev_end_all(&f->dev[p], USB_CANCELLED);
	assert_int_equal(xhci_in_flight(f->x), 0);
	assert_int_equal(f->holds, 0);
	xhci_set_bus_master(f->x, true);
	f->read_only = 0;
	f->hole = one_in(z, 3) ? 0x400000 + 4096 * below(z, 256) : 0;
	f->page = one_in(z, 3) ? 64u << below(z, 8) : 0;
	setup_events(f, 0);
	memset(f->mem + G_CMD, 0, CMD_TRBS * TRB_SIZE);
	f->cmd_at = G_CMD;
	f->cmd_cycle = true;
	put(f, G_CMD + (CMD_TRBS - 1) * TRB_SIZE, G_CMD, 0, T(LINK) | TRB_TC);
	details_begin(z);
	for (unsigned s = 1; s <= XHCI_MAX_SLOTS; s++)
		put64(f, G_DCBAA + 8 * s, G_OCTX(one_in(z, 50) ? 1 : s));
	details_end(z);
	wr(f, OFF_OP + OP_CONFIG, 5);
	wr64(f, OFF_OP + OP_DCBAAP, G_DCBAA);
	wr64(f, REG_CRCR, G_CMD | CRCR_RCS);
	wr(f, REG_CMD, CMD_ON);
	z->restarts++;
}

static void host_whim(struct fuzz *z)
{
	switch (below(z, 8)) {
	case 0:
		xhci_set_intr_mode(z->f->x, below(z, 3));
		break;
	case 1:
		xhci_set_bus_master(z->f->x, !one_in(z, 3));
		break;
	case 2:
		if (one_in(z, 20))
			xhci_reset(z->f->x);
		break;
	default:
		z->f->now += one_in(z, 3) ? below(z, 3000000000u)
					  : below(z, 1000000);
		xhci_timer(z->f->x);
		break;
	}
}

static void step(struct fuzz *z)
{
	switch (below(z, 32)) {
	case 0 ... 7:
		if (one_in(z, 4))
			scribble_trb(z);
		break;
	case 8:
		scribble_input(z);
		break;
	case 9:
		any_command(z);
		break;
	case 10 ... 13:
		helpful(z);
		break;
	case 14 ... 18:
		wr(z->f, OFF_DB + 4 * below(z, 6),
		   below(z, one_in(z, 8) ? 256 : NRINGS + 1) |
			   (one_in(z, 8) ? rnd(z) << 16 : 0));
		break;
	case 19 ... 22:
		any_completions(z);
		break;
	case 23 ... 24:
		read_events(z);
		break;
	case 25:
		if (one_in(z, 30))
			any_register(z);
		break;
	case 26 ... 27:
		any_port(z);
		break;
	case 28:
		host_whim(z);
		break;
	case 29:
		if (one_in(z, 50))
			put64(z->f, below(z, G_RING(1)) & ~7u,
			      one_in(z, 2) ? address_of(z) : rnd(z));
		break;
	default:
		work(z);
		break;
	}
	if (rd(z->f, REG_STS) & STS_HCH ? one_in(z, 50) : one_in(z, 20000))
		restart(z);
}

#endif
