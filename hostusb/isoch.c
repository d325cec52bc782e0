/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * isoch.c - isochronous transfers, USB 2.0 §5.6. The guest queues packets, one
 * a service interval; libusb takes transfers of several. What was queued at
 * once goes out at once, in transfers that are short (what is in one comes
 * back together) but several, so that the host's controller always has more
 * when one ends. The guest paces the stream: as many packets are asked for as
 * it queued, and when it queues no more the stream ends.
 */
#include "hostusb/device.h"

#include <stdlib.h>

#define ISO_MAX_PACKETS 128u /* of one transfer, what usbfs takes at once */
#define ISO_MAX_URBS 64u     /* in flight an endpoint */
#define ISO_START_URBS 4u    /* what is queued at the start makes so many */
#define ISO_URB_US 4000u     /* time that one transfer covers, at most */
/* With that much in flight behind the oldest one, smaller ones wait */
#define ISO_AHEAD_US 2000u
#define ISO_GROUP_US 1000u

#define TD_CANCELLED 1u /* usb_xfer.dev_data of one in flight */

struct iso_urb {
	struct libusb_transfer *lt;  /* owned */
	struct host_dev *hd;         /* borrowed */
	struct host_ep *ep;          /* borrowed */
	struct iso_urb *next, *prev; /* in flight, oldest first; or free */
	uint8_t *buf;                /* owned */
	size_t size;                 /* of buf, bytes */
	unsigned npackets;
	unsigned ntds, ncancelled;
	enum urb_cut cut;
	struct usb_xfer *td[ISO_MAX_PACKETS]; /* lent to us while in flight */
};

struct isoch {
	unsigned period_us; /* of the endpoint's service interval */
	unsigned max;       /* packets of one transfer */
	struct iso_urb *oldest, *youngest; /* in flight */
	struct iso_urb *unused;
	unsigned nurbs;    /* in flight */
	unsigned npackets; /* in them */
};

/* bInterval is an exponent, of frames or microframes: USB 2.0 §9.6.6 */
static void isoch_measure(struct isoch *iso, const struct host_dev *hd,
			  const struct config_ep *desc)
{
	unsigned exp = desc->interval < 1    ? 0
		       : desc->interval > 16 ? 15
					     : desc->interval - 1u;

	iso->period_us = (hd->d.speed <= USB_SPEED_LOW ? 1000u : 125u) << exp;
	iso->max = ISO_URB_US / iso->period_us;
	if (iso->max < 1)
		iso->max = 1;
	if (iso->max > ISO_MAX_PACKETS)
		iso->max = ISO_MAX_PACKETS;
}

static void iso_urb_free(struct iso_urb *u)
{
	libusb_free_transfer(u->lt);
	free(u->buf);
	free(u);
}

void isoch_free(struct host_ep *ep)
{
	struct isoch *iso = ep->isoch;
	struct iso_urb *u;

	if (!iso)
		return;
	while ((u = iso->oldest)) { /* lost */
		iso->oldest = u->next;
		iso_urb_free(u);
	}
	while ((u = iso->unused)) {
		iso->unused = u->next;
		iso_urb_free(u);
	}
	free(iso);
	ep->isoch = NULL;
}

static void iso_urb_give(struct iso_urb *u)
{
	u->next = u->ep->isoch->unused;
	u->ep->isoch->unused = u;
}

/* One with room for @size bytes; NULL: no memory */
static struct iso_urb *iso_urb_get(struct host_dev *hd, struct host_ep *ep,
				   size_t size)
{
	struct iso_urb *u = ep->isoch->unused;

	if (u) {
		ep->isoch->unused = u->next;
	} else {
		u = calloc(1, sizeof(*u));
		if (!u)
			return NULL;
		u->hd = hd;
		u->ep = ep;
		u->lt = libusb_alloc_transfer((int)ISO_MAX_PACKETS);
		if (!u->lt) {
			free(u);
			return NULL;
		}
	}
	if (u->size >= size && u->buf)
		return u;
	free(u->buf);
	u->buf = malloc(size ? size : 1);
	u->size = u->buf ? size : 0;
	if (u->buf)
		return u;
	iso_urb_give(u);
	return NULL;
}

