/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - a physical device as the mapper knows it. Every transfer is
 * first put in the queue of its endpoint and started from there, so that
 * nothing overtakes what waits for a job or for memory.
 */
#include "hostusb/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct host_dev *host_dev_of(struct usb_dev *d)
{
	return (struct host_dev *)(void *)((char *)d -
					   offsetof(struct host_dev, d));
}

struct host_ep *host_dev_ep(struct host_dev *hd, uint8_t ep)
{
	unsigned n = ep & 0xfu;

	return &hd->ep[n && (ep & USB_DIR_IN) ? n + 16 : n];
}

void held_append(struct host_ep *ep, struct usb_xfer *t)
{
	t->next = NULL;
	t->prev = ep->held_tail;
	if (ep->held_tail)
		ep->held_tail->next = t;
	else
		ep->held_head = t;
	ep->held_tail = t;
}

void held_remove(struct host_ep *ep, struct usb_xfer *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		ep->held_head = t->next;
	if (t->next)
		t->next->prev = t->prev;
	else
		ep->held_tail = t->prev;
	t->next = NULL;
	t->prev = NULL;
}

void host_dev_map_eps(struct host_dev *hd)
{
	for (unsigned i = 1; i < HOST_NEPS; i++) {
		uint8_t ep = (uint8_t)(i & 0xfu);

		if (i >= 16)
			ep |= USB_DIR_IN;
		hd->ep[i].desc =
			i == 16 ? NULL : config_find(hd->config, hd->alt, ep);
	}
}

void complete_unmoved(struct host_dev *hd, struct usb_xfer *t,
		      enum usb_status status)
{
	for (uint32_t i = 0;
	     t->type == USB_ISOCH && t->packet && i < t->npackets; i++) {
		t->packet[i].status = status;
		t->packet[i].actual = 0;
	}
	usb_dev_complete(&hd->d, t, status, 0);
}

static void flush_held(struct host_dev *hd)
{
	for (unsigned i = 0; i < HOST_NEPS; i++) {
		struct host_ep *ep = &hd->ep[i];
		struct usb_xfer *t;

		while ((t = ep->held_head)) {
			held_remove(ep, t);
			complete_unmoved(hd, t, USB_NODEV);
		}
	}
}

void host_dev_gone(struct host_dev *hd)
{
	if (hd->gone)
		return;
	hd->gone = true;
	usb_dev_gone(&hd->d);
	state_gone(hd);
	flush_held(hd);
	hd->owner->gone(hd->owner_arg);
}

