/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.c - endpoints and their transfer rings, xHCI 1.2 §4.6.8-10, §4.8.3,
 * §4.10. TDs are gathered from the ring, lent to the device in order, and
 * retired in order. Writes endpoint states, dequeue pointers, and which TDs
 * are in flight.
 *
 * A ring may be taken back from the device (ep_drain): for Stop Endpoint what
 * is not done stays on the ring and is gathered again later, to the byte; for
 * the rest it is forgotten. Either way the transfers come back one by one,
 * and the endpoint is quiet only when the last has.
 */
#include <stdlib.h>

#include "emu/core.h"

#define GO(s)                \
	{                    \
		true, EP_##s \
	}
#define NO(s)                 \
	{                     \
		false, EP_##s \
	}

/* clang-format off */
const struct ep_rule ep_rules[EP_NSTATES][EP_NEVENTS] = {
	/*               DOORBELL      STOP          RESET         SET_DEQ */
	[EP_DISABLED] = { NO(DISABLED), NO(DISABLED), NO(DISABLED), NO(DISABLED) },
	[EP_RUNNING]  = { GO(RUNNING),  GO(STOPPED),  NO(RUNNING),  NO(RUNNING) },
	[EP_HALTED]   = { NO(HALTED),   NO(HALTED),   GO(STOPPED),  NO(HALTED) },
	[EP_STOPPED]  = { GO(RUNNING),  NO(STOPPED),  NO(STOPPED),  GO(STOPPED) },
	[EP_ERROR]    = { NO(ERROR),    NO(ERROR),    NO(ERROR),    GO(STOPPED) },
};
/* clang-format on */

void ep_write_ctx(struct xhci_ep *ep)
{
	uint32_t dw[5];

	for (unsigned i = 0; i < 5; i++)
		dw[i] = ep->ctx[i];
	dw[0] = (dw[0] & ~7u) | ep->state;
	dw[2] = (uint32_t)ep->q.deq.deq | (ep->q.deq.ccs ? EP_CTX_DCS : 0);
	dw[3] = (uint32_t)(ep->q.deq.deq >> 32);
	if (mem_write_ctx(ep->slot->x, slot_ep_ctx_gpa(ep->slot, ep->dci), dw,
			  5) != 0)
		xhci_fail_hse(ep->slot->x,
			      "device context not in guest memory");
}

void ep_set_state(struct xhci_ep *ep, enum ep_state st)
{
	ep->state = (uint8_t)st;
	ep_write_ctx(ep);
}

void ep_ready(struct xhci_epq *q)
{
	struct xhci *x = q->ep->slot->x;

	if (q->ready)
		return;
	q->ready = true;
	q->ready_next = NULL;
	if (x->ready_tail)
		x->ready_tail->ready_next = q;
	else
		x->ready_head = q;
	x->ready_tail = q;
	xhci_kick(x);
}

static void ready_remove(struct xhci_epq *q)
{
	struct xhci *x = q->ep->slot->x;
	struct xhci_epq **p = &x->ready_head, *last = NULL;

	if (!q->ready)
		return;
	while (*p != q) {
		last = *p;
		p = &last->ready_next;
	}
	*p = q->ready_next;
	if (x->ready_tail == q)
		x->ready_tail = last;
	q->ready = false;
}

void ep_resume_all(struct xhci *x)
{
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		for (unsigned d = 1; d < NDCI; d++) {
			struct xhci_ep *ep = x->slot[i].ep[d];

			if (ep && ep->state == EP_RUNNING)
				ep_ready(&ep->q);
		}
}

static void td_append(struct xhci_epq *q, struct xhci_td *td)
{
	td->next = NULL;
	td->prev = q->tail;
	if (q->tail)
		q->tail->next = td;
	else
		q->head = td;
	q->tail = td;
	q->ntds++;
}

static void td_remove(struct xhci_epq *q, struct xhci_td *td)
{
	if (td->prev)
		td->prev->next = td->next;
	else
		q->head = td->next;
	if (td->next)
		td->next->prev = td->prev;
	else
		q->tail = td->prev;
	q->ntds--;
	td_put(q->ep->slot->x, td);
}

static void drop_done(struct xhci_epq *q)
{
	struct xhci_td *td, *next;

	for (td = q->head; td; td = next) {
		next = td->next;
		if (td->state == TD_DONE)
			td_remove(q, td);
	}
}

bool ep_quiet(const struct xhci_ep *ep)
{
	return !ep->q.head;
}

/* The last transfer is back: whoever waited for that goes on. */
static void drain_check(struct xhci_ep *ep)
{
	struct xhci *x = ep->slot->x;

	if (ep->drain == DRAIN_NONE || !ep_quiet(ep))
		return;
	ep->drain = DRAIN_NONE;
	ep->q.rewound = false;
	ep->q.fetch = ep->q.deq;
	if (ep->state == EP_RUNNING && !x->cmd.busy)
		ep_ready(&ep->q);
	if (x->cmd.busy)
		xhci_kick(x);
}

