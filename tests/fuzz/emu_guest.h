/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_guest.h - for emu_fuzz: what a guest's driver does right, with a mistake
 * where the input wants one. TRBs are put where the controller reads next, and
 * commands get contexts that suit them, so that an input of a few bytes is a
 * transfer.
 */
#ifndef TESTS_FUZZ_EMU_GUEST_H
#define TESTS_FUZZ_EMU_GUEST_H

#include "tests/fuzz/emu_ops.h"
#include "tests/unit/emu_chaos.h"

#define SLOTS 4u
#define G_PAGES(slot, dci) ((((slot)-1u) * 32u + (dci)) * 0x1000u)
#define G_ARRAY(slot, dci) (0x200000u + G_PAGES(slot, dci))
#define G_XRING(slot, dci) (0x280000u + G_PAGES(slot, dci))
#define G_SRING(slot, dci, id) \
	(0x300000u + (((slot)*32u + (dci)) * 16u + (id)) % 1024u * 0x400u)
#define G_BUF 0x400000u
#define PAGE_LINK 0xff0u /* a Link in the last place of each page */

static bool in_mem(uint64_t gpa, uint64_t len)
{
	return gpa >= MEM_LOW && gpa < MEM_SIZE && len <= MEM_SIZE - gpa;
}

static unsigned a_slot(struct fuzz *z)
{
	return 1 + below(z, 256) % SLOTS;
}

static unsigned a_port(struct fuzz *z)
{
	return 1 + below(z, 256) % XHCI_MAX_PORTS;
}

static uint64_t u64(struct fuzz *z)
{
	uint64_t lo = draw(z, 4);

	return lo | (uint64_t)draw(z, 4) << 32;
}

/* What the machine's host does wrong, and when */
static struct host {
	uint32_t refuse;    /* a bit a port */
	unsigned no_memory; /* allocations until one fails; 0: none does */
	unsigned fault_in;  /* accesses to guest memory, likewise */
	unsigned snapshots;
	const struct xhci_tap_ops *tap; /* NULL: nobody listens */
	void *tap_arg;
	unsigned turns; /* that the controller has worked for this input */
} host;

static void on_get(void)
{
	if (host.fault_in && --host.fault_in == 0)
		usb_mem_fault();
}

static void turn(struct fuzz *z)
{
	struct fake *f = z->f;

	for (unsigned p = 1; p <= XHCI_MAX_PORTS; p++)
		f->dev[p].refuse =
			f->dev[p].nheld > DEV_XFERS / 2 || host.refuse >> p & 1;
	f->accesses = 0;
	host.turns++;
	f->kicked = xhci_run(f->x);
	assert_true(f->accesses <= RUN_WORK);
}

static void turns(struct fuzz *z)
{
	for (unsigned i = 0; i < 8 && z->f->kicked; i++)
		turn(z);
}

/* --- TRBs --- */

/* Where the next TRB of a ring goes */
struct place {
	struct fake *f;
	uint64_t at;
	uint32_t c;
	unsigned n;
	uint64_t put[16]; /* the TRBs of this TD */
};

static void place_trb(struct place *p, uint64_t param, uint32_t status,
		      uint32_t control)
{
	if (!in_mem(p->at, 3 * TRB_SIZE))
		return;
	if ((p->at & 0xfff) == PAGE_LINK) {
		put(p->f, p->at, p->at & ~0xfffull, 0,
		    T(LINK) | TRB_TC | (control & TRB_CH) | p->c);
		p->at &= ~0xfffull;
		p->c ^= TRB_C;
	}
	if (p->n < 16)
		p->put[p->n++] = p->at;
	p->at = put(p->f, p->at, param, status, (control & ~TRB_C) | p->c);
}

static void place_link(struct place *p, uint32_t control)
{
	if ((p->at & 0xfff) >= PAGE_LINK - 64 || !in_mem(p->at, 4 * TRB_SIZE))
		return;
	place_trb(p, p->at + 32, 0, T(LINK) | control);
	p->at += TRB_SIZE;
}