static bool ep_is_isoch(const struct host_ep *ep)
{
	return ep->desc && ep->desc->type == USB_ISOCH;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void host_dev_cut(struct host_dev *hd, struct libusb_transfer *lt)
{
	hd->ncut++;
	libusb_cancel_transfer(lt);
	if (hd->owner->cut)
		hd->owner->cut(hd->owner_arg);
}

static void host_dev_lose(struct host_dev *hd)
{
	usb_dev_log(&hd->d, XHCI_LOG_ERROR,
		    "%u transfers do not end: the device is given up",
		    hd->ncut);
	hd->lost = true;
	host_dev_gone(hd);
	for (unsigned i = 0; i < HOST_NEPS; i++) {
		urb_lose(&hd->ep[i]);
		if (hd->ep[i].isoch)
			isoch_lose(&hd->ep[i]);
	}
	state_advance(hd);
}

uint64_t host_dev_check(struct host_dev *hd, uint64_t limit_ns)
{
	uint64_t now;

	if (hd->ncut == 0 || hd->lost)
		return UINT64_MAX;
	now = now_ns();
	if (hd->cut_ns == 0)
		hd->cut_ns = now;
	if (now - hd->cut_ns < limit_ns)
		return limit_ns - (now - hd->cut_ns);
	host_dev_lose(hd);
	return UINT64_MAX;
}

static void held_prepend(struct host_ep *ep, struct usb_xfer *t)
{
	t->prev = NULL;
	t->next = ep->held_head;
	if (t->next)
		t->next->prev = t;
	else
		ep->held_tail = t;
	ep->held_head = t;
}

/* May the first that waits on @ep go to libusb? */
static bool ep_may_start(struct host_dev *hd, const struct host_ep *ep)
{
	const struct usb_xfer *t = ep->held_head;

	if (!t || (hd->held & EP_BIT(ep->index)) || state_is_request(t))
		return false;
	if (!t->stream || !ep_wants_streams(ep))
		return true;
	hd->streams_due = true;
	return false;
}

/* Start the first that waits on @ep; false: not now */
static bool ep_start(struct host_dev *hd, struct host_ep *ep)
{
	struct usb_xfer *t = ep->held_head;
	enum usb_status status = USB_ERROR;

	held_remove(ep, t);
	switch (xfer_start(hd, ep, t, &status)) {
	case STARTED:
		break;
	case START_LATER:
		held_prepend(ep, t);
		hd->starved = true;
		return false;
	case START_FAILED:
		complete_unmoved(hd, t, status);
		break;
	}
	return true;
}

void host_ep_pump(struct host_dev *hd, struct host_ep *ep)
{
	if (ep_is_isoch(ep)) {
		if (!(hd->held & EP_BIT(ep->index)) && ep->held_head)
			isoch_pump(hd, ep);
		return;
	}
	while (ep_may_start(hd, ep) && ep_start(hd, ep))
		;
}

/* Of the endpoints in @mask, the one whose turn is next, or NULL */
static struct host_ep *next_turn(struct host_dev *hd, uint32_t mask)
{
	struct host_ep *next = NULL;

	for (unsigned i = 0; i < HOST_NEPS; i++) {
		struct host_ep *ep = &hd->ep[i];

		if ((mask & EP_BIT(i)) && ep_may_start(hd, ep) &&
		    (!next ||
		     ep->held_head->dev_data < next->held_head->dev_data))
			next = ep;
	}
	return next;
}

/* In the order in which they came, over all endpoints */
void host_dev_pump(struct host_dev *hd)
{
	uint32_t mask = EP_ALL;
	struct host_ep *ep;

	hd->starved = false;
	for (unsigned i = 0; i < HOST_NEPS; i++) {
		if (!ep_is_isoch(&hd->ep[i]))
			continue;
		host_ep_pump(hd, &hd->ep[i]);
		mask &= ~EP_BIT(i);
	}
	while ((ep = next_turn(hd, mask)))
		if (!ep_start(hd, ep))
			mask &= ~EP_BIT(ep->index);
	state_advance(hd);
}

void host_dev_flush(struct host_dev *hd)
{
	if (!hd->flush_due)
		return;
	hd->flush_due = false;
	host_dev_pump(hd);
}

/* What SET_CONFIGURATION of the same value would undo, USB 2.0 §9.1.1.5 */
static bool is_pristine(const struct host_ep *ep, const struct usb_xfer *t)
{
	return ep->index == 0 && !((t->setup.request_type & USB_RT_TYPE_MASK) ==
					   USB_RT_STANDARD &&
				   t->setup.request == USB_REQ_SET_FEATURE);
}

static int dev_submit(struct usb_dev *d, struct usb_xfer *t)
{
	struct host_dev *hd = host_dev_of(d);
	struct host_ep *ep = host_dev_ep(hd, t->ep);

	if (hd->gone || hd->closing)
		return -ENODEV;
	hd->used = true;
	if (!is_pristine(ep, t))
		hd->pristine = false;
	t->dev_priv = NULL;
	t->dev_data = ++hd->seq * HELD_SEQ;
	held_append(ep, t);
	if (ep_is_isoch(ep)) {
		/* its packets come one by one, many at once */
		if (!hd->flush_due)
			hd->owner->soon(hd->owner_arg);
		hd->flush_due = true;
		return 0;
	}
	if (ep->held_head == t)
		host_ep_pump(hd, ep);
	state_advance(hd);
	return 0;
}

static int dev_state(struct usb_dev *d, struct usb_xfer *t,
		     enum usb_state_req req)
{
	struct host_dev *hd = host_dev_of(d);

	if (hd->gone || hd->closing)
		return -ENODEV;
	hd->used = true;
	t->dev_priv = NULL;
	t->dev_data = ++hd->seq * HELD_SEQ + HELD_REQUEST(req);
	held_append(&hd->ep[0], t);
	state_advance(hd);
	return 0;
}

static void dev_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	struct host_dev *hd = host_dev_of(d);
	struct host_ep *ep = host_dev_ep(hd, t->ep);

	if (t == hd->job_xfer) {
		/* the job cannot be stopped; nobody waits for it any more */
		hd->job_xfer = NULL;
		usb_dev_complete(d, t, USB_CANCELLED, 0);
	} else if (t->dev_priv && t->type == USB_ISOCH) {
		isoch_cancel(t);
	} else if (t->dev_priv) {
		urb_cut(t->dev_priv, CUT_ASKED);
	} else {
		held_remove(ep, t);
		complete_unmoved(hd, t, USB_CANCELLED);
		host_dev_pump(hd);
	}
}

