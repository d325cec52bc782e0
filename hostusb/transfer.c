/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transfer.c - control, bulk and interrupt transfers: from the mapper to
 * libusb and back. Payload goes as it lies in guest memory where it is one
 * run of bytes, and through a buffer of ours where it is not.
 */
#include "hostusb/device.h"

#include "emu/account.h"

#include <stdlib.h>

#define SETUP_SIZE 8u           /* bytes, USB 2.0 §9.3 */
#define POOL_BYTES (2u << 20)   /* of buffers that nobody uses, a device */
#define POOL_LOOK 8u            /* free transfers looked at for a buffer */
#define LIBUSB_CONTROL_MAX 4096 /* what libusb takes on Linux, data stage */

static void put_le16(uint8_t *to, uint16_t v)
{
	to[0] = v & 0xffu;
	to[1] = (uint8_t)(v >> 8);
}

static void urb_free(struct urb *u)
{
	u->hd->nurbs--;
	libusb_free_transfer(u->lt);
	free(u->buf);
	free(u);
}

void urb_free_all(struct host_dev *hd)
{
	struct urb *u;

	for (unsigned i = 0; i < HOST_NEPS; i++)
		while ((u = hd->ep[i].oldest)) { /* lost */
			hd->ep[i].oldest = u->next;
			urb_free(u);
		}
	while ((u = hd->free_urbs)) {
		hd->free_urbs = u->next;
		urb_free(u);
	}
	ACCOUNT(hd->nurbs == 0, "%s: %u of libusb's transfers are left",
		hd->d.label, hd->nurbs);
}

static struct urb *urb_new(struct host_dev *hd)
{
	struct urb *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->lt = libusb_alloc_transfer(0);
	if (!u->lt) {
		free(u);
		return NULL;
	}
	u->hd = hd;
	hd->nurbs++;
	return u;
}

/* A free one, best with a buffer of @need bytes, or new; NULL: no memory */
static struct urb *urb_take(struct host_dev *hd, size_t need)
{
	struct urb **p = &hd->free_urbs, **best = p, *u;

	for (unsigned i = 0; i < POOL_LOOK && *p; i++, p = &(*p)->next) {
		if (need ? (*p)->size >= need : (*p)->size == 0) {
			best = p;
			break;
		}
	}
	u = *best;
	if (!u)
		return urb_new(hd);
	*best = u->next;
	hd->pooled -= u->size;
	return u;
}

static void urb_give(struct urb *u)
{
	struct host_dev *hd = u->hd;

	if (hd->pooled + u->size > POOL_BYTES) {
		free(u->buf);
		u->buf = NULL;
		u->size = 0;
	}
	hd->pooled += u->size;
	u->t = NULL;
	u->ep = NULL;
	u->next = hd->free_urbs;
	hd->free_urbs = u;
}

static struct urb *urb_get(struct host_dev *hd, size_t need)
{
	struct urb *u = urb_take(hd, need);

	if (!u || u->size >= need)
		return u;
	free(u->buf);
	u->buf = malloc(need);
	u->size = u->buf ? need : 0;
	if (u->buf)
		return u;
	urb_give(u);
	return NULL;
}

static void urb_link(struct host_ep *ep, struct urb *u)
{
	u->ep = ep;
	u->next = NULL;
	u->prev = ep->youngest;
	if (ep->youngest)
		ep->youngest->next = u;
	else
		ep->oldest = u;
	ep->youngest = u;
	u->hd->in_flight++;
}

static void urb_unlink(struct urb *u)
{
	struct host_ep *ep = u->ep;

	if (u->prev)
		u->prev->next = u->next;
	else
		ep->oldest = u->next;
	if (u->next)
		u->next->prev = u->prev;
	else
		ep->youngest = u->prev;
	u->hd->in_flight--;
}

/* NOT_FOUND: it has ended, and its completion is on the way. */
void urb_cut(struct urb *u, enum urb_cut why)
{
	bool first = u->cut == CUT_NOT;

	if (first || why == CUT_ASKED)
		u->cut = why;
	if (!first)
		return;
	host_dev_cut(u->hd, u->lt);
}

/* It has ended: the others have their time from now on. */
static void urb_uncut(const struct urb *u)
{
	if (u->cut == CUT_NOT)
		return;
	u->hd->ncut--;
	u->hd->cut_ns = 0;
}