void ep_drain(struct xhci_ep *ep, enum ep_drain why)
{
	struct xhci_td *td;

	if (why > ep->drain)
		ep->drain = (uint8_t)why;
	for (td = ep->q.tail; td; td = td->prev) {
		if (td->state != TD_FLYING || td->cancelled)
			continue;
		td->cancelled = true;
		td->ops->cancel(td->dev, &td->xfer);
	}
	if (ep->drain == DRAIN_DROP)
		drop_done(&ep->q);
	drain_check(ep);
}

static bool cc_halts(enum cc cc)
{
	return cc != CC_SUCCESS && cc != CC_SHORT_PACKET;
}

static void post_prepare(const struct xhci_ep *ep, const struct td_event *ev,
			 struct xhci_trb *trb)
{
	trb->param = ev->ptr;
	trb->status = (ev->len & EV_LEN_MAX) | (uint32_t)ev->cc << EV_CC_SHIFT;
	trb->control = TRB_TYPE_BITS(TRB_EV_TRANSFER) | (ev->ed ? EV_ED : 0) |
		       (uint32_t)ep->dci << 16 | (uint32_t)ep->slot->id << 24;
}

/*
 * The endpoint stops at the TRB that failed; the context says so before the
 * event does (§4.8.3: software looks there when it sees the event).
 */
static void ep_halt(struct xhci_epq *q, struct xhci_td *td, enum cc cc)
{
	struct xhci_ep *ep = q->ep;
	uint32_t off = 0, pos = td_position(td, &off);

	if (td->nelem) {
		q->deq.deq = td->elem[pos].gpa;
		q->deq.ccs = td->elem[pos].ccs;
	}
	q->resume_off = td->control ? 0 : off;
	q->resume_edtla = td->control ? 0 : td->walk.edtla;
	ep->slot->x->stats.errors++;
	ep_set_state(ep, cc == CC_TRB_ERROR ? EP_ERROR : EP_HALTED);
}

/* Write the events a finished TD owes; false: no room for the next one */
static bool td_post_events(struct xhci_epq *q, struct xhci_td *td,
			   bool *ret_halted)
{
	struct xhci *x = q->ep->slot->x;
	struct td_walk w = td->walk;
	struct td_event ev;
	struct xhci_trb trb;

	while (td_retire(td, &w, &ev)) {
		if (!intr_has_room(x, ev.intr))
			return false;
		td->walk = w;
		if (cc_halts(ev.cc)) {
			ep_halt(q, td, ev.cc);
			*ret_halted = true;
		}
		post_prepare(q->ep, &ev, &trb);
		intr_post(x, ev.intr, &trb, ev.bei);
	}
	td->walk = w;
	return true;
}

/* A TRB Error whose record could not be had halts all the same. */
static bool td_failed_silently(const struct xhci_td *td)
{
	return td->cc != CC_INVALID && td->nelem == 0;
}

/*
 * Stop Endpoint reached a TD in the middle: the ring continues there. Events
 * for TRBs that were done are posted first; false: no room for one.
 */
static bool ep_rewind(struct xhci_epq *q, struct xhci_td *td)
{
	uint32_t off, pos = td->control ? 0 : td_position(td, &off);
	uint32_t mps = q->ep->info.max_packet;
	const struct td_elem *e = &td->elem[pos];
	bool halted = false;

	if (td->control)
		off = 0;
	td->walk.stop = pos;
	if (!td_post_events(q, td, &halted))
		return false;
	q->deq.deq = e->gpa;
	q->deq.ccs = e->ccs;
	q->resume_off = off;
	q->resume_edtla = td->walk.edtla + off;
	q->resume_short = !td->control && td->xfer.in && td->xfer.actual % mps;
	q->stop_known = e->type == TRB_NORMAL || e->type == TRB_DATA;
	q->stop_intr = e->intr;
	q->stop_len = e->len - off;
	q->rewound = true;
	drop_done(q);
	return true;
}

static bool td_was_cut(const struct xhci_td *td)
{
	return td->state == TD_DONE && td->cancelled &&
	       td->xfer.status == USB_CANCELLED;
}

