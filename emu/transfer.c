/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transfer.c - a transfer ring at work, xHCI 1.2 §4.10: TDs are gathered from
 * the ring, lent to the device in order, and retired in order, with the events
 * they owe. Writes which TDs are in flight.
 *
 * A ring may be taken back from the device (ep_drain): for Stop Endpoint what
 * is not done stays on the ring and is gathered again later, to the byte; for
 * the rest it is forgotten. Either way the transfers come back one by one.
 */
#include "emu/core.h"

void epq_append(struct xhci_epq *q, struct xhci_td *td)
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
	struct xhci *x = q->ep->slot->x;

	if (td->prev)
		td->prev->next = td->next;
	else
		q->head = td->next;
	if (td->next)
		td->next->prev = td->prev;
	else
		q->tail = td->prev;
	q->ntds--;
	td_put(x, td);
	if (x->starved) {
		x->starved = false;
		ep_resume_all(x);
	}
}

/* Until a TD ends; or for a while, where none is left that could. */
static void epq_starve(struct xhci *x)
{
	if (x->starved)
		return;
	x->starved = true;
	x->starved_at = x->ops->now_ns(x->host) + STARVED_NS;
	timer_update(x);
}

void epq_drop_done(struct xhci_epq *q)
{
	struct xhci_td *td, *next;

	for (td = q->head; td; td = next) {
		next = td->next;
		if (td->state == TD_DONE)
			td_remove(q, td);
	}
}

/* §4.10.2: isochronous endpoints go on after an error, §4.10.3.2 */
static bool cc_halts(const struct xhci_ep *ep, enum cc cc)
{
	if (cc == CC_SUCCESS || cc == CC_SHORT_PACKET)
		return false;
	return ep->info.type != USB_ISOCH || cc == CC_TRB_ERROR;
}

bool ep_post_event(struct xhci_ep *ep, const struct td_event *ev)
{
	struct xhci_trb trb = {.param = ev->ptr,
			       .status = (ev->len & EV_LEN_MAX) |
					 (uint32_t)ev->cc << EV_CC_SHIFT,
			       .control = TRB_TYPE_BITS(TRB_EV_TRANSFER) |
					  (ev->ed ? EV_ED : 0) |
					  (uint32_t)ep->dci << 16 |
					  (uint32_t)ep->slot->id << 24};

	return intr_post(ep->slot->x, ev->intr, &trb, ev->bei);
}

/*
 * The endpoint stops at the TRB that failed; the context says so before the
 * event does (§4.8.3: software looks there when it sees the event).
 */
static void epq_halt(struct xhci_epq *q, struct xhci_td *td, enum cc cc)
{
	struct xhci_ep *ep = q->ep;
	uint32_t off = 0, pos = td_position(td, &off);

	if (td->nelem) {
		q->deq.deq = td->elem[pos].gpa;
		q->deq.ccs = td->elem[pos].ccs;
	}
	q->resume_off = td->control ? 0 : off;
	q->resume_edtla = td->control ? 0 : td->walk.edtla;
	ep_set_state(ep, cc == CC_TRB_ERROR ? EP_ERROR : EP_HALTED);
}