/* What is behind is not the controller's. */
static void place_end(struct place *p)
{
	if (in_mem(p->at, TRB_SIZE))
		put32(p->f, p->at + 12, p->c ^ TRB_C);
}

static struct xhci_ep *find_ep(struct fake *f, unsigned slot, unsigned dci)
{
	return f->x->slot[slot - 1].ep[dci & 31];
}

/* The ring of an endpoint or a stream, where the controller reads it */
static bool find_place(struct fake *f, struct xhci_ep *ep, unsigned stream,
		       struct place *ret)
{
	struct xhci_ring r = ep->q.fetch;

	*ret = (struct place){.f = f};
	if (ep->stream && stream < ep->nstreams && ep->stream[stream]) {
		r = ep->stream[stream]->fetch;
	} else if (ep->stream) {
		/* not used yet: as its driver set it up */
		r.deq = G_SRING(ep->slot->id, ep->dci, stream);
		r.ccs = true;
	}
	ret->at = r.deq;
	ret->c = r.ccs ? TRB_C : 0;
	return in_mem(r.deq, TRB_SIZE);
}

static void td_control(struct fuzz *z, struct place *p, uint32_t shape,
		       uint32_t len, uint32_t intr)
{
	uint32_t fl = (shape & TD_IOC ? TRB_IOC : 0) |
		      (shape & TD_ISP ? TRB_ISP : 0) |
		      (shape & TD_BEI ? TRB_BEI : 0);
	bool in = !(shape & TD_LATE), data = !(shape & TD_FRAME) && len;
	uint32_t dir = in ? TRB_DIR_IN : 0;

	(void)z;
	place_trb(p,
		  (in ? 0x80u : 0) | 6u << 8 |
			  (data ? (uint64_t)(len & 0xffff) << 48 : 0),
		  8 | intr, T(SETUP) | TRB_IDT | fl);
	if (shape & TD_LINK)
		place_link(p, 0);
	for (unsigned n = data ? 1 + (shape & TD_TRBS) : 0, i = 0; i < n; i++)
		place_trb(p, G_BUF + 4096 * i,
			  (shape & TD_IDT ? len & 7 : len / n) | intr,
			  (i ? T(NORMAL) : T(DATA) | dir) | fl |
				  (shape & TD_IDT ? TRB_IDT : 0) |
				  (i + 1 < n || shape & TD_EVENT_DATA ? TRB_CH
								      : 0));
	if (data && shape & TD_EVENT_DATA)
		place_trb(p, 0x1234567890abcdefull, intr,
			  T(EVENT_DATA) | TRB_IOC);
	if (shape & TD_OPEN)
		return;
	place_trb(p, 0, intr,
		  T(STATUS) | fl | (in && data ? 0 : TRB_DIR_IN) |
			  (shape & TD_EVENT_DATA ? TRB_CH : 0));
	if (shape & TD_EVENT_DATA)
		place_trb(p, 0xfeed, intr, T(EVENT_DATA) | fl);
}

static uint32_t isoch_bits(struct fuzz *z, uint32_t shape)
{
	uint64_t frame = mfindex_now(z->f->x) / 8;
	uint32_t ahead;

	if (!(shape & TD_FRAME))
		return TRB_SIA;
	ahead = below(z, 256);
	if (shape & TD_LATE)
		frame -= ahead * 8;
	else
		frame += ahead;
	return (uint32_t)(frame & 0x7ff) << 20;
}