static void iso_urb_link(struct iso_urb *u)
{
	struct isoch *iso = u->ep->isoch;

	u->next = NULL;
	u->prev = iso->youngest;
	if (iso->youngest)
		iso->youngest->next = u;
	else
		iso->oldest = u;
	iso->youngest = u;
	iso->nurbs++;
	iso->npackets += u->npackets;
	u->hd->in_flight++;
}

static void iso_urb_unlink(struct iso_urb *u)
{
	struct isoch *iso = u->ep->isoch;

	if (u->prev)
		u->prev->next = u->next;
	else
		iso->oldest = u->next;
	if (u->next)
		u->next->prev = u->prev;
	else
		iso->youngest = u->prev;
	iso->nurbs--;
	iso->npackets -= u->npackets;
	u->hd->in_flight--;
}

static void iso_urb_cut(struct iso_urb *u, enum urb_cut why)
{
	bool first = u->cut == CUT_NOT;

	if (first || why == CUT_ASKED)
		u->cut = why;
	if (!first)
		return;
	host_dev_cut(u->hd, u->lt);
}

void isoch_lose(struct host_ep *ep)
{
	for (struct iso_urb *u = ep->isoch->oldest; u; u = u->next) {
		for (unsigned i = 0; i < u->ntds; i++) {
			u->td[i]->dev_priv = NULL;
			complete_unmoved(u->hd, u->td[i], USB_NODEV);
		}
		u->ntds = 0;
	}
}

void isoch_cut(struct host_ep *ep, enum urb_cut why)
{
	for (struct iso_urb *u = ep->isoch->youngest; u; u = u->prev)
		iso_urb_cut(u, why);
}

bool isoch_busy(const struct host_ep *ep)
{
	return ep->isoch->oldest != NULL;
}

/*
 * A packet cannot be taken out of its transfer. It ends with it, before long
 * in any case; at once when nobody wants any of the others either.
 */
void isoch_cancel(struct usb_xfer *t)
{
	struct iso_urb *u = t->dev_priv;

	if (t->dev_data == TD_CANCELLED)
		return;
	t->dev_data = TD_CANCELLED;
	if (++u->ncancelled == u->ntds)
		iso_urb_cut(u, CUT_ASKED);
}

/*
 * How a packet ended. libusb has one word for a packet that was never sent
 * (its service interval passed) and for one that was damaged or not answered:
 * to the guest all of them are transaction errors. Missed Service would be of
 * this controller's own; and if the ring is dry behind one, Linux before 6.15
 * takes TDs that it queued meanwhile for missed as well, which then are not. In
 * a transfer that was cut it was not the packet's turn yet.
 */
static enum usb_status packet_status(
	const struct iso_urb *u, const struct libusb_iso_packet_descriptor *p)
{
	switch (p->status) {
	case LIBUSB_TRANSFER_COMPLETED:
		return USB_OK;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return USB_NODEV;
	case LIBUSB_TRANSFER_OVERFLOW:
		return USB_BABBLE;
	case LIBUSB_TRANSFER_STALL:
		return USB_STALL;
	case LIBUSB_TRANSFER_ERROR:
	case LIBUSB_TRANSFER_TIMED_OUT:
	case LIBUSB_TRANSFER_CANCELLED:
		break;
	}
	if (u->lt->status == LIBUSB_TRANSFER_NO_DEVICE)
		return USB_NODEV;
	if (p->actual_length || u->cut == CUT_NOT)
		return USB_ERROR;
	return u->cut == CUT_ASKED ? USB_CANCELLED : USB_MISSED;
}

