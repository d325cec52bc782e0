/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_isoch.c - isochronous endpoints: the packets of the capture one after
 * the other, whatever transfers they were in and are asked for in; one service
 * interval for each at the recorded pace.
 */
#include "devices/replay_impl.h"

static const struct capture_xfer *entry(const struct replay *r,
					const struct replay_queue *q)
{
	return q->pos < q->n ? &r->c->xfers[q->xfer[q->pos]] : NULL;
}

/*
 * The packet that is next, or NULL: there is none, or it was not done and
 * waits to be cancelled (*ret_wait).
 */
static const struct capture_packet *next_packet(struct replay *r,
						struct replay_queue *q,
						bool *ret_wait)
{
	const struct capture_xfer *x;

	*ret_wait = false;
	while ((x = entry(r, q)) != NULL) {
		const struct capture_packet *p;

		if (q->off >= x->npackets) {
			replay_use(r, q, q->xfer[q->pos]);
			continue;
		}
		p = &r->c->packets[x->packet + q->off];
		*ret_wait =
			x->end != CAPTURE_ENDED && p->status == USB_CANCELLED;
		return *ret_wait ? NULL : p;
	}
	return NULL;
}

static uint32_t give_packet(struct replay *r, struct usb_xfer *t, uint32_t off,
			    struct usb_packet *to,
			    const struct capture_packet *p)
{
	uint32_t n = p->actual < to->length ? p->actual : to->length;

	to->status = p->status == USB_CANCELLED ? USB_MISSED
						: (enum usb_status)p->status;
	if (p->actual > to->length)
		to->status = USB_BABBLE;
	if (t->in) {
		uint32_t have = p->have < n ? p->have : n;

		usb_xfer_scatter(t, off, r->c->bytes + p->data, have);
		usb_xfer_fill(t, off + have, 0, n - have);
	} else if (to->status == USB_OK) {
		n = to->length; /* nobody says how much of it arrived */
	}
	to->actual = n;
	return n;
}

/* A service interval that nothing is recorded for */
static void give_nothing(struct replay *r, struct replay_queue *q,
			 struct usb_xfer *t, uint32_t i)
{
	if (!q->differs)
		replay_missing(r,
			       "endpoint %02x has no more in the capture:"
			       " it is silent",
			       q->ep);
	q->differs = true;
	t->packet[i].status = USB_OK;
	t->packet[i].actual = t->in ? 0 : t->packet[i].length;
}

/*
 * When the next interval is over: not before all of the ones used, and at once
 * where the capture is not to be paced.
 */
static bool interval_is_over(const struct replay *r, struct replay_queue *q,
			     bool recorded, uint64_t now_ns, uint64_t *deadline)
{
	uint64_t at = q->slot_ns + q->interval_ns;

	if (recorded && r->pace == REPLAY_AT_ONCE)
		return true;
	if (q->slot_ns == 0 || at + 1000000u < now_ns) /* a new beginning */
		at = now_ns;
	if (now_ns >= at) {
		q->slot_ns = at;
		return true;
	}
	if (at < *deadline)
		*deadline = at;
	return false;
}

bool replay_isoch_step(struct replay *r, struct replay_queue *q,
		       uint64_t now_ns, uint64_t *deadline)
{
	struct usb_xfer *t = q->held.head;
	uint32_t off = 0, actual = 0;
	bool wait;

	if (t == NULL)
		return false;
	if (!q->timed) {
		q->timed = true;
		q->base_ns = now_ns;
	}
	for (uint32_t i = 0; i < t->npackets; i++) {
		const struct capture_packet *p = next_packet(r, q, &wait);

		if (wait)
			return false;
		if (i == 0 && p && r->pace == REPLAY_AT_ONCE &&
		    !replay_is_held(r, entry(r, q)) &&
		    !replay_due(r, q, entry(r, q), now_ns, deadline))
			return false;
		if (i == 0 &&
		    !interval_is_over(r, q, p != NULL, now_ns, deadline))
			return false;
		if (p == NULL) {
			give_nothing(r, q, t, i);
		} else {
			give_packet(r, t, off, &t->packet[i], p);
			q->off++;
		}
		actual += t->packet[i].actual;
		off += t->packet[i].length;
	}
	next_packet(r, q, &wait); /* what is used up is known to be */
	xfer_queue_take(&q->held);
	usb_dev_complete(&r->dev, t, USB_OK, actual);
	return true;
}

static bool has_done(const struct replay *r, const struct capture_xfer *x)
{
	for (uint32_t i = 0; i < x->npackets; i++)
		if (r->c->packets[x->packet + i].status != USB_CANCELLED)
			return true;
	return false;
}

/*
 * What was to be done is not, and what the host had under way behind it; but
 * where packets of that were done, it was taken back later.
 */
static void drop(struct replay *r, struct replay_queue *q)
{
	const struct capture_xfer *x = entry(r, q), *y;

	replay_use(r, q, q->xfer[q->pos]);
	while ((y = entry(r, q)) != NULL && replay_is_held(r, y) &&
	       y->begin_no < x->end_no && !has_done(r, y))
		replay_use(r, q, q->xfer[q->pos]);
}

void replay_isoch_cancel(struct replay *r, struct replay_queue *q,
			 struct usb_xfer *t)
{
	bool wait;

	for (uint32_t i = 0; i < t->npackets; i++) {
		t->packet[i].status = USB_CANCELLED;
		t->packet[i].actual = 0;
	}
	xfer_queue_del(&q->held, t);
	usb_dev_complete(&r->dev, t, USB_CANCELLED, 0);
	next_packet(r, q, &wait);
	if (q->held.head == NULL && wait)
		drop(r, q);
	q->timed = false;
}