void urb_lose(struct host_ep *ep)
{
	for (struct urb *u = ep->oldest; u; u = u->next) {
		struct usb_xfer *t = u->t;

		u->t = NULL;
		t->dev_priv = NULL;
		complete_unmoved(u->hd, t, USB_NODEV);
	}
}

void ep_cut(struct host_ep *ep, enum urb_cut why)
{
	for (struct urb *u = ep->youngest; u; u = u->prev)
		urb_cut(u, why);
	if (ep->isoch)
		isoch_cut(ep, why);
}

/*
 * The endpoint halts at @u. What the guest queued behind it must not move
 * data until the guest has said so (xHCI 1.2 §4.8.3), so it goes back at once,
 * youngest first. Streams halt one by one, §4.12.
 */
static void cut_behind(struct urb *u)
{
	for (struct urb *v = u->ep->youngest; v != u; v = v->prev)
		if (v->t->stream == u->t->stream)
			urb_cut(v, CUT_BEHIND);
}

static enum usb_status urb_status(const struct urb *u, uint32_t actual)
{
	switch (u->lt->status) {
	case LIBUSB_TRANSFER_COMPLETED:
		return USB_OK;
	case LIBUSB_TRANSFER_STALL:
		return USB_STALL;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return USB_NODEV;
	case LIBUSB_TRANSFER_OVERFLOW:
		return USB_BABBLE;
	case LIBUSB_TRANSFER_CANCELLED:
		if (u->t->length && actual == u->t->length)
			return USB_OK; /* all of it came first */
		return u->cut == CUT_ASKED || u->cut == CUT_BEHIND
			       ? USB_CANCELLED
			       : USB_ERROR;
	case LIBUSB_TRANSFER_ERROR:
	case LIBUSB_TRANSFER_TIMED_OUT:
		break;
	}
	return USB_ERROR;
}

/* What libusb says was moved, as far as it can be true */
static uint32_t urb_actual(const struct urb *u)
{
	uint32_t max = u->t->length, n;

	if (u->lt->actual_length < 0)
		return 0;
	n = (uint32_t)u->lt->actual_length;
	return n < max ? n : max;
}

static void LIBUSB_CALL urb_done(struct libusb_transfer *lt)
{
	struct urb *u = lt->user_data;
	struct host_dev *hd = u->hd;
	struct usb_xfer *t = u->t;
	bool control = u->ep->index == 0;
	enum usb_status status;
	uint32_t actual;

	urb_uncut(u);
	if (!t) { /* lost, and found */
		urb_unlink(u);
		urb_give(u);
		return;
	}
	actual = urb_actual(u);
	status = urb_status(u, actual);
	if (t->in && actual && lt->buffer == u->buf)
		usb_xfer_scatter(t, 0, u->buf + (control ? SETUP_SIZE : 0),
				 actual);
	if (!control && status != USB_OK && status != USB_CANCELLED)
		cut_behind(u);
	urb_unlink(u);
	urb_give(u);
	t->dev_priv = NULL;
	usb_dev_complete(&hd->d, t, status, actual);
	if (status == USB_NODEV)
		host_dev_gone(hd);
	if (hd->starved)
		host_dev_pump(hd);
	else
		state_advance(hd);
}

/* What libusb_submit_transfer() said, as what is to be done */
static enum start urb_submitted(struct urb *u, int r,
				enum usb_status *ret_status)
{
	struct host_dev *hd = u->hd;
	struct usb_xfer *t = u->t;

	if (r == 0)
		return STARTED;
	urb_unlink(u);
	urb_give(u);
	t->dev_priv = NULL;
	if (r == LIBUSB_ERROR_NO_MEM && hd->in_flight)
		return START_LATER;
	*ret_status = USB_ERROR;
	if (r == LIBUSB_ERROR_NO_MEM)
		*ret_status = USB_NOMEM;
	if (r == LIBUSB_ERROR_NO_DEVICE) {
		*ret_status = USB_NODEV;
		host_dev_gone(hd);
	}
	return START_FAILED;
}

static enum start no_memory(const struct host_dev *hd,
			    enum usb_status *ret_status)
{
	*ret_status = USB_NOMEM;
	return hd->in_flight ? START_LATER : START_FAILED;
}

static void urb_prepare(struct urb *u, struct host_ep *ep, struct usb_xfer *t)
{
	u->t = t;
	u->cut = CUT_NOT;
	t->dev_priv = u;
	urb_link(ep, u);
	u->lt->flags = 0;
}