static void td_plain(struct fuzz *z, struct place *p, uint32_t shape,
		     uint32_t len, uint32_t intr, bool isoch)
{
	unsigned n = 1 + (shape & TD_TRBS);
	uint32_t fl = (shape & TD_IOC ? TRB_IOC : 0) |
		      (shape & TD_ISP ? TRB_ISP : 0) |
		      (shape & TD_BEI ? TRB_BEI : 0);
	uint32_t first = isoch ? T(ISOCH) | isoch_bits(z, shape) : T(NORMAL);
	bool more = shape & (TD_EVENT_DATA | TD_OPEN);

	for (unsigned i = 0; i < n; i++) {
		uint32_t l = shape & TD_IDT ? len & 7 : len / n;

		place_trb(p, G_BUF + below(z, 256) * 1024, l | intr,
			  (i ? T(NORMAL) : first) | fl |
				  (shape & TD_IDT ? TRB_IDT : 0) |
				  (more || i + 1 < n ? TRB_CH : 0));
		if (shape & TD_LINK && i == 0)
			place_link(p, fl | (more || n > 1 ? TRB_CH : 0));
	}
	if (shape & TD_EVENT_DATA)
		place_trb(p, 0xabcd, intr,
			  T(EVENT_DATA) | TRB_IOC |
				  (shape & TD_OPEN ? TRB_CH : 0));
}

static void doorbell(struct fake *f, unsigned slot, unsigned dci,
		     unsigned stream)
{
	wr(f, OFF_DB + 4 * slot, dci | stream << 16);
}

/* OP_TD */
static void a_td(struct fuzz *z)
{
	unsigned slot = a_slot(z), dci = below(z, 256) & 31;
	unsigned stream = below(z, 256);
	uint32_t shape = draw(z, 2), len = draw(z, 2), wrong = draw(z, 1);
	uint32_t intr = (shape >> TD_INTR_SHIFT & 7) << 22, bit;
	struct xhci_ep *ep = find_ep(z->f, slot, dci);
	struct place p;

	if (!ep || !find_place(z->f, ep, stream, &p))
		return;
	if (shape & TD_NOOP)
		place_trb(&p, 1, intr,
			  (shape & TD_EVENT_DATA ? T(EVENT_DATA) : T(NOOP)) |
				  (shape & TD_IOC ? TRB_IOC : 0) |
				  (shape & TD_OPEN ? TRB_CH : 0));
	else if (ep->info.type == USB_CONTROL)
		td_control(z, &p, shape, len, intr);
	else
		td_plain(z, &p, shape, len, intr, ep->info.type == USB_ISOCH);
	place_end(&p);
	if (wrong && p.n) {
		bit = below(z, 128);
		z->f->mem[p.put[wrong % p.n] + bit / 8] ^=
			(uint8_t)(1u << bit % 8);
	}
	if (!(shape & TD_QUIET))
		doorbell(z->f, slot, dci, stream);
}

/* OP_TRB */
static void a_trb(struct fuzz *z)
{
	unsigned slot = a_slot(z), dci = below(z, 256) & 31;
	unsigned stream = draw(z, 2);
	struct xhci_ep *ep = find_ep(z->f, slot, dci);
	uint64_t param = u64(z);
	uint32_t status = rnd(z), control = rnd(z);
	struct place p;

	if (!ep || !find_place(z->f, ep, stream, &p))
		return;
	place_trb(&p, param, status, control);
	place_end(&p);
	doorbell(z->f, slot, dci, stream);
}

/* --- commands --- */

static void a_command(struct fake *f, uint64_t param, uint32_t status,
		      uint32_t control)
{
	const struct xhci_cmd *c = &f->x->cmd;
	uint64_t end = G_CMD + (CMD_TRBS - 1) * TRB_SIZE;

	if (c->ring.deq >= G_CMD && c->ring.deq < end) {
		f->cmd_at = c->ring.deq;
		f->cmd_cycle = c->ring.ccs;
		cmd_post(f, param, status, control);
		if (f->cmd_at != G_CMD)
			put32(f, f->cmd_at + 12, f->cmd_cycle ? 0 : TRB_C);
	} else if (in_mem(c->ring.deq, TRB_SIZE)) {
		put(f, c->ring.deq, param, status,
		    (control & ~TRB_C) | (c->ring.ccs ? TRB_C : 0));
		wr(f, OFF_DB, 0);
	}
}

