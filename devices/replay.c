/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - the replaying device: transfers in, steps until nothing more can
 * be done, one timer for what has its time.
 */
#include "devices/replay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/replay_impl.h"

static struct replay *replay_of(struct usb_dev *d)
{
	return (struct replay *)d;
}

void replay_missing(struct replay *r, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	r->missing++;
	if (r->missing > 16 && (r->missing & (r->missing - 1)) != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	usb_dev_log(&r->dev, XHCI_LOG_WARN, "%s", text);
}

void replay_give(struct replay *r, struct usb_xfer *t, uint32_t to,
		 const struct capture_xfer *x, uint32_t off, uint32_t len)
{
	uint32_t have = off < x->have ? x->have - off : 0;

	if (have > len)
		have = len;
	if (have > 0)
		usb_xfer_scatter(t, to, r->c->bytes + x->data + off, have);
	usb_xfer_fill(t, to + have, 0, len - have);
}

bool replay_same(const struct replay *r, const struct usb_xfer *t,
		 uint32_t from, const struct capture_xfer *x, uint32_t off,
		 uint32_t len)
{
	uint32_t have = off < x->have ? x->have - off : 0;
	uint8_t buf[512];

	if (have > len)
		have = len;
	for (uint32_t i = 0; i < have;) {
		uint32_t n = have - i < sizeof(buf) ? have - i : sizeof(buf);

		n = (uint32_t)usb_xfer_gather(t, from + i, buf, n);
		if (n == 0)
			return false;
		if (memcmp(buf, r->c->bytes + x->data + off + i, n) != 0)
			return false;
		i += n;
	}
	return true;
}

static bool step(struct replay *r, struct replay_queue *q, uint64_t now,
		 uint64_t *deadline)
{
	switch (q->type) {
	case USB_CONTROL:
		return replay_control_step(r, q, now, deadline);
	case USB_ISOCH:
		return replay_isoch_step(r, q, now, deadline);
	default:
		return replay_queue_step(r, q, now, deadline);
	}
}

/* All of @q that can end now; false: that is none. */
static bool move(struct replay *r, struct replay_queue *q, uint64_t now,
		 uint64_t *deadline)
{
	bool moved = false;

	while (!r->unplugged && step(r, q, now, deadline))
		moved = true;
	return moved;
}

/*
 * One endpoint moves, the others a moment later: the controller tells of
 * endpoints in an order of its own when they end together.
 */
static void run(struct replay *r)
{
	uint64_t now = pm_now_ns(r->dev.pm), deadline = UINT64_MAX;
	bool moved = move(r, &r->ctl, now, &deadline);

	for (unsigned i = 0; i < r->nqueues && !moved; i++)
		moved = move(r, &r->queue[i], now, &deadline);
	if (r->unplugged)
		pm_timer_cancel(r->dev.pm, &r->timer);
	else if (moved)
		pm_timer_set(r->dev.pm, &r->timer, now);
	else if (deadline != UINT64_MAX)
		pm_timer_set(r->dev.pm, &r->timer, deadline);
	else
		pm_timer_cancel(r->dev.pm, &r->timer);
}

static void replay_fire(struct pm_timer *timer, uint64_t now_ns)
{
	(void)now_ns;
	run((struct replay *)((char *)timer - offsetof(struct replay, timer)));
}

static struct replay_queue *queue_for(struct replay *r,
				      const struct usb_xfer *t)
{
	struct replay_queue *q;

	if (t->type == USB_CONTROL)
		return &r->ctl;
	q = replay_queue_find(r, t->ep, t->type, t->stream);
	return q ? q : replay_queue_find(r, t->ep, t->type, 0);
}

/* An endpoint of which the capture has nothing has an empty queue. */
static struct replay_queue *add_queue(struct replay *r,
				      const struct usb_xfer *t)
{
	struct replay_queue *q;

	if (r->nqueues >= REPLAY_ALL_QUEUES || t->stream != 0)
		return NULL;
	q = &r->queue[r->nqueues++];
	*q = (struct replay_queue){.ep = t->ep, .type = t->type};
	return q;
}

static int replay_submit(struct usb_dev *d, struct usb_xfer *t)
{
	struct replay *r = replay_of(d);
	struct replay_queue *q = queue_for(r, t);

	t->dev_data = 0;
	if (q == NULL)
		q = add_queue(r, t);
	if (q == NULL) {
		replay_missing(r,
			       "endpoint %02x, stream %u is not in the capture:"
			       " STALL",
			       t->ep, t->stream);
		usb_dev_complete(d, t, USB_STALL, 0);
		return 0;
	}
	if (r->c->cut != 0) {
		usb_dev_log(d, XHCI_LOG_WARN,
			    "the capture has not all bytes of %u transfers:"
			    " zeroes are in their place",
			    r->c->cut);
		r->c->cut = 0;
	}
	xfer_queue_add(&q->held, t);
	pm_timer_set(d->pm, &r->timer, pm_now_ns(d->pm));
	return 0;
}

static bool holds(const struct replay_queue *q, const struct usb_xfer *t)
{
	for (const struct usb_xfer *i = q->held.head; i; i = i->next)
		if (i == t)
			return true;
	return false;
}

static void replay_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	struct replay *r = replay_of(d);
	struct replay_queue *q = queue_for(r, t);

	if (q == NULL || !holds(q, t))
		return;
	if (q == &r->ctl)
		replay_control_cancel(r, t);
	else if (q->type == USB_ISOCH)
		replay_isoch_cancel(r, q, t);
	else
		replay_queue_cancel(r, q, t);
}

