/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.c - endpoints: states, contexts, doorbells, taking transfers back;
 * xHCI 1.2 §4.6.8-10, §4.8.3, §6.2.3. Writes endpoint states and dequeue
 * pointers; what their rings do is in transfer.c.
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
	if (ep->stream) {
		stream_write_ctx(ep); /* dw[2..3] are the stream array */
	} else {
		dw[2] = (uint32_t)ep->q.deq.deq |
			(ep->q.deq.ccs ? EP_CTX_DCS : 0);
		dw[3] = (uint32_t)(ep->q.deq.deq >> 32);
	}
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

static void ready_remove(struct xhci_epq *q)
{
	struct xhci *x = q->ep->slot->x;
	struct xhci_epq **p = q->wants_room ? &x->intr[q->wants_room - 1].wait
					    : &x->ready_head;
	struct xhci_epq *last = NULL;

	if (!q->ready)
		return;
	while (*p != q) {
		last = *p;
		p = &last->ready_next;
	}
	*p = q->ready_next;
	if (!q->wants_room && x->ready_tail == q)
		x->ready_tail = last;
	q->ready = false;
}

void ep_ready(struct xhci_epq *q)
{
	struct xhci *x = q->ep->slot->x;

	if (q->ready) {
		if (!q->wants_room)
			return;
		ready_remove(q); /* it may be different now */
	}
	q->wants_room = 0;
	q->ready = true;
	q->ready_next = NULL;
	if (x->ready_tail)
		x->ready_tail->ready_next = q;
	else
		x->ready_head = q;
	x->ready_tail = q;
	xhci_kick(x);
}

static void ep_ready_all(struct xhci_ep *ep)
{
	struct xhci_epq *q;

	EP_FOR_EACH_Q(ep, q)
	ep_ready(q);
}

void ep_resume_all(struct xhci *x)
{
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		for (unsigned d = 1; d < NDCI; d++) {
			struct xhci_ep *ep = x->slot[i].ep[d];

			if (ep && ep->state == EP_RUNNING)
				ep_ready_all(ep);
		}
}

bool ep_quiet(const struct xhci_ep *ep)
{
	const struct xhci_epq *q;

	EP_FOR_EACH_Q(ep, q)
	if (q->head)
		return false;
	return true;
}

/* A command waits for this endpoint, and decides what it does next. */
static bool ep_held(const struct xhci_ep *ep)
{
	const struct xhci_cmd *c = &ep->slot->x->cmd;

	return c->busy && c->slot == ep->slot && (c->wait_mask & 1u << ep->dci);
}

void ep_drain_end(struct xhci_ep *ep)
{
	if (ep->slot->x->paused) {
		ep->drain = DRAIN_STOP; /* until xhci_resume() */
		return;
	}
	ep->drain = DRAIN_NONE;
	if (ep->state == EP_RUNNING)
		ep_ready_all(ep);
}

void ep_drain_check(struct xhci_ep *ep)
{
	struct xhci_epq *q;

	if (ep->drain == DRAIN_NONE || !ep_quiet(ep))
		return;
	EP_FOR_EACH_Q(ep, q)
	{
		q->rewound = false;
		q->fetch = q->deq;
	}
	ep->cancelling = false;
	isoch_stop(ep, ep_held(ep) || ep->drain == DRAIN_DROP ||
			       !xhci_running(ep->slot->x));
	if (ep_held(ep))
		xhci_kick(ep->slot->x);
	else
		ep_drain_end(ep);
}

/* Ask for everything back, youngest first. False: this slice has no more. */
static bool epq_cancel(struct xhci_epq *q)
{
	struct xhci *x = q->ep->slot->x;
	struct xhci_td *td;
	bool all = true;

	for (td = q->tail; td; td = td->prev) {
		if (td->state == TD_WAITING) {
			/* the device never had it */
			td->state = TD_DONE;
			td->cancelled = true;
			td->xfer.status = USB_CANCELLED;
			td_walk_start(td);
			ep_ready(q);
			continue;
		}
		if (td->state != TD_FLYING || td->cancelled)
			continue;
		all = x->cancels > 0;
		if (!all)
			continue;
		x->cancels--;
		td->cancelled = true;
		TAP(x, XHCI_TAP_CANCEL, td->tap_id);
		td->ops->cancel(td->dev, &td->xfer);
	}
	return all;
}

static void ep_cancel(struct xhci_ep *ep)
{
	struct xhci_epq *q;

	ep->cancelling = false;
	EP_FOR_EACH_Q(ep, q)
	{
		if (!epq_cancel(q))
			ep->cancelling = true;
		if (ep->drain == DRAIN_DROP)
			epq_drop_done(q);
	}
	if (ep->cancelling) {
		ep->slot->x->cancelling = true;
		xhci_kick(ep->slot->x);
	}
	ep_drain_check(ep);
}