/* Retire what is finished, in ring order; false: something waits for room */
static bool ep_retire(struct xhci_epq *q)
{
	struct xhci_ep *ep = q->ep;
	struct xhci_td *td;
	bool halted = false;

	if (q->rewound)
		drop_done(q);
	while ((td = q->head) && td->state == TD_DONE) {
		if (td_was_cut(td) && td->xfer.length &&
		    td->xfer.actual == td->xfer.length)
			td->xfer.status = USB_OK; /* all of it came first */
		if (td_was_cut(td) && ep->drain == DRAIN_STOP) {
			if (!ep_rewind(q, td))
				return false;
			break;
		}
		if (!td_post_events(q, td, &halted))
			return false;
		if (td_failed_silently(td)) {
			ep_halt(q, td, CC_TRB_ERROR);
			halted = true;
		}
		if (halted) {
			td_remove(q, td);
			ep_drain(ep, DRAIN_DROP);
			break;
		}
		q->deq = td->end;
		q->resume_off = q->resume_edtla = 0;
		td_remove(q, td);
	}
	drain_check(ep);
	return true;
}

static void td_submit(struct xhci_epq *q, struct xhci_td *td)
{
	struct xhci_slot *s = q->ep->slot;
	struct xhci_port *p = slot_port(s);

	td->state = TD_DONE; /* unless the device takes it */
	if (td->cc != CC_INVALID || !td->has_io) {
		td_walk_start(td);
		return;
	}
	td->xfer.status = USB_NODEV;
	if (p && port_enabled(p)) {
		td->ops = p->ops;
		td->dev = p->dev;
		td->state = TD_FLYING;
		if (p->ops->submit(p->dev, &td->xfer) == 0) {
			s->nflight++;
			s->x->nflight++;
			s->x->stats.tds++;
			q->bytes_flight += td->xfer.length;
			return;
		}
		td->state = TD_DONE;
		td->xfer.status = USB_NODEV;
		td->xfer.actual = 0;
	}
	td_walk_start(td);
}

/* Gather the next TD of the ring and start it; false: none for now */
static bool ep_fetch(struct xhci_epq *q, unsigned *budget)
{
	struct xhci *x = q->ep->slot->x;
	struct xhci_td *td = td_get(x);
	bool was_short = q->resume_short;

	if (!td) {
		x->starved = true;
		return false;
	}
	if (q->fetch.deq == q->deq.deq) {
		td->skip = q->resume_off;
		td->edtla = q->resume_edtla;
	}
	switch (td_gather(x, q, td, budget)) {
	case TD_NO_MEMORY:
		x->starved = true;
		td_put(x, td);
		return false;
	case TD_NOTHING:
		td_put(x, td);
		return false;
	case TD_GATHERED:
		break;
	}
	q->fetch = td->end;
	q->stop_known = false;
	q->resume_short = false;
	q->resume_off = q->resume_edtla = 0;
	td_append(q, td);
	if (was_short && td->has_io && td->cc == CC_INVALID) {
		/* its data came before the stop: it only has to be retired */
		td->state = TD_DONE;
		td_walk_start(td);
	} else {
		td_submit(q, td);
	}
	return td->cc == CC_INVALID;
}

static bool link_asleep(const struct xhci_ep *ep)
{
	struct xhci_port *p = slot_port(ep->slot);

	return p && (p->state == PORT_U3 || p->state == PORT_RESUME);
}

bool ep_service(struct xhci_epq *q, unsigned *budget)
{
	struct xhci_ep *ep = q->ep;

	for (;;) {
		if (!ep_retire(q))
			return true;
		if (ep->state != EP_RUNNING || ep->drain != DRAIN_NONE ||
		    !xhci_running(ep->slot->x) || link_asleep(ep))
			return false;
		if (q->ntds >= EPQ_MAX_TDS || q->bytes_flight >= EPQ_MAX_BYTES)
			return false;
		if (ep->info.type == USB_CONTROL && q->head)
			return false; /* one request at a time */
		if (*budget == 0)
			return true;
		if (!ep_fetch(q, budget)) {
			if (!ep_retire(q))
				return true;
			return false;
		}
	}
}

void xhci_xfer_done(struct xhci *x, struct usb_xfer *t)
{
	struct xhci_td *td = t->td;
	struct xhci_epq *q = td->q;
	struct xhci_ep *ep = q->ep;

	if (t->actual > t->length)
		t->actual = t->length;
	x->nflight--;
	ep->slot->nflight--;
	q->bytes_flight -= t->length;
	x->stats.bytes += t->actual;
	td->state = TD_DONE;
	td_drop_holds(x, td);
	td_walk_start(td);
	if (x->starved) {
		x->starved = false;
		ep_resume_all(x);
	}
	if (ep->drain == DRAIN_DROP || x->resetting) {
		td_remove(q, td);
		drain_check(ep);
		xhci_reset_step(x);
		return;
	}
	ep_ready(q);
}

void ep_doorbell(struct xhci_ep *ep, unsigned stream)
{
	const struct ep_rule *r = &ep_rules[ep->state][EPE_DOORBELL];

	if (!r->ok || stream != 0)
		return;
	if (ep->state != r->next)
		ep_set_state(ep, r->next);
	ep_ready(&ep->q);
}