static void flush(struct replay *r, struct replay_queue *q)
{
	struct usb_xfer *t;

	while ((t = xfer_queue_take(&q->held)) != NULL)
		usb_dev_complete(&r->dev, t, USB_CANCELLED,
				 (uint32_t)t->dev_data);
}

static void replay_reset(struct usb_dev *d)
{
	struct replay *r = replay_of(d);

	for (unsigned i = 0; i < r->nqueues; i++)
		flush(r, &r->queue[i]);
	flush(r, &r->ctl);
	pm_timer_cancel(d->pm, &r->timer);
	replay_rewind(r);
	usb_dev_reset_done(d, true);
}

/* The guest's schedule is what paces an isochronous endpoint. */
static void replay_ep_enable(struct usb_dev *d, const struct usb_ep_info *info)
{
	struct replay *r = replay_of(d);
	struct usb_xfer like = {.ep = info->ep, .type = info->type};
	struct replay_queue *q;

	if (info->type != USB_ISOCH || info->interval > 15)
		return;
	q = queue_for(r, &like);
	if (q == NULL)
		q = add_queue(r, &like);
	if (q == NULL)
		return;
	q->interval_ns = 125000ull << info->interval;
	q->slot_ns = 0;
}

static void free_all(struct replay *r)
{
	replay_script_free(r);
	replay_desc_free(&r->desc);
	capture_free(r->c);
	free(r);
}

static void replay_free(struct usb_dev *d)
{
	pm_timer_cancel(d->pm, &replay_of(d)->timer);
	free_all(replay_of(d));
}

static const struct usb_dev_ops dev_ops = {
	.name = "replay",
	.submit = replay_submit,
	.cancel = replay_cancel,
	.reset = replay_reset,
	.ep_enable = replay_ep_enable,
	.free = replay_free,
};

static void init_dev(struct replay *r, const struct replay_opt *o)
{
	r->dev.ops = &dev_ops;
	r->dev.speed = r->desc.speed;
	r->pace = o->pace;
	r->ctl.type = USB_CONTROL;
	r->timer.fire = replay_fire;
	snprintf(r->dev.label, sizeof(r->dev.label), "replay=%s", o->path);
}

int replay_open(const struct replay_opt *o, struct usb_dev **ret_dev, char *err,
		size_t errlen)
{
	struct replay *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (r == NULL) {
		snprintf(err, errlen, "out of memory: free some");
		return rc;
	}
	rc = capture_open(o->path, &r->c, err, errlen);
	if (rc == 0)
		rc = replay_choose(r, o, err, errlen);
	if (rc == 0) {
		rc = replay_script(r);
		if (rc < 0)
			snprintf(err, errlen, "out of memory: free some");
	}
	if (rc < 0) {
		free_all(r);
		return rc;
	}
	init_dev(r, o);
	replay_rewind(r);
	*ret_dev = &r->dev;
	return 0;
}
