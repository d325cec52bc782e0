/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * td_gather.c - a TD, gathered from the ring into one transfer, xHCI 1.2
 * §4.11. td_retire.c has its end.
 *
 * On a control endpoint the Setup, Data and Status Stage TDs of one request
 * are gathered together: what a device is given is the whole request.
 */
#include <string.h>

#include "emu/core.h"

/* Where the gathering of one TD stands. */
struct gather {
	struct xhci *x;
	struct xhci_td *td;
	struct xhci_ring r;  /* read position */
	struct xhci_trb trb; /* the private copy of the TRB looked at */
	uint64_t gpa;        /* of it */
	uint32_t data;       /* bytes of data TRBs so far */
	uint32_t limit;      /* bytes that have a place in the payload */
	uint32_t links;      /* Links so far */
	uint32_t spans;      /* pieces of guest memory so far */
	int *work;           /* what is left of the slice */
	enum { WANT_SETUP, WANT_DATA, IN_DATA, WANT_STATUS, IN_STATUS } stage;
	bool idt;
};

enum step { STEP_MORE, STEP_END, STEP_BAD, STEP_NO_MEMORY };

static struct td_elem *gather_elem(struct gather *g)
{
	struct td_elem *e;
	uint32_t c = g->trb.control;

	e = td_add_elem(g->x, g->td);
	if (e)
		*e = (struct td_elem){
			.gpa = g->gpa,
			.ccs = (c & TRB_C) != 0,
			.type = (uint8_t)TRB_TYPE(c),
			.intr = (uint16_t)TRB_INTR(g->trb.status),
			.ioc = (c & TRB_IOC) != 0,
			.isp = (c & TRB_ISP) != 0,
			.bei = (c & TRB_BEI) != 0,
		};
	return e;
}

/* Guest memory [gpa, gpa+len) behind what the payload already has. */
static enum step gather_segs(struct gather *g, uint64_t gpa, uint32_t len)
{
	struct xhci *x = g->x;
	struct xhci_td *td = g->td;
	struct usb_seg *last;
	struct xhci_span sp;

	if (gpa + len < gpa)
		return STEP_BAD;
	for (bool first = true; len; first = false) {
		if (++g->spans > TD_MAX_SPANS)
			return STEP_BAD;
		if (!first)
			(*g->work)--;
		if (x->ops->mem_get(x->host, gpa, len, td->xfer.in, &sp) != 0) {
			TAP(x, XHCI_TAP_PAYLOAD, gpa, len, td->xfer.in, 0);
			return STEP_BAD;
		}
		TAP(x, XHCI_TAP_PAYLOAD, gpa, len, td->xfer.in, sp.len);
		last = td->nseg ? &td->seg[td->nseg - 1] : NULL;
		if (last && last->base + last->len == sp.base &&
		    last->hold == sp.hold) {
			last->len += sp.len;
		} else {
			last = td_add_seg(x, td);
			if (!last)
				return STEP_NO_MEMORY;
			x->ops->mem_hold(x->host, sp.hold);
			ACCOUNT_DO(x->account.holds++;)
			last->base = sp.base;
			last->len = sp.len;
			last->hold = sp.hold;
		}
		gpa += sp.len;
		len -= (uint32_t)sp.len;
	}
	return STEP_MORE;
}

/* §4.11.7 a Normal, Data Stage or Isoch TRB: its bytes */
static enum step gather_data(struct gather *g)
{
	struct td_elem *e = gather_elem(g);
	uint32_t len = TRB_LEN(g->trb.status), skip = 0, take;

	if (!e)
		return STEP_NO_MEMORY;
	if (len > 65536 || g->idt)
		return STEP_BAD;
	e->len = len;
	if (!g->td->has_io && g->td->skip) {
		/* resumed in the middle of this TRB, §4.6.9 */
		if (g->td->skip > len)
			g->td->skip = len;
		skip = g->td->skip;
	}
	g->td->has_io = true;
	if (g->trb.control & TRB_IDT) {
		if (len > 8 || g->td->xfer.in || g->data)
			return STEP_BAD;
		g->idt = true;
		e->param = g->trb.param;
		g->data += len;
		return STEP_MORE;
	}
	take = len - skip;
	g->data += len;
	if (take > g->limit)
		take = g->limit;
	g->limit -= take;
	return gather_segs(g, g->trb.param + skip, take);
}