/*
 * libusb refuses a data stage above its limit. What devices send is hardly
 * ever as long as what a guest offers to take, so an IN request is asked for
 * again, shorter; an OUT request has to fail.
 */
static int submit_control(struct urb *u, const struct usb_setup *s)
{
	struct host_dev *hd = u->hd;
	bool in = s->request_type & USB_DIR_IN;
	int r = libusb_submit_transfer(u->lt);

	if (r != LIBUSB_ERROR_INVALID_PARAM || s->length <= LIBUSB_CONTROL_MAX)
		return r;
	if (!hd->told_long)
		usb_dev_log(&hd->d, XHCI_LOG_WARN,
			    "a request of %u bytes: libusb takes %u%s",
			    s->length, LIBUSB_CONTROL_MAX,
			    in ? ", the rest is not asked for" : "");
	hd->told_long = true;
	if (!in)
		return r;
	put_le16(u->buf + 6, LIBUSB_CONTROL_MAX);
	u->lt->length = (int)SETUP_SIZE + LIBUSB_CONTROL_MAX;
	return libusb_submit_transfer(u->lt);
}

static enum start start_control(struct host_dev *hd, struct host_ep *ep,
				struct usb_xfer *t, enum usb_status *ret_status)
{
	const struct usb_setup *s = &t->setup;
	struct urb *u = urb_get(hd, SETUP_SIZE + s->length);
	size_t n = 0;

	if (!u)
		return no_memory(hd, ret_status);
	u->buf[0] = s->request_type;
	u->buf[1] = s->request;
	put_le16(u->buf + 2, s->value);
	put_le16(u->buf + 4, s->index);
	put_le16(u->buf + 6, s->length);
	if (!t->in)
		n = usb_xfer_gather(t, 0, u->buf + SETUP_SIZE, s->length);
	if (!t->in && n < s->length && n < t->length) {
		urb_give(u); /* its memory is gone */
		return START_FAILED;
	}
	/* what a TD shorter than wLength leaves open is not ours to tell */
	for (; n < s->length; n++)
		u->buf[SETUP_SIZE + n] = 0;
	urb_prepare(u, ep, t);
	libusb_fill_control_transfer(u->lt, hd->handle, u->buf, urb_done, u, 0);
	return urb_submitted(u, submit_control(u, s), ret_status);
}

static enum start start_data(struct host_dev *hd, struct host_ep *ep,
			     struct usb_xfer *t, enum usb_status *ret_status)
{
	uint8_t *flat = usb_xfer_flat(t);
	struct urb *u = urb_get(hd, flat ? 0 : t->length);
	uint8_t *buf;

	if (!u)
		return no_memory(hd, ret_status);
	buf = flat ? flat : u->buf;
	if (!flat && !t->in &&
	    usb_xfer_gather(t, 0, buf, t->length) < t->length) {
		urb_give(u); /* its memory is gone */
		return START_FAILED;
	}
	urb_prepare(u, ep, t);
	if (t->stream)
		libusb_fill_bulk_stream_transfer(u->lt, hd->handle, t->ep,
						 t->stream, buf, (int)t->length,
						 urb_done, u, 0);
	else
		libusb_fill_bulk_transfer(u->lt, hd->handle, t->ep, buf,
					  (int)t->length, urb_done, u, 0);
	if (ep->desc->type == USB_INTERRUPT)
		u->lt->type = LIBUSB_TRANSFER_TYPE_INTERRUPT;
	return urb_submitted(u, libusb_submit_transfer(u->lt), ret_status);
}

enum start xfer_start(struct host_dev *hd, struct host_ep *ep,
		      struct usb_xfer *t, enum usb_status *ret_status)
{
	*ret_status = USB_ERROR;
	if (ep->index == 0)
		return start_control(hd, ep, t, ret_status);
	if (!ep->desc || t->type == USB_ISOCH)
		return START_FAILED; /* the device has no such endpoint now */
	if (t->stream > ep->streams) {
		if (!ep->streams_failed)
			usb_dev_log(&hd->d, XHCI_LOG_WARN,
				    "endpoint %02x: stream %u, the host has %u",
				    t->ep, t->stream, ep->streams);
		ep->streams_failed = true; /* said once */
		return START_FAILED;
	}
	return start_data(hd, ep, t, ret_status);
}