bool ep_post_stopped(struct xhci_ep *ep)
{
	struct xhci_epq *q = &ep->q;
	struct td_event ev = {.ptr = q->deq.deq,
			      .cc = CC_STOPPED_LENGTH_INVALID};
	struct xhci_trb trb;

	if (q->stop_known) {
		ev.intr = q->stop_intr;
		ev.cc = CC_STOPPED;
		ev.len = q->stop_len;
		if (q->resume_short) {
			ev.cc = CC_STOPPED_SHORT_PACKET;
			ev.len = q->resume_edtla;
		}
	}
	if (!intr_has_room(ep->slot->x, ev.intr))
		return false;
	ep_set_state(ep, EP_STOPPED);
	post_prepare(ep, &ev, &trb);
	return intr_post(ep->slot->x, ev.intr, &trb, false);
}

void ep_set_deq(struct xhci_ep *ep, uint64_t deq_dcs)
{
	struct xhci_epq *q = &ep->q;

	q->deq.deq = deq_dcs & ~(uint64_t)(TRB_SIZE - 1);
	q->deq.ccs = deq_dcs & EP_CTX_DCS;
	q->fetch = q->deq;
	q->resume_off = q->resume_edtla = 0;
	q->resume_short = q->stop_known = false;
	ep_set_state(ep, ep_rules[ep->state][EPE_SET_DEQ].next);
}

/* §4.6.8: with TSP the transfer goes on where it failed */
void ep_reset(struct xhci_ep *ep, bool tsp)
{
	if (!tsp) {
		ep->q.resume_off = ep->q.resume_edtla = 0;
		ep->q.resume_short = false;
	}
	ep->q.fetch = ep->q.deq;
	ep_set_state(ep, ep_rules[ep->state][EPE_RESET].next);
}

enum cc ep_info_decode(unsigned dci, const uint32_t ctx[5],
		       struct usb_ep_info *ret)
{
	static const uint8_t type_of[8] = {
		[EPT_ISOCH_OUT] = USB_ISOCH,    [EPT_BULK_OUT] = USB_BULK,
		[EPT_INTR_OUT] = USB_INTERRUPT, [EPT_CONTROL] = USB_CONTROL,
		[EPT_ISOCH_IN] = USB_ISOCH,     [EPT_BULK_IN] = USB_BULK,
		[EPT_INTR_IN] = USB_INTERRUPT,
	};
	uint32_t t = EP_CTX_TYPE(ctx[1]), burst = EP_CTX_MAX_BURST(ctx[1]);
	uint32_t iv = EP_CTX_INTERVAL(ctx[0]), mult = EP_CTX_MULT(ctx[0]);

	if (t == EPT_INVALID || (dci == 1 && t != EPT_CONTROL) ||
	    (t != EPT_CONTROL && (dci & 1) != (t > EPT_CONTROL)) ||
	    (t == EPT_CONTROL && !(dci & 1)))
		return CC_PARAMETER_ERROR;
	if (EP_CTX_MAXPSTREAMS(ctx[0]))
		return CC_PARAMETER_ERROR; /* HCCPARAMS1.MaxPSASize is 0 */
	*ret = (struct usb_ep_info){
		.ep = (uint8_t)(dci / 2),
		.type = type_of[t],
		.interval = (uint8_t)(iv < 15 ? iv : 15),
		.max_burst = (uint8_t)(burst < 15 ? burst : 15),
		.mult = (uint8_t)(mult < 2 ? mult : 2),
		.max_packet = (uint16_t)EP_CTX_MPS(ctx[1]),
		.max_esit = EP_CTX_ESIT_LO(ctx[4]) | EP_CTX_ESIT_HI(ctx[0])
							     << 16,
	};
	if (t > EPT_CONTROL)
		ret->ep |= USB_DIR_IN;
	if (ret->max_packet == 0)
		ret->max_packet = 1;
	return CC_SUCCESS;
}

struct xhci_ep *ep_create(struct xhci_slot *s, unsigned dci,
			  const uint32_t ctx[5], const struct usb_ep_info *i)
{
	struct xhci_ep *ep = calloc(1, sizeof(*ep));

	if (!ep)
		return NULL;
	ep->slot = s;
	ep->dci = (uint8_t)dci;
	ep->info = *i;
	for (unsigned k = 0; k < 5; k++)
		ep->ctx[k] = ctx[k];
	ep->ctx[0] &= ~7u;
	ep->state = EP_RUNNING;
	ep->q.ep = ep;
	ep->q.deq.deq = (ctx[2] & ~(TRB_SIZE - 1)) | (uint64_t)ctx[3] << 32;
	ep->q.deq.ccs = ctx[2] & EP_CTX_DCS;
	ep->q.fetch = ep->q.deq;
	return ep;
}

void ep_destroy(struct xhci_ep *ep)
{
	ready_remove(&ep->q);
	drop_done(&ep->q);
	free(ep);
}
