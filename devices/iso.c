/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/iso.h"

/* A packet that came in is as long as it is, whoever sent it. */
static void serve(struct iso_pipe *p)
{
	struct usb_xfer *t = xfer_queue_take(&p->q);
	uint32_t off = 0, actual = 0;

	for (uint32_t i = 0; i < t->npackets; i++) {
		struct usb_packet *packet = &t->packet[i];
		uint32_t room = packet->length < p->max_bytes ? packet->length
							      : p->max_bytes;

		packet->actual = p->packet(p, t, off, room, t->dev_data);
		packet->status = USB_OK;
		actual += packet->actual;
		off += packet->length;
	}
	usb_dev_complete(p->d, t, USB_OK, actual);
}

static void arm(struct iso_pipe *p)
{
	if (!p->q.head)
		pm_timer_cancel(p->d->pm, &p->timer);
	else if (!p->timer.set || p->timer.at_ns != p->q.head->dev_data)
		pm_timer_set(p->d->pm, &p->timer, p->q.head->dev_data);
}

static void iso_fire(struct pm_timer *timer, uint64_t now_ns)
{
	struct iso_pipe *p =
		(struct iso_pipe *)((char *)timer -
				    offsetof(struct iso_pipe, timer));

	while (p->q.head && p->q.head->dev_data <= now_ns)
		serve(p);
	arm(p);
}

void iso_init(struct iso_pipe *p, struct usb_dev *d, uint8_t ep,
	      uint32_t max_bytes, uint64_t interval_ns, iso_packet_fn *packet)
{
	p->d = d;
	p->ep = ep;
	p->max_bytes = max_bytes;
	p->packet = packet;
	p->pace.interval_ns = interval_ns;
	p->timer.fire = iso_fire;
}

void iso_submit(struct iso_pipe *p, struct usb_xfer *t)
{
	t->dev_data = pace_plan(&p->pace, t->frame, pm_now_ns(p->d->pm),
				p->q.head != NULL);
	xfer_queue_add(&p->q, t);
	arm(p);
}

void iso_cancel(struct iso_pipe *p, struct usb_xfer *t)
{
	if (!xfer_queue_remove(&p->q, t))
		return;
	usb_dev_complete(p->d, t, USB_CANCELLED, 0);
	arm(p);
}

void iso_flush(struct iso_pipe *p, enum usb_status status)
{
	struct usb_xfer *t;

	while ((t = xfer_queue_take(&p->q)))
		usb_dev_complete(p->d, t, status, 0);
	p->pace.served = false;
	pm_timer_cancel(p->d->pm, &p->timer);
}

void iso_enable(struct iso_pipe *p, const struct usb_ep_info *info)
{
	if (info->ep != p->ep || info->interval > 15)
		return;
	p->pace.interval_ns = 125000ull << info->interval;
	p->pace.served = false;
}
