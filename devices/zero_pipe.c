/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zero_pipe.c - an endpoint of the device zero: which packet goes when.
 *
 * Bulk data goes at once. An interrupt endpoint moves one packet, and an
 * isochronous one ends one transfer, a service interval: those intervals are
 * never shorter than they should be. After a late wake all that should have
 * been done by then is done in one go; what comes afterwards keeps the pace.
 */
#include "devices/zero_impl.h"

static struct zero_loop *loop_of(struct zero_pipe *p)
{
	return &p->z->loop[p->pair];
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* One packet of a bulk or interrupt transfer */
static enum zero_step move_packet(struct zero_pipe *p, struct usb_xfer *t)
{
	uint32_t off = (uint32_t)t->dev_data, left = t->length - off;
	uint32_t n = lesser(left, p->max_packet), have = n;
	bool loopback = zero_is_loopback(p->z);

	if (!p->in) {
		if (loopback && !zero_loop_put(loop_of(p), t, off, n))
			return ZERO_NAK;
	} else if (!loopback) {
		zero_source(p->z, t, off, n, p->max_packet);
	} else {
		if (!zero_loop_peek(loop_of(p), &have))
			return ZERO_NAK;
		n = lesser(have, left);
		zero_loop_get(loop_of(p), t, off, n);
	}
	t->dev_data += n;
	if (have > left)
		return ZERO_BABBLE;
	return have < p->max_packet || have == left ? ZERO_DONE : ZERO_MORE;
}

static void end_head(struct zero_pipe *p, enum usb_status status,
		     uint32_t actual)
{
	usb_dev_complete(&p->z->g.dev, xfer_queue_take(&p->q), status, actual);
}

/* A packet of the transfer at the head; false: it did not go. */
static bool serve_packet(struct zero_pipe *p)
{
	struct usb_xfer *t = p->q.head;
	enum zero_step step = move_packet(p, t);

	if (step == ZERO_DONE || step == ZERO_BABBLE)
		end_head(p, step == ZERO_DONE ? USB_OK : USB_BABBLE,
			 (uint32_t)t->dev_data);
	return step != ZERO_NAK;
}

/* What comes in with nobody to take it is lost; what is not there, not sent. */
static uint32_t isoch_packet(struct zero_pipe *p, struct usb_xfer *t,
			     uint32_t off, struct usb_packet *packet)
{
	uint32_t n = lesser(packet->length, p->max_packet), have = 0;
	bool loopback = zero_is_loopback(p->z);

	packet->status = USB_OK;
	if (!p->in) {
		if (loopback)
			zero_loop_put(loop_of(p), t, off, n);
	} else if (!loopback) {
		zero_source(p->z, t, off, n, p->max_packet);
	} else if (zero_loop_peek(loop_of(p), &have)) {
		if (have > n)
			packet->status = USB_BABBLE;
		n = lesser(have, n);
		zero_loop_get(loop_of(p), t, off, n);
	} else {
		n = 0;
	}
	packet->actual = n;
	return n;
}

static void serve_isoch(struct zero_pipe *p)
{
	struct usb_xfer *t = p->q.head;
	uint32_t off = 0, actual = 0;

	for (uint32_t i = 0; i < t->npackets; i++) {
		actual += isoch_packet(p, t, off, &t->packet[i]);
		off += t->packet[i].length;
	}
	end_head(p, USB_OK, actual);
}

static bool can_go(struct zero_pipe *p)
{
	const struct zero_loop *l = loop_of(p);

	if (!p->q.head || !zero_is_loopback(p->z))
		return p->q.head != NULL;
	if (p->in)
		return l->npackets > 0;
	return l->npackets < ZERO_LOOP_PACKETS &&
	       ZERO_LOOP_BYTES - l->nbytes >= p->max_packet;
}

/* No timer where there is nothing to be done at its time */
static void arm(struct zero_pipe *p)
{
	struct pmapper *pm = p->z->g.dev.pm;
	bool isoch = p->pair == ZERO_ISOCH;

	if (isoch ? !p->q.head : !can_go(p))
		pm_timer_cancel(pm, &p->timer);
	else if (isoch && p->timer.at_ns != p->q.head->dev_data)
		pm_timer_set(pm, &p->timer, p->q.head->dev_data);
	else if (!p->timer.set)
		pm_timer_set(pm, &p->timer,
			     isoch ? p->q.head->dev_data
				   : pace_next(&p->pace, pm_now_ns(pm)));
}

static void pipe_fire(struct pm_timer *timer, uint64_t now_ns)
{
	struct zero_pipe *p =
		(struct zero_pipe *)((char *)timer -
				     offsetof(struct zero_pipe, timer));
	uint64_t at = timer->at_ns;
	bool moved = false;

	if (p->pair == ZERO_ISOCH) {
		while (p->q.head && p->q.head->dev_data <= now_ns)
			serve_isoch(p);
	} else {
		for (; can_go(p) && at <= now_ns; at += p->pace.interval_ns) {
			p->pace.slot_ns = at;
			p->pace.served = true;
			moved = serve_packet(p) || moved;
		}
	}
	arm(p);
	if (moved && zero_is_loopback(p->z))
		arm(zero_peer(p));
}

static bool serve_bulk(struct zero_pipe *p)
{
	bool moved = false;

	while (p->q.head && serve_packet(p))
		moved = true;
	return moved;
}

void zero_pipe_run(struct zero_pipe *p)
{
	struct zero_pipe *peer = zero_peer(p);

	if (p->pair != ZERO_BULK) {
		arm(p);
		return;
	}
	while (serve_bulk(p) && serve_bulk(peer))
		;
}

void zero_pipe_submit(struct zero_pipe *p, struct usb_xfer *t)
{
	t->dev_data = 0;
	if (p->pair == ZERO_ISOCH)
		t->dev_data =
			pace_plan(&p->pace, t->frame, pm_now_ns(p->z->g.dev.pm),
				  p->q.head != NULL);
	xfer_queue_add(&p->q, t);
	zero_pipe_run(p);
}

static uint32_t moved_so_far(const struct zero_pipe *p,
			     const struct usb_xfer *t)
{
	return p->pair == ZERO_ISOCH ? 0 : (uint32_t)t->dev_data;
}

void zero_pipe_cancel(struct zero_pipe *p, struct usb_xfer *t)
{
	if (!xfer_queue_remove(&p->q, t))
		return;
	usb_dev_complete(&p->z->g.dev, t, USB_CANCELLED, moved_so_far(p, t));
	zero_pipe_run(p);
}

void zero_pipe_flush(struct zero_pipe *p, enum usb_status status)
{
	struct usb_xfer *t;

	while ((t = xfer_queue_take(&p->q)))
		usb_dev_complete(&p->z->g.dev, t, status, moved_so_far(p, t));
	pm_timer_cancel(p->z->g.dev.pm, &p->timer);
}

void zero_pipe_restart(struct zero_pipe *p)
{
	p->pace.served = false;
}

void zero_pipe_init(struct zero *z, struct zero_pipe *p, enum zero_pair pair,
		    bool in)
{
	enum usb_speed speed = z->g.dev.speed;

	p->z = z;
	p->pair = pair;
	p->in = in;
	p->ep = (uint8_t)(ZERO_EP((unsigned)pair) | (in ? USB_DIR_IN : 0));
	p->max_packet = zero_max_packet(pair, speed);
	p->pace.interval_ns = zero_interval_ns(pair, speed);
	p->timer.fire = pipe_fire;
}