/* TRBs that move nothing: Event Data, No Op, Link with IOC */
static enum step gather_mark(struct gather *g)
{
	struct td_elem *e = gather_elem(g);

	if (!e)
		return STEP_NO_MEMORY;
	e->param = g->trb.param;
	return STEP_MORE;
}

/* One TRB of a bulk, interrupt or isochronous endpoint's ring */
static enum step gather_plain(struct gather *g)
{
	bool isoch = g->td->q->ep->info.type == USB_ISOCH;
	enum step st;

	switch (TRB_TYPE(g->trb.control)) {
	case TRB_NORMAL:
		if (isoch && !g->td->isoch)
			return STEP_BAD; /* §4.11.2.5: begins with Isoch */
		st = gather_data(g);
		break;
	case TRB_ISOCH:
		if (!isoch || g->td->isoch)
			return STEP_BAD;
		g->td->isoch = true;
		g->td->sia = (g->trb.control & TRB_SIA) != 0;
		g->td->frame_id = (uint16_t)TRB_FRAME_ID(g->trb.control);
		st = gather_data(g);
		break;
	case TRB_EVENT_DATA:
	case TRB_NOOP:
		st = gather_mark(g);
		break;
	default:
		return STEP_BAD;
	}
	if (st == STEP_MORE && !(g->trb.control & TRB_CH))
		return STEP_END;
	return st;
}

/* §4.11.2.2, §6.4.1.2.1 */
static enum step gather_setup(struct gather *g)
{
	struct usb_xfer *t = &g->td->xfer;

	if (!(g->trb.control & TRB_IDT) || TRB_LEN(g->trb.status) != 8)
		return STEP_BAD;
	if (!gather_elem(g))
		return STEP_NO_MEMORY;
	memcpy(&t->setup, &g->trb.param, sizeof(t->setup));
	t->in = (t->setup.request_type & USB_DIR_IN) != 0;
	g->td->control = g->td->has_io = true;
	g->limit = t->setup.length;
	g->stage = WANT_DATA;
	return STEP_MORE;
}

/* One TRB of a control endpoint's ring: by stage, §4.11.2.2 */
static enum step gather_control(struct gather *g)
{
	unsigned type = TRB_TYPE(g->trb.control);
	bool chain = (g->trb.control & TRB_CH) != 0;
	enum step st;

	switch (g->stage) {
	case WANT_SETUP:
		if (type == TRB_SETUP)
			return gather_setup(g);
		if (type != TRB_NOOP && type != TRB_EVENT_DATA)
			return STEP_BAD;
		st = gather_mark(g);
		return st == STEP_MORE && !chain ? STEP_END : st;
	case WANT_DATA:
		if (type == TRB_STATUS)
			break;
		if (type != TRB_DATA ||
		    ((g->trb.control & TRB_DIR_IN) != 0) != g->td->xfer.in)
			return STEP_BAD;
		g->stage = chain ? IN_DATA : WANT_STATUS;
		return gather_data(g);
	case IN_DATA:
		if (!chain)
			g->stage = WANT_STATUS;
		if (type == TRB_NORMAL || type == TRB_DATA)
			return gather_data(g);
		if (type == TRB_EVENT_DATA)
			return gather_mark(g);
		return STEP_BAD;
	case WANT_STATUS:
		if (type == TRB_STATUS)
			break;
		return STEP_BAD;
	case IN_STATUS:
		if (type != TRB_EVENT_DATA)
			return STEP_BAD;
		st = gather_mark(g);
		return st == STEP_MORE && !chain ? STEP_END : st;
	}
	g->stage = IN_STATUS;
	if (!gather_elem(g))
		return STEP_NO_MEMORY;
	return chain ? STEP_MORE : STEP_END;
}

static enum step gather_step(struct gather *g, unsigned *links)
{
	if (TRB_TYPE(g->trb.control) == TRB_LINK) {
		if (++*links > LINK_LIMIT || ++g->links > TD_MAX_TRBS)
			return STEP_BAD;
		if (!(g->trb.control & TRB_IOC))
			return STEP_MORE;
		if (TRB_INTR(g->trb.status) >= XHCI_NINTRS)
			return STEP_BAD;
		if (g->td->nelem >= TD_MAX_TRBS + LINK_LIMIT)
			return STEP_BAD;
		/* with nothing before it, it is done as soon as read */
		if (g->td->nelem == 0)
			return gather_mark(g) == STEP_MORE ? STEP_END
							   : STEP_NO_MEMORY;
		return gather_mark(g);
	}
	*links = 0;
	if (g->td->nelem >= TD_MAX_TRBS ||
	    TRB_INTR(g->trb.status) >= XHCI_NINTRS)
		return STEP_BAD;
	if (g->td->q->ep->info.type == USB_CONTROL)
		return gather_control(g);
	return gather_plain(g);
}

