/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * td.c - a TD: gathered from the ring into one transfer, and, when that has
 * ended, turned into the events software asked for.
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
	enum { WANT_SETUP, WANT_DATA, IN_DATA, WANT_STATUS, IN_STATUS } stage;
	bool idt;
};

enum step { STEP_MORE, STEP_END, STEP_BAD, STEP_NO_MEMORY };

static struct td_elem *gather_elem(struct gather *g)
{
	struct td_elem *e;
	uint32_t c = g->trb.control;

	e = td_add_elem(g->x, g->td);
	if (!e)
		return NULL;
	e->gpa = g->gpa;
	e->ccs = (c & TRB_C) != 0;
	e->type = (uint8_t)TRB_TYPE(c);
	e->intr = (uint16_t)TRB_INTR(g->trb.status);
	e->ioc = (c & TRB_IOC) != 0;
	e->isp = (c & TRB_ISP) != 0;
	e->bei = (c & TRB_BEI) != 0;
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
	while (len) {
		if (x->ops->mem_get(x->host, gpa, len, td->xfer.in, &sp) != 0)
			return STEP_BAD;
		last = td->nseg ? &td->seg[td->nseg - 1] : NULL;
		if (last && last->base + last->len == sp.base &&
		    last->hold == sp.hold) {
			last->len += sp.len;
		} else {
			last = td_add_seg(x, td);
			if (!last)
				return STEP_NO_MEMORY;
			x->ops->mem_hold(x->host, sp.hold);
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
		if (++*links > LINK_LIMIT)
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
	e->gpa = g->gpa;
	e->ccs = g->r.ccs;
	e->type = TRB_NORMAL;
	e->len = TRB_LEN(g->trb.status);
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

/*
 * td_gather - the next TD of @q, from its fetch pointer. TD_GATHERED: @td is
 * filled (its end is where the next one starts); TD_NOTHING: software has not
 * put a whole TD there yet. @trbs is decreased by the TRBs read.
 */
enum td_gather td_gather(struct xhci *x, struct xhci_epq *q, struct xhci_td *td,
			 unsigned *trbs)
{
	struct gather g = {
		.x = x, .td = td, .r = q->fetch, .limit = UINT32_MAX};
	enum step st = STEP_MORE;
	unsigned links = 0;

	td->q = q;
	td->start = q->fetch;
	td->xfer.ep = q->ep->info.ep;
	td->xfer.type = q->ep->info.type;
	td->xfer.stream = q->stream;
	td->xfer.in = (q->ep->info.ep & USB_DIR_IN) != 0;
	while (st == STEP_MORE) {
		switch (ring_next(x, &g.r, &g.trb, &g.gpa)) {
		case RING_EMPTY:
			return TD_NOTHING;
		case RING_FAULT:
			memset(&g.trb, 0, sizeof(g.trb));
			st = STEP_BAD;
			break;
		case RING_TRB:
			if (*trbs)
				(*trbs)--;
			st = gather_step(&g, &links);
			break;
		}
	}
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

/* §6.4.5; what has no code of its own is a transaction error */
enum cc td_status_cc(enum usb_status st)
{
	static const uint8_t cc[USB_NSTATUS] = {
		[USB_OK] = CC_SUCCESS,
		[USB_STALL] = CC_STALL,
		[USB_ERROR] = CC_TRANSACTION_ERROR,
		[USB_BABBLE] = CC_BABBLE,
		[USB_CANCELLED] = CC_TRANSACTION_ERROR,
		[USB_NODEV] = CC_TRANSACTION_ERROR,
		[USB_NOMEM] = CC_DATA_BUFFER_ERROR,
		[USB_MISSED] = CC_MISSED_SERVICE,
		[USB_OVERRUN] = CC_ISOCH_BUFFER_OVERRUN,
	};

	return (unsigned)st < USB_NSTATUS ? cc[st] : CC_TRANSACTION_ERROR;
}

static bool elem_is_data(const struct td_elem *e)
{
	return e->type == TRB_NORMAL || e->type == TRB_DATA ||
	       e->type == TRB_ISOCH;
}

/*
 * The element the transfer ended in: the first data TRB with bytes left, else
 * the Status Stage of a request, else the last data TRB.
 */
uint32_t td_position(const struct xhci_td *td, uint32_t *ret_off)
{
	uint32_t left = td->xfer.actual + td->skip;
	uint32_t last = 0, last_off = 0;

	for (uint32_t i = 0; i < td->nelem; i++) {
		const struct td_elem *e = &td->elem[i];

		if (e->type == TRB_STATUS) {
			*ret_off = 0;
			return i;
		}
		if (!elem_is_data(e))
			continue;
		last = i;
		last_off = left < e->len ? left : e->len;
		if (left < e->len)
			break;
		left -= e->len;
	}
	*ret_off = last_off;
	return last;
}

void td_walk_start(struct xhci_td *td)
{
	td->walk = (struct td_walk){
		.left = td->xfer.actual + td->skip,
		.edtla = td->edtla - td->skip,
		.stop = td->nelem,
	};
}

static void event_of(const struct td_elem *e, enum cc cc, uint32_t len,
		     struct td_event *ret)
{
	*ret = (struct td_event){.ptr = e->gpa,
				 .len = len,
				 .intr = e->intr,
				 .cc = (uint8_t)cc,
				 .bei = e->bei};
}

/* One data TRB of a finished TD: what it moved, and its event if it has one */
static bool retire_data(const struct td_elem *e, struct td_walk *w, enum cc cc,
			bool at_end, struct td_event *ret)
{
	uint32_t done = w->left < e->len ? w->left : e->len;

	w->left -= done;
	w->edtla = (w->edtla + done) & EV_LEN_MAX;
	if (at_end && cc != CC_SUCCESS) {
		w->ended = true;
		event_of(e, cc, e->len - done, ret);
		return true;
	}
	if (done < e->len) {
		/* §4.10.1.1: at the short TRB ISP asks too, later only IOC */
		bool first = !w->shorted;

		w->shorted = true;
		if (e->ioc || (first && e->isp)) {
			event_of(e, CC_SHORT_PACKET, e->len - done, ret);
			return true;
		}
		return false;
	}
	if (e->ioc) {
		event_of(e, CC_SUCCESS, 0, ret);
		return true;
	}
	return false;
}

static bool retire_elem(const struct xhci_td *td, uint32_t i, struct td_walk *w,
			enum cc cc, bool at_end, struct td_event *ret)
{
	const struct td_elem *e = &td->elem[i];

	switch (e->type) {
	case TRB_NORMAL:
	case TRB_DATA:
	case TRB_ISOCH:
		return retire_data(e, w, cc, at_end, ret);
	case TRB_STATUS:
		/* a TD of its own: no short packet, no length */
		w->shorted = false;
		w->edtla = 0;
		if (at_end && cc != CC_SUCCESS) {
			w->ended = true;
			event_of(e, cc, 0, ret);
			return true;
		}
		break;
	case TRB_EVENT_DATA:
		event_of(e, w->shorted ? CC_SHORT_PACKET : CC_SUCCESS, w->edtla,
			 ret);
		ret->ptr = e->param;
		ret->ed = true;
		w->edtla = 0;
		return e->ioc;
	case TRB_LINK:
		if (w->shorted)
			return false;
		break;
	default:
		break;
	}
	event_of(e, CC_SUCCESS, 0, ret);
	return e->ioc;
}

/*
 * td_retire - walk a finished TD (§4.10.1): the next event it owes, or false
 * when there is none left. Reads nothing but @td and @w.
 */
bool td_retire(const struct xhci_td *td, struct td_walk *w,
	       struct td_event *ret)
{
	uint32_t off, end = td->nelem;
	enum cc cc = td->cc;

	if (cc == CC_INVALID)
		cc = td->has_io ? td_status_cc(td->xfer.status) : CC_SUCCESS;
	if (cc != CC_SUCCESS)
		end = td_position(td, &off);
	while (w->i < w->stop && !w->ended) {
		uint32_t i = w->i++;

		if (retire_elem(td, i, w, cc, i == end, ret))
			return true;
	}
	return false;
}
