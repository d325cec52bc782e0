/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * td_retire.c - a TD that has ended, turned into the events software asked
 * for, xHCI 1.2 §4.10. Pure: nothing is read but the TD, nothing is written
 * but where the walk is.
 */
#include "emu/core.h"

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

/* Such a TD is not over with an error: what asked for an event has it, §4.9.1 */
static bool goes_on(const struct xhci_td *td, enum cc cc)
{
	return td->isoch && cc != CC_TRB_ERROR && cc != CC_MISSED_SERVICE;
}

/* An element behind the one in which an isochronous TD failed */
static bool retire_failed(const struct td_elem *e, struct td_walk *w,
			  struct td_event *ret)
{
	if (e->type == TRB_LINK)
		return false;
	event_of(e, w->failed, e->len, ret);
	if (e->type == TRB_EVENT_DATA) {
		ret->ptr = e->param;
		ret->ed = true;
		ret->len = w->edtla;
		w->edtla = 0;
	}
	return e->ioc;
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

/* The element that failed: of few TDs, so that the others do not pay for it */
static COLD uint32_t end_failed(const struct xhci_td *td)
{
	uint32_t off;

	return td_position(td, &off);
}

/*
 * td_retire - walk a finished TD (§4.10.1): the next event it owes, or false
 * when there is none left. Reads nothing but @td and @w.
 */
bool td_retire(const struct xhci_td *td, struct td_walk *w,
	       struct td_event *ret)
{
	uint32_t end = td->nelem;
	enum cc cc = td->cc;

	if (w->i >= w->stop || w->ended)
		return false;
	if (cc == CC_INVALID)
		cc = td->has_io ? td_status_cc(td->xfer.status) : CC_SUCCESS;
	if (cc != CC_SUCCESS)
		end = end_failed(td);
	while (w->i < w->stop && !w->ended) {
		uint32_t i = w->i++;
		bool ev = w->failed ? retire_failed(&td->elem[i], w, ret)
				    : retire_elem(td, i, w, cc, i == end, ret);

		if (w->ended && goes_on(td, cc)) {
			w->ended = false;
			w->failed = (uint8_t)cc;
		}
		if (ev)
			return true;
	}
	return false;
}