/* The result of @t, whose packets begin with @p, its data at @data */
static void td_done(struct iso_urb *u, struct usb_xfer *t,
		    const struct libusb_iso_packet_descriptor *p, uint8_t *data)
{
	enum usb_status status = USB_OK;
	uint32_t off = 0, sum = 0;

	for (uint32_t i = 0; i < t->npackets; i++, p++) {
		struct usb_packet *to = &t->packet[i];
		uint32_t max = p->length < to->length ? p->length : to->length;

		to->status = packet_status(u, p);
		to->actual = p->actual_length < max ? p->actual_length : max;
		if (t->in)
			usb_xfer_scatter(t, off, data, to->actual);
		if (status == USB_OK)
			status = to->status;
		sum += to->actual;
		off += to->length;
		data += p->length;
	}
	t->dev_priv = NULL;
	usb_dev_complete(&u->hd->d, t, status, sum);
}

static void LIBUSB_CALL iso_done(struct libusb_transfer *lt)
{
	struct iso_urb *u = lt->user_data;
	struct host_dev *hd = u->hd;
	struct host_ep *ep = u->ep;
	const struct libusb_iso_packet_descriptor *p = lt->iso_packet_desc;
	uint8_t *data = u->buf;

	if (u->cut != CUT_NOT) {
		hd->ncut--;
		hd->cut_ns = 0;
	}
	for (unsigned i = 0; i < u->ntds; i++) {
		struct usb_xfer *t = u->td[i];
		uint32_t n = t->npackets;

		td_done(u, t, p, data);
		for (; n; n--, p++)
			data += p->length;
	}
	iso_urb_unlink(u);
	iso_urb_give(u);
	if (lt->status == LIBUSB_TRANSFER_NO_DEVICE)
		host_dev_gone(hd);
	if (hd->starved)
		host_dev_pump(hd);
	else
		host_ep_pump(hd, ep);
	state_advance(hd);
}

/* Bytes that packet @i of @t asks of the host */
static uint32_t packet_length(const struct host_ep *ep,
			      const struct usb_xfer *t, uint32_t i)
{
	uint32_t len = t->packet[i].length, max = ep->desc->max_interval;

	return t->in && max && len > max ? max : len;
}

/* What cannot be an isochronous transfer of this endpoint's */
static bool td_is_bad(const struct host_ep *ep, const struct usb_xfer *t)
{
	uint32_t max = ep->desc->max_interval;
	uint64_t sum = 0;

	if (t->type != USB_ISOCH || !t->packet || t->npackets == 0 ||
	    t->npackets > ISO_MAX_PACKETS)
		return true;
	for (uint32_t i = 0; i < t->npackets; i++) {
		if (!t->in && max && t->packet[i].length > max)
			return true;
		sum += t->packet[i].length;
	}
	return sum > t->length;
}

static void drop_bad(struct host_dev *hd, struct host_ep *ep)
{
	struct usb_xfer *t;

	while ((t = ep->held_head) && td_is_bad(ep, t)) {
		held_remove(ep, t);
		complete_unmoved(hd, t, USB_ERROR);
	}
}

/* Packets that wait, up to the first that is bad; counted to @most */
static unsigned count_waiting(const struct host_ep *ep, unsigned most)
{
	unsigned n = 0;

	for (const struct usb_xfer *t = ep->held_head;
	     t && n < most && !td_is_bad(ep, t); t = t->next)
		n += t->npackets;
	return n;
}

static bool may_wait(const struct isoch *iso, unsigned waiting)
{
	unsigned behind =
		iso->oldest ? iso->npackets - iso->oldest->npackets : 0;

	return behind * iso->period_us >= ISO_AHEAD_US &&
	       waiting * iso->period_us < ISO_GROUP_US;
}