void ep_drain(struct xhci_ep *ep, enum ep_drain why)
{
	if (why > ep->drain)
		ep->drain = (uint8_t)why;
	ep_cancel(ep);
}

void ep_cancel_more(struct xhci *x)
{
	x->cancels = RUN_CANCELS;
	if (!x->cancelling)
		return;
	x->cancelling = false;
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		for (unsigned d = 1; d < NDCI; d++) {
			struct xhci_ep *ep = x->slot[i].ep[d];

			if (ep && ep->cancelling)
				ep_cancel(ep);
		}
}

void ep_hold(struct xhci_ep *ep)
{
	if (ep->drain == DRAIN_NONE)
		ep->drain = DRAIN_STOP;
	ep_drain_check(ep);
}

/* §4.12.2.1: a stream context that cannot be stops the endpoint */
static void ep_stream_error(struct xhci_ep *ep, enum cc cc)
{
	struct td_event ev = {.cc = (uint8_t)cc, .intr = slot_intr(ep->slot)};

	ep_set_state(ep, EP_HALTED);
	ep_post_event(ep, &ev); /* no room: Stop or Reset tell of it too */
	ep_drain(ep, DRAIN_DROP);
}

void ep_doorbell(struct xhci_ep *ep, unsigned stream)
{
	const struct ep_rule *r = &ep_rules[ep->state][EPE_DOORBELL];
	struct xhci_epq *q = &ep->q;
	enum cc cc = CC_SUCCESS;

	if (!r->ok || (stream != 0) != (ep->stream != NULL))
		return;
	if (ep->stream) {
		q = stream_queue(ep, stream, &cc);
		if (!q && cc != CC_INVALID_STREAM_ID)
			ep_stream_error(ep, cc);
		if (!q)
			return;
	}
	if (ep->state != r->next)
		ep_set_state(ep, r->next);
	ep_ready(q);
}

void ep_set_deq(struct xhci_epq *q, uint64_t deq_dcs)
{
	q->deq.deq = deq_dcs & ~(uint64_t)(TRB_SIZE - 1);
	q->deq.ccs = deq_dcs & EP_CTX_DCS;
	q->fetch = q->deq;
	q->resume_off = q->resume_edtla = 0;
	q->resume_short = q->stop_known = false;
	ep_set_state(q->ep, ep_rules[q->ep->state][EPE_SET_DEQ].next);
}

/* §4.6.8: with TSP the transfer goes on where it failed */
void ep_reset(struct xhci_ep *ep, bool tsp)
{
	struct xhci_epq *q;

	EP_FOR_EACH_Q(ep, q)
	{
		if (!tsp) {
			q->resume_off = q->resume_edtla = 0;
			q->resume_short = false;
		}
		q->fetch = q->deq;
	}
	ep_set_state(ep, ep_rules[ep->state][EPE_RESET].next);
}

/* §6.2.3.4: with HCCPARAMS2.LEC the field is 0, and it follows from the rest */
static uint8_t mult_of(const struct usb_ep_info *i)
{
	uint32_t burst = i->max_packet * (i->max_burst + 1u);
	uint32_t bursts = (i->max_esit + burst - 1) / burst;

	if (bursts > 256)
		return 255;
	return bursts > i->mult + 1u ? (uint8_t)(bursts - 1) : i->mult;
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
	uint32_t streams;

	if (t == EPT_INVALID || (dci == 1 && t != EPT_CONTROL) ||
	    (t != EPT_CONTROL && (dci & 1) != (t > EPT_CONTROL)) ||
	    (t == EPT_CONTROL && !(dci & 1)))
		return CC_PARAMETER_ERROR;
	streams = EP_CTX_MAXPSTREAMS(ctx[0]);
	if (streams && (type_of[t] != USB_BULK || streams > MAXPSA))
		return CC_PARAMETER_ERROR;
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
	if (ret->type == USB_ISOCH)
		ret->mult = mult_of(ret);
	if (streams)
		ret->streams = (uint16_t)((2u << streams) - 1);
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
	ep->iso_at = UINT64_MAX;
	if (i->streams && stream_init(ep) != 0) {
		free(ep);
		return NULL;
	}
	if (i->type == USB_ISOCH)
		isoch_add(ep);
	return ep;
}

void ep_destroy(struct xhci_ep *ep)
{
	struct xhci_epq *q;

	EP_FOR_EACH_Q(ep, q)
	{
		ready_remove(q);
		epq_drop_done(q);
	}
	if (ep->info.type == USB_ISOCH)
		isoch_remove(ep);
	stream_free(ep);
	free(ep);
}