/* Write the events a finished TD owes; false: no room for the next one */
static bool td_post_events(struct xhci_epq *q, struct xhci_td *td,
			   bool *ret_halted)
{
	struct xhci *x = q->ep->slot->x;
	struct td_walk w = td->walk;
	struct td_event ev;

	while (td_retire(td, &w, &ev)) {
		if (cc_halts(q->ep, ev.cc)) {
			if (!intr_has_room(x, ev.intr)) {
				q->wants_room =
					(uint8_t)(intr_target(x, ev.intr) + 1);
				return false;
			}
			td->walk = w;
			epq_halt(q, td, ev.cc);
			*ret_halted = true;
		}
		if (!ep_post_event(q->ep, &ev)) {
			q->wants_room = (uint8_t)(intr_target(x, ev.intr) + 1);
			return false;
		}
		td->walk = w;
		if (ev.cc != CC_SUCCESS && ev.cc != CC_SHORT_PACKET)
			x->stats.errors++;
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
static bool epq_rewind(struct xhci_epq *q, struct xhci_td *td)
{
	bool whole = td->control || td->isoch; /* done from the start again */
	uint32_t off = 0, pos = whole ? 0 : td_position(td, &off);
	uint32_t mps = q->ep->info.max_packet;
	const struct td_elem *e = &td->elem[pos];
	bool halted = false;

	td->walk.stop = pos;
	if (!td_post_events(q, td, &halted))
		return false;
	q->deq.deq = e->gpa;
	q->deq.ccs = e->ccs;
	q->resume_off = off;
	q->resume_edtla = td->walk.edtla + off;
	q->resume_short = !whole && td->xfer.in && td->xfer.actual % mps;
	q->stop_known = e->type == TRB_NORMAL || e->type == TRB_DATA ||
			e->type == TRB_ISOCH;
	q->stop_intr = e->intr;
	q->stop_len = e->len - off;
	q->rewound = true;
	epq_drop_done(q);
	return true;
}

static bool td_was_cut(const struct xhci_td *td)
{
	return td->state == TD_DONE && td->cancelled &&
	       td->xfer.status == USB_CANCELLED;
}

/* Retire what is finished, in ring order; false: something waits for room */
static bool epq_retire(struct xhci_epq *q)
{
	struct xhci_ep *ep = q->ep;
	struct xhci_td *td;
	bool halted = false;

	if (q->rewound)
		epq_drop_done(q);
	while ((td = q->head) && td->state == TD_DONE) {
		if (td_was_cut(td) && td->xfer.length &&
		    td->xfer.actual == td->xfer.length)
			td->xfer.status = USB_OK; /* all of it came first */
		if (td_was_cut(td) && ep->drain == DRAIN_STOP) {
			if (!epq_rewind(q, td))
				return false;
			break;
		}
		if (!td_post_events(q, td, &halted))
			return false;
		if (td_failed_silently(td)) {
			epq_halt(q, td, CC_TRB_ERROR);
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
	ep_drain_check(ep);
	return true;
}

void td_submit(struct xhci_epq *q, struct xhci_td *td)
{
	struct xhci_slot *s = q->ep->slot;
	struct xhci_port *p = slot_port(s);
	int rc;

	td->state = TD_DONE; /* unless the device takes it */
	if (td->cc != CC_INVALID || !td->has_io) {
		td_walk_start(td);
		return;
	}
	if (td->isoch) {
		td->packet = (struct usb_packet){.length = td->xfer.length};
		td->xfer.packet = &td->packet;
		td->xfer.npackets = 1;
	}
	td->xfer.status = USB_NODEV;
	if (p)
		port_l1_exit(s->x, p);
	if (p && port_enabled(p)) {
		td->ops = p->ops;
		td->dev = p->dev;
		td->state = TD_FLYING;
		rc = p->ops->submit(p->dev, &td->xfer);
		if (TAPPED(s->x))
			tap_submit(s->x, td, p->id, rc);
		if (rc == 0) {
			s->x->nflight++;
			s->x->stats.tds++;
			q->bytes_flight += td->xfer.length;
			s->x->bytes_flight += td->xfer.length;
			ACCOUNT_DO(s->x->account.taken++;)
			ACCOUNT_DO(s->x->account.bytes_taken +=
				   td->xfer.length;)
			ACCOUNT_DO(td->lent = td->xfer.length;)
			return;
		}
		td->state = TD_DONE;
		td->xfer.status = USB_NODEV;
		td->xfer.actual = 0;
	}
	td_walk_start(td);
}

/* Gather the next TD of the ring and start it; false: none for now */
static bool epq_fetch(struct xhci_epq *q, int *budget)
{
	struct xhci *x = q->ep->slot->x;
	struct xhci_td *td = td_get(x);
	bool was_short = q->resume_short;

	if (!td) {
		epq_starve(x);
		return false;
	}
	if (q->fetch.deq == q->deq.deq) {
		td->skip = q->resume_off;
		td->edtla = q->resume_edtla;
	}
	switch (td_gather(x, q, td, budget)) {
	case TD_NO_MEMORY:
		epq_starve(x);
		td_put(x, td);
		return false;
	case TD_NOTHING:
		td_put(x, td);
		return false;
	case TD_GATHERED:
		break;
	}
	was_short = was_short && td->has_io && td->cc == CC_INVALID;
	if (td->isoch && td->cc == CC_INVALID && !was_short &&
	    !isoch_schedule(q->ep, td)) {
		td_put(x, td);
		return false;
	}
	q->fetch = td->end;
	q->stop_known = false;
	q->resume_short = false;
	q->resume_off = q->resume_edtla = 0;
	epq_append(q, td);
	if (was_short) {
		/* its data came before the stop: it only has to be retired */
		td->state = TD_DONE;
		td_walk_start(td);
		return true;
	}
	if (td->state != TD_WAITING)
		td_submit(q, td);
	return td->state != TD_WAITING && td->cc != CC_TRB_ERROR;
}

static bool link_asleep(const struct xhci_ep *ep)
{
	struct xhci_port *p = slot_port(ep->slot);

	return p && (p->state == PORT_U3 || p->state == PORT_RESUME);
}

static uint32_t ring_limit(const struct xhci_ep *ep)
{
	return ep->info.type == USB_ISOCH ? EPQ_MAX_ISOCH : EPQ_MAX_TDS;
}

static bool epq_work(struct xhci_epq *q, int *budget)
{
	struct xhci_ep *ep = q->ep;

	for (;;) {
		if (!epq_retire(q))
			return true;
		if (ep->state != EP_RUNNING || ep->drain != DRAIN_NONE ||
		    !xhci_running(ep->slot->x) || link_asleep(ep))
			return false;
		if (q->ntds >= ring_limit(ep) ||
		    q->bytes_flight >= EPQ_MAX_BYTES ||
		    (q->tail && q->tail->state == TD_WAITING))
			return false;
		if (ep->info.type == USB_CONTROL && q->head)
			return false; /* one request at a time */
		if (ep->slot->x->bytes_flight >= MAX_BYTES) {
			epq_starve(ep->slot->x);
			return false;
		}
		if (*budget <= 0)
			return true;
		if (!epq_fetch(q, budget)) {
			if (!epq_retire(q))
				return true;
			if (ep->iso_on && !q->head)
				isoch_idle(ep);
			return false;
		}
	}
}

bool epq_service(struct xhci_epq *q, int *budget)
{
	bool more = epq_work(q, budget);

	ACCOUNT_DO(account_ring(q);)
	return more;
}

void xhci_xfer_done(struct xhci *x, struct usb_xfer *t)
{
	struct xhci_td *td = t->td;
	struct xhci_epq *q = td->q;
	struct xhci_ep *ep = q->ep;

	ACCOUNT(td->state == TD_FLYING,
		"slot %u endpoint %u: a transfer ends that no device has",
		ep->slot->id, ep->dci);
	ACCOUNT(t->length == td->lent,
		"slot %u endpoint %u: lent %u bytes, %u came back",
		ep->slot->id, ep->dci, td->lent, t->length);
	ACCOUNT_DO(x->account.returned++;)
	ACCOUNT_DO(x->account.bytes_returned += t->length;)
	if (TAPPED(x))
		tap_xfer_done(x, td);
	if (td->isoch && t->status == USB_OK) {
		t->status = td->packet.status;
		t->actual = td->packet.actual;
	}
	/* §6.4.5: it sent no more than it may, software gave it less room */
	if (td->isoch && t->in && t->status == USB_BABBLE &&
	    t->length < isoch_payload(ep))
		t->status = USB_OVERRUN;
	if (t->actual > t->length)
		t->actual = t->length;
	x->nflight--;
	q->bytes_flight -= t->length;
	x->bytes_flight -= t->length;
	x->stats.bytes += t->actual;
	td->state = TD_DONE;
	td_drop_holds(x, td);
	td_walk_start(td);
	if (ep->drain == DRAIN_DROP || x->resetting) {
		td_remove(q, td);
		ep_drain_check(ep);
		xhci_reset_step(x);
	} else {
		ep_ready(q);
	}
	if (x->save_due)
		state_save_step(x);
}

bool ep_post_stopped(struct xhci_ep *ep)
{
	struct td_event ev = {.cc = CC_STOPPED_LENGTH_INVALID,
			      .intr = slot_intr(ep->slot)};
	struct xhci_epq *q;

	if (!ep->stream)
		ev.ptr = ep->q.deq.deq;
	EP_FOR_EACH_Q(ep, q)
	{
		if (!q->stop_known)
			continue;
		ev.ptr = q->deq.deq;
		ev.intr = q->stop_intr;
		ev.cc = q->resume_short ? CC_STOPPED_SHORT_PACKET : CC_STOPPED;
		ev.len = q->resume_short ? q->resume_edtla : q->stop_len;
		break;
	}
	if (!intr_has_room(ep->slot->x, ev.intr))
		return false;
	ep_set_state(ep, EP_STOPPED);
	return ep_post_event(ep, &ev);
}
