/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_control.c - requests, answered by what they ask: the recorded answers
 * in their order, then the last of them again.
 */
#include "devices/replay_impl.h"

static bool is_held(const struct replay *r, uint32_t i)
{
	return replay_is_held(r, &r->c->xfers[r->control[i]]);
}

/*
 * The answer to @t: one that was not used, else the last that the device gave.
 * NULL: there is none. *ret_fresh is where it is in r->control.
 */
static const struct capture_xfer *find_answer(struct replay *r,
					      const struct usb_xfer *t,
					      uint32_t *ret_fresh)
{
	uint32_t first, n = replay_control_find(r, &t->setup, &first);

	*ret_fresh = CAPTURE_NONE;
	if (n == 0)
		return NULL;
	if (r->next[first] < n) {
		*ret_fresh = first + r->next[first];
		return &r->c->xfers[r->control[*ret_fresh]];
	}
	for (uint32_t i = first + n; i-- > first;)
		if (!is_held(r, i))
			return &r->c->xfers[r->control[i]];
	return NULL;
}

static void use(struct replay *r, uint32_t fresh)
{
	uint32_t first;

	replay_control_find(r, &r->c->xfers[r->control[fresh]].setup, &first);
	r->next[first]++;
	replay_use(r, &r->ctl, r->control[fresh]);
}

/* Is there a later answer to the same, should this one not be cancelled? */
static bool has_another(const struct replay *r, uint32_t fresh)
{
	uint32_t first,
		n = replay_control_find(
			r, &r->c->xfers[r->control[fresh]].setup, &first);

	return fresh + 1 < first + n;
}

static void end_first(struct replay *r, enum usb_status status, uint32_t actual)
{
	struct usb_xfer *t = xfer_queue_take(&r->ctl.held);

	r->ctl.timed = false;
	usb_dev_complete(&r->dev, t, status, actual);
}

static void answer(struct replay *r, struct usb_xfer *t,
		   const struct capture_xfer *x)
{
	uint32_t n = x->actual < t->length ? x->actual : t->length;

	if (t->in)
		replay_give(r, t, 0, x, 0, n);
	else if (!r->ctl.differs && !replay_same(r, t, 0, x, 0, n)) {
		r->ctl.differs = true;
		usb_dev_log(&r->dev, XHCI_LOG_INFO,
			    "request %02x %02x is sent other bytes than in"
			    " the capture",
			    t->setup.request_type, t->setup.request);
	}
	if (x->status == USB_OK) {
		replay_note_state(r, &t->setup);
		if (!t->in)
			n = t->length;
	}
	end_first(r, (enum usb_status)x->status, n);
}

static void not_recorded(struct replay *r, struct usb_xfer *t)
{
	const struct usb_setup *s = &t->setup;

	xfer_queue_take(&r->ctl.held);
	r->ctl.timed = false;
	if (replay_standard(r, t))
		return;
	replay_missing(r,
		       "request %02x %02x %04x %04x %04x is not in the"
		       " capture: STALL",
		       s->request_type, s->request, s->value, s->index,
		       s->length);
	usb_dev_complete(&r->dev, t, USB_STALL, 0);
}

bool replay_control_step(struct replay *r, struct replay_queue *q,
			 uint64_t now_ns, uint64_t *deadline)
{
	struct usb_xfer *t = q->held.head;
	const struct capture_xfer *x;
	uint32_t fresh;

	if (t == NULL)
		return false;
	x = find_answer(r, t, &fresh);
	if (x == NULL) {
		not_recorded(r, t);
		return true;
	}
	if (fresh == CAPTURE_NONE) {
		answer(r, t, x);
		return true;
	}
	if (!q->timed) {
		q->timed = true;
		q->base_ns = now_ns;
	}
	if (replay_is_held(r, x) && !has_another(r, fresh))
		return false;
	if (!replay_due(r, q, x, now_ns, deadline))
		return false;
	use(r, fresh);
	if (!replay_is_held(r, x))
		answer(r, t, x);
	return true;
}

void replay_control_cancel(struct replay *r, struct usb_xfer *t)
{
	bool first = r->ctl.held.head == t;
	uint32_t fresh, some = 0;
	const struct capture_xfer *x = find_answer(r, t, &fresh);

	xfer_queue_del(&r->ctl.held, t);
	if (first)
		r->ctl.timed = false;
	if (first && fresh != CAPTURE_NONE && replay_is_held(r, x)) {
		some = x->actual < t->length ? x->actual : t->length;
		if (t->in)
			replay_give(r, t, 0, x, 0, some);
		use(r, fresh);
	}
	usb_dev_complete(&r->dev, t, USB_CANCELLED, some);
}