/* Stream contexts of an endpoint: linear, or every other one an array more */
static void put_streams(struct fake *f, unsigned slot, unsigned dci,
			unsigned log2, bool arrays)
{
	unsigned n = 2u << log2;
	uint64_t base = G_ARRAY(slot, dci);

	memset(f->mem + base, 0, 0x1000);
	for (unsigned i = 1; i < n; i++) {
		uint64_t second = base + 0x400 + 0x80 * (i & 15);

		if (!arrays || (i & 1)) {
			put64(f, base + 16 * i,
			      G_SRING(slot, dci, i) | 1u << 1 | EP_CTX_DCS);
			continue;
		}
		put64(f, base + 16 * i, second | 2u << 1);
		for (unsigned k = 1; k < 8; k++)
			put64(f, second + 16 * k,
			      G_SRING(slot, dci, i + n * k) | EP_CTX_DCS);
	}
}

static void up_ep(struct fake *f, unsigned slot, unsigned dci, unsigned type,
		  uint32_t details)
{
	unsigned bulk = type == EPT_BULK_IN || type == EPT_BULK_OUT;
	unsigned mps = bulk ? 1024 : 64u << (details >> 12 & 3);
	unsigned burst = details >> 6 & 3, mult = bulk ? 0 : details >> 8 & 3;
	uint32_t esit = bulk ? 0 : mps * (burst + 1) * (mult + 1);
	uint32_t ps = 0;

	if (details >> 10 & 1)
		esit *= 7;
	if (dci >= 8 && dci < 12) {
		ps = (details >> 4 & 3) + 1;
		put_streams(f, slot, dci, ps, dci >= 10);
		ps = ps << 10 | (dci < 10 ? EP_CTX_LSA : 0);
	}
	put32(f, ictx(f, dci + 1, 0),
	      ps | (details & 15) << 16 | mult << 8 | (esit >> 16) << 24);
	put32(f, ictx(f, dci + 1, 1),
	      3u << 1 | type << 3 | burst << 8 | mps << 16);
	put64(f, ictx(f, dci + 1, 2),
	      ps ? G_ARRAY(slot, dci) : G_XRING(slot, dci) | EP_CTX_DCS);
	put32(f, ictx(f, dci + 1, 4), esit << 16 | 512);
}

static void up_ictx(struct fake *f, unsigned slot, unsigned what,
		    uint32_t details)
{
	static const uint8_t eps[][3] = {
		{UP_BULK, 2, EPT_BULK_OUT},    {UP_BULK, 3, EPT_BULK_IN},
		{UP_INTR, 4, EPT_INTR_OUT},    {UP_INTR, 5, EPT_INTR_IN},
		{UP_ISOCH, 6, EPT_ISOCH_OUT},  {UP_ISOCH, 7, EPT_ISOCH_IN},
		{UP_STREAMS, 8, EPT_BULK_OUT}, {UP_STREAMS, 9, EPT_BULK_IN},
		{UP_ARRAYS, 10, EPT_BULK_OUT}, {UP_ARRAYS, 11, EPT_BULK_IN},
		{UP_CONTROL, 13, EPT_CONTROL},
	};
	uint32_t add = 1, last = 1;

	ictx_clear(f, 0, 0);
	for (unsigned i = 0; i < sizeof(eps) / sizeof(eps[0]); i++)
		if (what & eps[i][0]) {
			up_ep(f, slot, eps[i][1], eps[i][2], details);
			last = eps[i][1];
			add |= 1u << last;
		}
	put32(f, ictx(f, 0, 1), add);
	put32(f, ictx(f, 1, 0), last << 27);
	put32(f, ictx(f, 1, 2), (details >> 14 & 3) << 22);
}