/* A TRB that cannot be: the TD ends with TRB Error there, §4.10.2.2 */
static void gather_bad(struct gather *g)
{
	struct xhci_td *td = g->td;
	struct td_elem *e;

	td_drop_holds(g->x, td);
	td->has_io = false;
	td->cc = CC_TRB_ERROR;
	td->nelem = 0;
	e = td_add_elem(g->x, td);
	if (!e)
		return; /* the endpoint still stops, without an event */
	*e = (struct td_elem){
		.gpa = g->gpa,
		.ccs = g->r.ccs,
		.type = TRB_NORMAL,
		.len = TRB_LEN(g->trb.status),
	};
}

static void gather_finish(struct gather *g)
{
	struct xhci_td *td = g->td;
	struct usb_xfer *t = &td->xfer;

	td->end = g->r;
	if (td->cc != CC_INVALID)
		return;
	if (g->idt) {
		for (uint32_t i = 0; i < td->nelem; i++) {
			struct td_elem *e = &td->elem[i];

			if ((e->type != TRB_NORMAL && e->type != TRB_DATA) ||
			    e->len <= td->skip)
				continue;
			/* stands still now: no element is added any more */
			td->seg[0].base = (uint8_t *)&e->param + td->skip;
			td->seg[0].len = e->len - td->skip;
			td->seg[0].hold = NULL;
			td->nseg = 1;
		}
	}
	t->seg = td->seg;
	t->nseg = td->nseg;
	for (uint32_t i = 0; i < td->nseg; i++)
		t->length += (uint32_t)td->seg[i].len;
	if (td->control)
		t->setup.length = (uint16_t)t->length;
	t->td = td;
}

/* TRBs until the TD is whole; STEP_MORE: it is not, yet. @got: the first */
static enum step gather_trbs(struct gather *g, enum ring_result got)
{
	enum step st = STEP_MORE;
	unsigned links = 0;

	for (;;) {
		switch (got) {
		case RING_EMPTY:
			return STEP_MORE;
		case RING_FAULT:
			memset(&g->trb, 0, sizeof(g->trb));
			return STEP_BAD;
		case RING_TRB:
			(*g->work)--;
			st = gather_step(g, &links);
			break;
		}
		if (st != STEP_MORE)
			return st;
		got = ring_next(g->x, &g->r, &g->trb, &g->gpa);
	}
}

/*
 * td_gather - the next TD of @q, from its fetch pointer. TD_GATHERED: @td is
 * filled (its end is where the next one starts); TD_NOTHING: software has not
 * put a whole TD there yet. @work is decreased by the TRBs read, and by the pieces
 * of guest memory beyond one for each; below 0 when the TD was more than that.
 */
enum td_gather td_gather(struct xhci *x, struct xhci_epq *q, struct xhci_td *td,
			 int *work)
{
	struct gather g = {.x = x,
			   .td = td,
			   .r = q->fetch,
			   .limit = UINT32_MAX,
			   .work = work};
	enum ring_result got = ring_next(x, &g.r, &g.trb, &g.gpa);
	enum step st;

	if (got == RING_EMPTY)
		return TD_NOTHING; /* so each time but once a TD: do no more */
	td_begin(td, q);
	td->start = q->fetch;
	td->xfer.ep = q->ep->info.ep;
	td->xfer.type = q->ep->info.type;
	td->xfer.stream = q->stream;
	td->xfer.in = (q->ep->info.ep & USB_DIR_IN) != 0;
	st = gather_trbs(&g, got);
	if (st == STEP_MORE)
		return TD_NOTHING;
	if (st == STEP_END && g.idt && !td->cap_seg) {
		if (!td_add_seg(x, td))
			st = STEP_NO_MEMORY;
		td->nseg = 0; /* gather_finish() fills it in */
	}
	if (st == STEP_NO_MEMORY)
		return TD_NO_MEMORY;
	if (st == STEP_BAD)
		gather_bad(&g);
	gather_finish(&g);
	return TD_GATHERED;
}