/* The first of those that wait, at most @max packets, as a transfer */
static struct iso_urb *iso_build(struct host_dev *hd, struct host_ep *ep,
				 unsigned max)
{
	struct usb_xfer *t;
	struct iso_urb *u;
	size_t total = 0, off = 0;
	unsigned npackets = 0, ntds = 0;

	for (t = ep->held_head; t && !td_is_bad(ep, t); t = t->next) {
		if (ntds && npackets + t->npackets > max)
			break;
		for (uint32_t i = 0; i < t->npackets; i++)
			total += packet_length(ep, t, i);
		npackets += t->npackets;
		ntds++;
	}
	u = iso_urb_get(hd, ep, total);
	if (!u)
		return NULL;
	libusb_fill_iso_transfer(u->lt, hd->handle, ep->held_head->ep, u->buf,
				 (int)total, (int)npackets, iso_done, u, 0);
	u->lt->flags = 0;
	u->cut = CUT_NOT;
	u->ncancelled = 0;
	u->npackets = npackets;
	u->ntds = ntds;
	t = ep->held_head;
	npackets = 0;
	for (unsigned n = 0; n < ntds; n++, t = t->next) {
		uint32_t from = 0;

		u->td[n] = t;
		for (uint32_t i = 0; i < t->npackets; i++) {
			struct libusb_iso_packet_descriptor *p =
				&u->lt->iso_packet_desc[npackets++];

			p->length = packet_length(ep, t, i);
			p->actual_length = 0;
			p->status = LIBUSB_TRANSFER_ERROR;
			if (!t->in)
				usb_xfer_gather(t, from, u->buf + off,
						p->length);
			from += t->packet[i].length;
			off += p->length;
		}
	}
	return u;
}

/* libusb has @u: its TDs wait no longer. */
static void iso_started(struct iso_urb *u)
{
	iso_urb_link(u);
	for (unsigned i = 0; i < u->ntds; i++) {
		held_remove(u->ep, u->td[i]);
		u->td[i]->dev_priv = u;
		u->td[i]->dev_data = 0;
	}
}

/* It will not have them: they end so. */
static void iso_refused(struct host_dev *hd, struct host_ep *ep, unsigned ntds,
			int r)
{
	enum usb_status status = r == LIBUSB_ERROR_NO_MEM      ? USB_NOMEM
				 : r == LIBUSB_ERROR_NO_DEVICE ? USB_NODEV
							       : USB_ERROR;

	for (; ntds && ep->held_head; ntds--) {
		struct usb_xfer *t = ep->held_head;

		held_remove(ep, t);
		complete_unmoved(hd, t, status);
	}
	if (r == LIBUSB_ERROR_NO_DEVICE)
		host_dev_gone(hd);
}

/* Start one transfer of at most @max packets; false: no more for now */
static bool isoch_submit(struct host_dev *hd, struct host_ep *ep, unsigned max)
{
	struct iso_urb *u = iso_build(hd, ep, max);
	int r = u ? libusb_submit_transfer(u->lt) : LIBUSB_ERROR_NO_MEM;
	unsigned ntds = u ? u->ntds : 1;

	if (r == 0) {
		iso_started(u);
		return true;
	}
	if (u)
		iso_urb_give(u);
	if (r == LIBUSB_ERROR_NO_MEM && hd->in_flight) {
		hd->starved = true;
		return false;
	}
	iso_refused(hd, ep, ntds, r);
	return true;
}

void isoch_pump(struct host_dev *hd, struct host_ep *ep)
{
	struct isoch *iso = ep->isoch;
	unsigned waiting, max;

	if (!iso) {
		iso = ep->isoch = calloc(1, sizeof(*iso));
		if (!iso) {
			iso_refused(hd, ep, UINT32_MAX, LIBUSB_ERROR_NO_MEM);
			return;
		}
	}
	isoch_measure(iso, hd, ep->desc);
	drop_bad(hd, ep);
	max = iso->max;
	if (!iso->oldest) {
		waiting = count_waiting(ep, max * ISO_START_URBS);
		max = (waiting + ISO_START_URBS - 1) / ISO_START_URBS;
	}
	while (ep->held_head && iso->nurbs < ISO_MAX_URBS) {
		waiting = count_waiting(ep, max);
		if (may_wait(iso, waiting) || !isoch_submit(hd, ep, max))
			return;
		drop_bad(hd, ep);
	}
}
