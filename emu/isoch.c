/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * isoch.c - when isochronous TDs go, xHCI 1.2 §4.11.2.5, §4.10.3, §4.14.2.
 *
 * The device paces its transfers: a TD is lent to it as soon as its turn is
 * near, so that several are in flight and no interval is lost. What MFINDEX
 * decides is when a stream starts, whether a TD came too late for its frame,
 * and when a ring without TDs is an underrun or overrun.
 *
 * Software that was slow ends a stream like any other: it is done with the last
 * TD, and drops the endpoint. An underrun's event that it reads behind that is
 * an error to some (Linux logs it), so that it comes late: when software had
 * TELL_MS to end the stream, or with the TD that shows that it does not.
 */
#include "emu/core.h"

#define UF_NS 125000u
#define UF_FRAME 8u    /* microframes a frame */
#define FRAMES 2048u   /* Frame ID wraps */
#define WINDOW_MS 895u /* §4.11.2.5: frames ahead that a Frame ID can name */
#define LATE_MS 250u   /* that much too late is not missed yet */
#define TELL_MS 1000u  /* until a ring that ran dry is told of */
#define IST_UF 1u      /* HCSPARAMS2.IST */
#define LEAD_UF 8u     /* a TD goes to the device this long before */

static uint64_t esit(const struct xhci_ep *ep)
{
	return 1ull << ep->info.interval;
}

uint32_t isoch_payload(const struct xhci_ep *ep)
{
	const struct usb_ep_info *i = &ep->info;

	return (uint32_t)i->max_packet * (i->max_burst + 1u) * (i->mult + 1u);
}

void isoch_add(struct xhci_ep *ep)
{
	struct xhci *x = ep->slot->x;

	ep->iso_next = x->iso_list;
	x->iso_list = ep;
}

void isoch_remove(struct xhci_ep *ep)
{
	struct xhci_ep **p = &ep->slot->x->iso_list;

	while (*p && *p != ep)
		p = &(*p)->iso_next;
	if (*p)
		*p = ep->iso_next;
}

static uint64_t align_up(uint64_t uf, uint64_t step)
{
	return (uf + step - 1) / step * step;
}

/*
 * The microframe a Frame ID means: the nearest one ahead, or that of now for a
 * frame that has just passed. False: it has passed longer ago. A device's
 * frames are not MFINDEX's, so that a guest that was a little slow loses
 * nothing by it.
 */
static bool frame_to_uf(uint64_t now, uint16_t frame_id, uint64_t *ret_uf)
{
	uint64_t frame = now / UF_FRAME;
	uint64_t ahead = (frame_id - frame) % FRAMES;

	if (ahead >= FRAMES - LATE_MS)
		ahead = 0;
	*ret_uf = (frame + ahead) * UF_FRAME;
	return ahead <= WINDOW_MS;
}

/* The frame named is the one in which the stream's next interval lies. */
static bool contiguous(const struct xhci_ep *ep, const struct xhci_td *td)
{
	return ep->iso_on &&
	       (td->sia || ep->iso_uf / UF_FRAME % FRAMES == td->frame_id);
}

/* §4.10.3.1; it is no TRB's. False: there is no room for it now */
static bool tell_dry(struct xhci_ep *ep)
{
	const struct td_event ev = {.cc = ep->info.ep & USB_DIR_IN
						  ? CC_RING_OVERRUN
						  : CC_RING_UNDERRUN,
				    .intr = slot_intr(ep->slot)};

	ep->iso_dry = !ep_post_event(ep, &ev);
	return !ep->iso_dry;
}

bool isoch_tell(struct xhci *x)
{
	bool all = true;

	for (struct xhci_ep *ep = x->iso_list; ep; ep = ep->iso_next)
		if (ep->iso_dry && !tell_dry(ep))
			all = false;
	return all;
}

/* The ring ran dry, and iso_at is when that is told. */
static bool untold(const struct xhci_ep *ep)
{
	return !ep->iso_on && ep->iso_at != UINT64_MAX;
}

static void tell_now(struct xhci_ep *ep)
{
	struct xhci *x = ep->slot->x;

	ep->iso_at = UINT64_MAX;
	if (!tell_dry(ep))
		x->notify = true;
	timer_update(x);
}

bool isoch_schedule(struct xhci_ep *ep, struct xhci_td *td)
{
	struct xhci *x = ep->slot->x;
	uint64_t now = mfindex_now(x), at = align_up(now + IST_UF, esit(ep));
	bool in_stream = contiguous(ep, td);

	if (untold(ep))
		tell_now(ep);
	if (!xhci_running(x))
		return false;
	/* §6.4.5: it has its interval all the same, and nothing is moved */
	if (td->xfer.length > isoch_payload(ep))
		td->cc = CC_BANDWIDTH_OVERRUN;
	if (in_stream) {
		/* the device's pace rules, also when it lags behind MFINDEX */
		at = ep->iso_uf;
	} else if (!td->sia && !frame_to_uf(now, td->frame_id, &at)) {
		td->cc = CC_MISSED_SERVICE;
		return true;
	}
	ep->iso_on = true;
	ep->iso_uf = at + esit(ep);
	ep->iso_at = UINT64_MAX;
	td->xfer.frame = (uint32_t)at;
	if (in_stream || at <= now + LEAD_UF)
		return true;
	/* a start, or a gap: not before its time */
	td->state = TD_WAITING;
	ep->iso_at = x->run_ns + (at - LEAD_UF - x->mfindex_base) * UF_NS;
	timer_update(x);
	return true;
}

/* §4.10.3.1: the next interval comes and finds no TD */
void isoch_idle(struct xhci_ep *ep)
{
	struct xhci *x = ep->slot->x;

	if (ep->iso_at != UINT64_MAX)
		return;
	ep->iso_at = x->ops->now_ns(x->host) + (esit(ep) + UF_FRAME) * UF_NS;
	timer_update(x);
}

void isoch_stop(struct xhci_ep *ep, bool asked)
{
	if (asked)
		ep->iso_dry = false;
	else if (untold(ep))
		tell_now(ep);
	ep->iso_on = false;
	if (ep->iso_at == UINT64_MAX)
		return;
	ep->iso_at = UINT64_MAX;
	timer_update(ep->slot->x);
}

uint64_t isoch_deadline(const struct xhci *x)
{
	uint64_t at = UINT64_MAX;

	for (const struct xhci_ep *ep = x->iso_list; ep; ep = ep->iso_next)
		if (ep->iso_at < at)
			at = ep->iso_at;
	return at;
}

static void ep_timer(struct xhci_ep *ep, uint64_t now_ns)
{
	struct xhci_epq *q = &ep->q;

	if (untold(ep)) {
		tell_now(ep);
		return;
	}
	ep->iso_at = UINT64_MAX;
	if (q->tail && q->tail->state == TD_WAITING) {
		td_submit(q, q->tail);
		ep_ready(q);
	} else if (!q->head && ep->iso_on && ep->state == EP_RUNNING &&
		   xhci_running(ep->slot->x)) {
		ep->iso_on = false;
		ep->iso_at = now_ns + TELL_MS * 1000000ull;
	}
}

void isoch_timer(struct xhci *x, uint64_t now_ns)
{
	for (struct xhci_ep *ep = x->iso_list; ep; ep = ep->iso_next)
		if (ep->iso_at <= now_ns)
			ep_timer(ep, now_ns);
}
