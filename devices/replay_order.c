/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_order.c - when a transfer of the capture may end here: in the order
 * in which they ended then, and at their time.
 *
 * r->cursor goes through the ended transfers in that order and stops at the
 * first that has neither come nor is passed over. A transfer is in order when
 * the cursor has come to it.
 */
#include "devices/replay_impl.h"

static struct replay_queue *queue_of(struct replay *r, uint32_t x)
{
	uint16_t k = r->queue_of[x];

	return k == REPLAY_CONTROL ? &r->ctl : &r->queue[k];
}

/*
 * Another guest asks for other descriptors, in another order: requests before
 * the last one that was answered are not waited for.
 */
static bool is_passed(struct replay *r, uint32_t x)
{
	const struct replay_queue *q = queue_of(r, x);

	return r->used[x] || q->ignored ||
	       (q == &r->ctl && r->c->xfers[x].end_no < r->ctl_no);
}

bool replay_in_order(struct replay *r, const struct capture_xfer *x)
{
	while (r->cursor < r->norder && is_passed(r, r->order[r->cursor]))
		r->cursor++;
	return r->cursor == r->norder ||
	       r->c->xfers[r->order[r->cursor]].end_no >= x->end_no;
}

void replay_give_up(struct replay *r, const struct capture_xfer *x)
{
	for (uint32_t i = r->cursor; i < r->norder; i++) {
		const struct capture_xfer *y = &r->c->xfers[r->order[i]];
		struct replay_queue *q = queue_of(r, r->order[i]);

		if (y->end_no >= x->end_no)
			break;
		if (is_passed(r, r->order[i]))
			continue;
		q->ignored = true;
		q->ignored_no = y->end_no;
	}
	/* those that are ignored may lag behind further than one is */
	for (uint32_t i = r->cursor; i < r->norder; i++) {
		const struct capture_xfer *y = &r->c->xfers[r->order[i]];
		struct replay_queue *q = queue_of(r, r->order[i]);

		if (y->end_no >= x->end_no)
			break;
		if (q->ignored && y->end_no > q->ignored_no)
			q->ignored_no = y->end_no;
	}
}

void replay_use(struct replay *r, struct replay_queue *q, uint32_t x)
{
	const struct capture_xfer *e = &r->c->xfers[x];

	r->used[x] = 1;
	r->moved_ns = pm_now_ns(r->dev.pm);
	if (e->end_ns > q->prev_end_ns)
		q->prev_end_ns = e->end_ns;
	if (q == &r->ctl && e->end_no > r->ctl_no)
		r->ctl_no = e->end_no;
	if (q->ignored && e->end_no >= q->ignored_no)
		q->ignored = false;
	q->off = 0;
	q->timed = false;
	while (q->pos < q->n && r->used[q->xfer[q->pos]])
		q->pos++;
}

/* How long it took, from when it was the first of its endpoint */
static uint64_t span_ns(const struct replay_queue *q,
			const struct capture_xfer *x)
{
	uint64_t from = x->begin_ns;

	if (q->type != USB_CONTROL && q->prev_end_ns > from)
		from = q->prev_end_ns;
	return x->end_ns > from ? x->end_ns - from : 0;
}

static void look_again(uint64_t at_ns, uint64_t *deadline)
{
	if (at_ns < *deadline)
		*deadline = at_ns;
}

/* The guest has all of the transfers that the unplug @x ended. */
static bool unplug_is_due(const struct replay *r, const struct capture_xfer *x)
{
	for (unsigned i = 0; i < r->nqueues; i++) {
		const struct replay_queue *q = &r->queue[i];
		const struct usb_xfer *t = q->held.head;

		for (uint32_t k = q->pos; k < q->n; k++) {
			const struct capture_xfer *y = &r->c->xfers[q->xfer[k]];

			if (y->end != CAPTURE_GONE || y->begin_no > x->end_no)
				continue;
			if (t == NULL)
				return false;
			t = t->next;
		}
	}
	return true;
}

bool replay_due(struct replay *r, struct replay_queue *q,
		const struct capture_xfer *x, uint64_t now_ns,
		uint64_t *deadline)
{
	uint64_t at = q->base_ns + span_ns(q, x);
	uint64_t late = at + REPLAY_PATIENCE_NS;

	if (r->pace == REPLAY_RECORDED && now_ns < at) {
		look_again(at, deadline);
		return false;
	}
	if (replay_is_held(r, x)) { /* the guest leaves it: on to the next */
		look_again(late, deadline);
		return now_ns >= late;
	}
	if (replay_in_order(r, x) &&
	    (x->end != CAPTURE_GONE || unplug_is_due(r, x)))
		return true;
	/* as long as others go on, what is missing may still come */
	if (r->moved_ns + REPLAY_PATIENCE_NS > late)
		late = r->moved_ns + REPLAY_PATIENCE_NS;
	if (now_ns < late) {
		look_again(late, deadline);
		return false;
	}
	replay_give_up(r, x);
	return true;
}

bool replay_is_held(const struct replay *r, const struct capture_xfer *x)
{
	if (x->end == CAPTURE_GONE)
		return x->end_no <= r->unplug_no;
	return x->end != CAPTURE_ENDED;
}