/*
 * The guest's firmware wants the port enabled within 100 ms of its reset, and
 * the reset of a device takes longer: the answer is given at once, and what is
 * submitted meanwhile waits. A device that does not survive is gone then.
 */
static void dev_reset(struct usb_dev *d)
{
	struct host_dev *hd = host_dev_of(d);
	bool wanted = hd->used && hd->reset != HOSTUSB_RESET_NEVER;

	if (hd->reset == HOSTUSB_RESET_INITIAL && hd->reset_done_once)
		wanted = false;
	if (wanted && !hd->gone && !hd->closing)
		hd->reset_wanted = true;
	usb_dev_reset_done(d, true);
	state_advance(hd);
}

static void dev_ep_enable(struct usb_dev *d, const struct usb_ep_info *info)
{
	struct host_dev *hd = host_dev_of(d);
	struct host_ep *ep = host_dev_ep(hd, info->ep);

	ep->streams_wanted = info->streams;
	ep->streams_failed = false;
	hd->streams_due |= info->streams != 0;
	state_advance(hd);
}

static void dev_ep_disable(struct usb_dev *d, uint8_t addr)
{
	struct host_dev *hd = host_dev_of(d);
	struct host_ep *ep = host_dev_ep(hd, addr);

	ep->streams_wanted = 0;
	ep->streams_free = ep->streams != 0;
	hd->streams_due |= ep->streams_free;
	state_advance(hd);
}

static void dev_free(struct usb_dev *d)
{
	host_dev_close(host_dev_of(d));
}

static const struct usb_dev_ops host_dev_ops = {
	.name = "usb",
	.submit = dev_submit,
	.cancel = dev_cancel,
	.reset = dev_reset,
	.state = dev_state,
	.ep_enable = dev_ep_enable,
	.ep_disable = dev_ep_disable,
	.suspend = NULL, /* the host's own power management decides */
	.free = dev_free,
};

int host_dev_create(struct pmapper *pm, libusb_context *ctx, struct watcher *w,
		    libusb_device *dev, const struct usb_info *info,
		    const char *label, enum hostusb_reset reset,
		    const struct host_dev_owner *owner, void *owner_arg,
		    struct host_dev **ret_hd)
{
	struct host_dev *hd = calloc(1, sizeof(*hd));

	if (!hd)
		return -ENOMEM;
	hd->d.ops = &host_dev_ops;
	hd->d.speed = info->speed;
	snprintf(hd->d.label, sizeof(hd->d.label), "%s", label);
	hd->pm = pm;
	hd->owner = owner;
	hd->owner_arg = owner_arg;
	hd->reset = reset;
	hd->used = true; /* by the host */
	hd->dev = libusb_ref_device(dev);
	hd->job.ctx = ctx;
	hd->job.dev = dev;
	hd->job.watcher = w;
	hd->job.info = *info;
	for (unsigned i = 0; i < HOST_NEPS; i++)
		hd->ep[i].index = (uint8_t)i;
	*ret_hd = hd;
	return 0;
}

void host_dev_close(struct host_dev *hd)
{
	hd->closing = true;
	hd->reset_wanted = false;
	state_advance(hd);
}