static void address_ictx(struct fake *f, unsigned slot, unsigned port)
{
	bool usb3 = xhci_port_is_usb3(f->x, port);

	ictx_address(f, port, usb3 ? 512 : 64);
	put64(f, ictx(f, 2, 2), G_XRING(slot, 1) | EP_CTX_DCS);
}

/* OP_UP: a device is plugged in, found, and configured. */
static void bring_up(struct fuzz *z)
{
	struct fake *f = z->f;
	unsigned slot = a_slot(z), port = a_port(z), what = below(z, 256);
	uint32_t details = draw(z, 2);

	if (port > xhci_nports(f->x))
		port = 1 + port % xhci_nports(f->x);
	if (rd(f, REG_STS) & STS_HCH)
		restart(z);
	if (xhci_port_is_free(f->x, port) && !f->dev[port].nheld) {
		f->dev[port].eps = 0;
		fake_plug(f, port,
			  xhci_port_is_usb3(f->x, port) ? USB_SPEED_SUPER
							: USB_SPEED_HIGH);
	}
	if (!port_enabled(&f->x->port[port - 1])) {
		wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_PR);
		xhci_port_reset_done(f->x, port, true);
	}
	wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_CHANGES);
	for (unsigned i = 0; i < slot && !slot_get(f->x, slot); i++) {
		a_command(f, 0, 0, T(ENABLE_SLOT));
		turns(z);
	}
	address_ictx(f, slot, port);
	if (what & UP_BSR) {
		a_command(f, G_ICTX, 0,
			  T(ADDRESS_DEVICE) | SLOT(slot) | TRB_BSR);
		turns(z);
	}
	a_command(f, G_ICTX, 0, T(ADDRESS_DEVICE) | SLOT(slot));
	turns(z);
	if (!(what & UP_ADDRESSED)) {
		up_ictx(f, slot, what, details);
		a_command(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(slot));
		turns(z);
	}
	read_events(z);
}

/* OP_CMD: with what it needs, for as long as @how does not say otherwise */
static void suited_command(struct fuzz *z)
{
	struct fake *f = z->f;
	uint32_t type = below(z, 64);
	unsigned slot = a_slot(z), dci = below(z, 256) & 31;
	uint32_t how = draw(z, 1), status = 0;
	struct xhci_slot *s = &f->x->slot[slot - 1];
	struct xhci_ep *ep = s->ep[dci];
	uint64_t param = G_ICTX;

	switch (type) {
	case TRB_ADDRESS_DEVICE:
		if (!(how & 2))
			address_ictx(f, slot, s->port ? s->port : slot);
		break;
	case TRB_CONFIGURE_EP:
		if (!(how & 2))
			up_ictx(f, slot, how >> 2, dci << 10 | how);
		if (how & 128)
			put32(f, ictx(f, 0, 0), 1u << dci & ~3u);
		break;
	case TRB_EVALUATE_CTX:
		if (how & 2)
			break;
		up_ictx(f, slot, 0, 0);
		put32(f, ictx(f, 0, 1), 3 & how >> 2);
		put32(f, ictx(f, 1, 1), how >> 4 << 8);
		put32(f, ictx(f, 2, 1),
		      3u << 1 | EPT_CONTROL << 3 | 512u << 16);
		break;
	case TRB_SET_TR_DEQ:
		status = how >> 3 << 16;
		param = (ep && ep->stream ? G_SRING(slot, dci, how >> 3)
					  : G_XRING(slot, dci)) |
			1 | (how >> 1 & 3) << 1;
		if (how & 1)
			param += 0x200;
		break;
	case TRB_GET_PORT_BW:
	case TRB_FORCE_HEADER:
		slot = how >> 4;
		param = G_BUF + (how & 1 ? 8 : 0);
		break;
	default:
		break;
	}
	a_command(f, param, status,
		  TRB_TYPE_BITS(type) | SLOT(slot) | EP(dci) |
			  (how & 1 && type != TRB_SET_TR_DEQ ? TRB_BSR : 0));
}

#endif
