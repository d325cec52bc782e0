/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_queue.c - transfers of bulk and interrupt endpoints, as recorded and
 * in order. A guest may cut the same bytes into other transfers: a recorded
 * one that was not short goes on in the next, and one that is larger than what
 * the guest asks for is given in parts.
 */
#include "devices/replay_impl.h"

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The next that is left; NULL: the capture has no more of it. */
static const struct capture_xfer *entry(const struct replay *r,
					const struct replay_queue *q)
{
	return q->pos < q->n ? &r->c->xfers[q->xfer[q->pos]] : NULL;
}

static void end_first(struct replay *r, struct replay_queue *q,
		      enum usb_status status)
{
	struct usb_xfer *t = xfer_queue_take(&q->held);

	q->timed = false;
	usb_dev_complete(&r->dev, t, status, (uint32_t)t->dev_data);
}

/* What an endpoint does that has nothing more to tell. */
static bool beyond(struct replay *r, struct replay_queue *q)
{
	struct usb_xfer *t = q->held.head;

	/* part of it has come from the capture */
	if (t->dev_data > 0) {
		end_first(r, q, USB_OK);
		return true;
	}
	if (q->type == USB_INTERRUPT && t->in) { /* NAK */
		if (!q->differs)
			replay_missing(r,
				       "endpoint %02x has no more in the"
				       " capture: it waits",
				       t->ep);
		q->differs = true;
		return false;
	}
	replay_missing(r, "endpoint %02x has no more in the capture: STALL",
		       t->ep);
	end_first(r, q, USB_STALL);
	return true;
}

static void move_bytes(struct replay *r, struct replay_queue *q,
		       const struct capture_xfer *x, uint32_t n)
{
	struct usb_xfer *t = q->held.head;

	if (t->in) {
		replay_give(r, t, (uint32_t)t->dev_data, x, q->off, n);
	} else if (!q->differs &&
		   !replay_same(r, t, (uint32_t)t->dev_data, x, q->off, n)) {
		q->differs = true;
		usb_dev_log(&r->dev, XHCI_LOG_INFO,
			    "endpoint %02x is sent other bytes than in the"
			    " capture (transfer %u)",
			    t->ep, q->pos + 1);
	}
	t->dev_data += n;
	q->off += n;
}

/* @x has moved whole: does that end the transfer that it was for? */
static bool is_end(const struct capture_xfer *x, const struct usb_xfer *t,
		   bool last)
{
	if (x->status != USB_OK || t->dev_data == t->length)
		return true;
	if (x->length == CAPTURE_UNKNOWN || x->actual < x->length)
		return true;
	return last;
}

static bool move(struct replay *r, struct replay_queue *q,
		 const struct capture_xfer *x)
{
	struct usb_xfer *t = q->held.head;
	uint32_t left = x->actual - q->off;
	uint32_t room = t->length - (uint32_t)t->dev_data;

	move_bytes(r, q, x, lesser(left, room));
	if (q->off < x->actual) {
		end_first(r, q, USB_OK);
		return true;
	}
	replay_use(r, q, q->xfer[q->pos]);
	if (!is_end(x, t, q->pos == q->n))
		return true;
	/* what a host sends is taken, also where it was less */
	if (!t->in && x->status == USB_OK && q->pos == q->n)
		t->dev_data = t->length;
	end_first(r, q, (enum usb_status)x->status);
	return true;
}

bool replay_queue_step(struct replay *r, struct replay_queue *q,
		       uint64_t now_ns, uint64_t *deadline)
{
	const struct capture_xfer *x = entry(r, q);

	if (q->held.head == NULL)
		return false;
	if (x == NULL)
		return beyond(r, q);
	if (!q->timed) {
		q->timed = true;
		q->base_ns = now_ns;
	}
	if (replay_is_held(r, x) && q->pos >= q->last_ended)
		return false; /* until it is cancelled */
	if (!replay_due(r, q, x, now_ns, deadline))
		return false;
	if (replay_is_held(r, x)) {
		replay_use(r, q, q->xfer[q->pos]);
		return true;
	}
	if (x->end == CAPTURE_GONE) {
		r->unplugged = true;
		usb_dev_gone(&r->dev);
		return false;
	}
	return move(r, q, x);
}

/* The entry for the @n-th transfer held; CAPTURE_NONE: there is none */
static uint32_t nth_entry(const struct replay *r, const struct replay_queue *q,
			  uint32_t n)
{
	for (uint32_t i = q->pos; i < q->n; i++)
		if (!r->used[q->xfer[i]] && n-- == 0)
			return q->xfer[i];
	return CAPTURE_NONE;
}

/*
 * All that the guest had is cancelled: so is what the host had under way
 * beside @x then, whether the controller had lent it to the device or not.
 */
static void drop_others(struct replay *r, struct replay_queue *q,
			const struct capture_xfer *x)
{
	const struct capture_xfer *y;

	while ((y = entry(r, q)) != NULL && replay_is_held(r, y) &&
	       y->end != CAPTURE_OPEN && y->begin_no < x->end_no)
		replay_use(r, q, q->xfer[q->pos]);
}

void replay_queue_cancel(struct replay *r, struct replay_queue *q,
			 struct usb_xfer *t)
{
	const struct capture_xfer *x = NULL;
	uint32_t n = 0, e;

	for (struct usb_xfer *i = q->held.head; i != t; i = i->next)
		n++;
	e = nth_entry(r, q, n);
	xfer_queue_del(&q->held, t);
	if (n == 0)
		q->timed = false;
	if (e != CAPTURE_NONE && replay_is_held(r, &r->c->xfers[e])) {
		x = &r->c->xfers[e];
		if (t->dev_data == 0 && x->end != CAPTURE_OPEN) {
			uint32_t some = lesser(x->actual, t->length);

			if (t->in)
				replay_give(r, t, 0, x, 0, some);
			t->dev_data = some;
		}
		replay_use(r, q, e);
	}
	usb_dev_complete(&r->dev, t, USB_CANCELLED, (uint32_t)t->dev_data);
	if (x != NULL && q->held.head == NULL)
		drop_others(r, q, x);
}
