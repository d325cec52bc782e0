/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_device.c - one device in one port: transfers in and out, reset, wake,
 * going away. The only writer of what a port_device holds.
 *
 * Calls from the controller come from inside the controller, and calls from
 * the device often from inside those. So nothing here calls the controller
 * but port_device_leave() and port_device_event(), which run from
 * pmapper_run() and pmapper_detach().
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "pmapper/mapper.h"

/* Log what a device did wrong: the 1st, 2nd, 4th, 8th... time */
static void port_device_fault(struct port_device *pd, const char *what)
{
	pd->faults++;
	if (pd->faults & (pd->faults - 1))
		return;
	usb_dev_log(pd->dev, XHCI_LOG_WARN, "%s (%u faults so far)", what,
		    pd->faults);
}

static void set_place(struct port_device *pd, struct usb_xfer *t,
		      enum map_place place)
{
	t->map_state = map_state(pd->id, place);
}

/* The list of what the device has that @t is on, or NULL */
static struct xfer_list *list_of(struct port_device *pd, struct usb_xfer *t)
{
	if (t->map_state == map_state(pd->id, MAP_HELD))
		return &pd->held;
	if (t->map_state == map_state(pd->id, MAP_CANCELLING))
		return &pd->cancelling;
	return NULL;
}

/* Packets come from the device as they are; the totals must fit. */
static void clamp_result(struct usb_xfer *t, enum usb_status status,
			 uint32_t actual)
{
	uint32_t i;

	t->status = (unsigned)status < USB_NSTATUS ? status : USB_ERROR;
	t->actual = actual < t->length ? actual : t->length;
	if (t->type != USB_ISOCH)
		return;
	for (i = 0; i < t->npackets; i++) {
		struct usb_packet *p = &t->packet[i];

		if ((unsigned)p->status >= USB_NSTATUS)
			p->status = USB_ERROR;
		if (p->actual > p->length)
			p->actual = p->length;
	}
}

/* A device counts for itself: by packet, where each has an end of its own. */
static void count_result(struct usb_counters *c, const struct usb_xfer *t)
{
	c->transfers++;
	c->bytes += t->actual;
	if (t->type != USB_ISOCH)
		c->ended[t->status]++;
	for (uint32_t i = 0; t->type == USB_ISOCH && i < t->npackets; i++)
		c->ended[t->packet[i].status]++;
}

/* From the device, or from nowhere, to the queue of completions */
static void finish_xfer(struct port_device *pd, struct usb_xfer *t,
			enum usb_status status, uint32_t actual)
{
	struct pmapper *pm = pd->pm;

	xfer_list_remove(list_of(pd, t), t);
	clamp_result(t, status, actual);
	count_result(&pd->dev->counters, t);
	set_place(pd, t, MAP_QUEUED);
	pd->nqueued++;
	if (pm->tap && pm->tap->complete)
		pm->tap->complete(pm->tap_host, pd->port, pd->dev, t);
	pm_queue(pm, t);
}

static int start_state(struct port_device *pd, struct usb_xfer *t,
		       enum usb_state_req req)
{
	const struct usb_dev_ops *ops = pd->dev->ops;

	return ops->state ? ops->state(pd->dev, t, req)
			  : ops->submit(pd->dev, t);
}

static int start_xfer(struct port_device *pd, struct usb_xfer *t)
{
	enum usb_state_req req = USB_SET_CONFIG;
	enum control_class class = CONTROL_PASS;

	if (t->type == USB_CONTROL && (t->ep & 0xfu) == 0)
		class = control_classify(&t->setup, &req);
	switch (class) {
	case CONTROL_ANSWER:
		finish_xfer(pd, t, USB_OK, 0);
		return 0;
	case CONTROL_DENY:
		finish_xfer(pd, t, USB_STALL, 0);
		return 0;
	case CONTROL_STATE:
		return start_state(pd, t, req);
	case CONTROL_PASS:
		break;
	}
	return pd->dev->ops->submit(pd->dev, t);
}

static int port_device_submit(void *dev, struct usb_xfer *t)
{
	struct port_device *pd = dev;
	struct pmapper *pm = pd->pm;
	int r;

	if (pd->gone || !pd->in_port)
		return -ENODEV;
	set_place(pd, t, MAP_HELD);
	xfer_list_append(&pd->held, t);
	if (pm->tap && pm->tap->submit)
		pm->tap->submit(pm->tap_host, pd->port, pd->dev, t);
	r = start_xfer(pd, t);
	if (r >= 0)
		return 0;
	if (r == -ENODEV)
		usb_dev_gone(pd->dev);
	if (!list_of(pd, t)) {
		port_device_fault(pd, "transfer completed and refused");
		return 0;
	}
	xfer_list_remove(list_of(pd, t), t);
	t->map_state = 0;
	if (pm->tap && pm->tap->refuse)
		pm->tap->refuse(pm->tap_host, pd->port, pd->dev, t, r);
	return r;
}

/* Tell the device, once for each transfer. */
static void cancel_xfer(struct port_device *pd, struct usb_xfer *t)
{
	xfer_list_remove(&pd->held, t);
	set_place(pd, t, MAP_CANCELLING);
	xfer_list_append(&pd->cancelling, t);
	pd->dev->ops->cancel(pd->dev, t);
}

static void port_device_cancel(void *dev, struct usb_xfer *t)
{
	struct port_device *pd = dev;

	if (list_of(pd, t) == &pd->held)
		cancel_xfer(pd, t);
}

/*
 * The kind of reset is not passed on: a device knows one. A device that is
 * gone is not asked, the disconnect that is under way answers.
 */
static void port_device_reset(void *dev, bool warm)
{
	struct port_device *pd = dev;

	(void)warm;
	if (pd->gone || !pd->in_port || pd->reset != RESET_NONE)
		return;
	pd->reset = RESET_ASKED;
	pd->dev->counters.resets++;
	if (pd->pm->ops->port_reset)
		pd->pm->ops->port_reset(pd->pm->host, pd->port, pd->dev);
	pd->dev->ops->reset(pd->dev);
}

static void port_device_ep_enable(void *dev, const struct usb_ep_info *info)
{
	struct port_device *pd = dev;

	if (!pd->gone && pd->in_port && pd->dev->ops->ep_enable)
		pd->dev->ops->ep_enable(pd->dev, info);
}

static void port_device_ep_disable(void *dev, uint8_t ep)
{
	struct port_device *pd = dev;

	if (!pd->gone && pd->in_port && pd->dev->ops->ep_disable)
		pd->dev->ops->ep_disable(pd->dev, ep);
}

static void port_device_suspend(void *dev, bool suspended)
{
	struct port_device *pd = dev;

	if (!pd->gone && pd->in_port && pd->dev->ops->suspend)
		pd->dev->ops->suspend(pd->dev, suspended);
}

const struct usb_port_ops port_device_ops = {
	.submit = port_device_submit,
	.cancel = port_device_cancel,
	.reset = port_device_reset,
	.ep_enable = port_device_ep_enable,
	.ep_disable = port_device_ep_disable,
	.suspend = port_device_suspend,
};

/*
 * Youngest first. What the device completes meanwhile leaves the list by
 * itself, and nothing new comes to it: submits are refused by now.
 */
static void cancel_all(struct port_device *pd)
{
	struct pmapper *pm = pd->pm;

	for (; pd->held.tail && pm->cancels; pm->cancels--)
		cancel_xfer(pd, pd->held.tail);
	pm->leaving = pm->leaving || pd->held.tail;
}

void port_device_cancel_more(struct pmapper *pm)
{
	pm->cancels = PM_RUN_CANCELS;
	if (!pm->leaving)
		return;
	pm->leaving = false;
	for (unsigned id = 1; id <= PM_MAX_DEVICES; id++)
		if (pm->devs[id] && !pm->devs[id]->in_port)
			cancel_all(pm->devs[id]);
}

void port_device_leave(struct port_device *pd)
{
	struct pmapper *pm = pd->pm;

	if (!pd->in_port)
		return;
	pd->in_port = false;
	pm->ports[pd->port] = NULL;
	xhci_port_disconnect(pm->x, pd->port);
	usb_dev_log(pd->dev, XHCI_LOG_DEBUG, "out of port %u", pd->port);
	cancel_all(pd);
}

void port_device_post(struct port_device *pd, unsigned pending)
{
	pd->pending |= pending;
	if (pd->event.map_state)
		return;
	set_place(pd, &pd->event, MAP_EVENT);
	pm_queue(pd->pm, &pd->event);
}

void port_device_event(struct port_device *pd)
{
	unsigned pending = pd->pending;

	pd->pending = 0;
	if (pending & PORT_RESET_DONE)
		pd->reset = RESET_NONE;
	if (pd->gone) {
		port_device_leave(pd);
		return;
	}
	if (pd->in_port && (pending & PORT_WAKE))
		xhci_port_wake(pd->pm->x, pd->port);
	if (pd->in_port && (pending & PORT_RESET_DONE))
		xhci_port_reset_done(pd->pm->x, pd->port, pd->reset_ok);
}

bool port_device_is_done(const struct port_device *pd)
{
	return !pd->in_port && !pd->held.head && !pd->cancelling.head &&
	       pd->nqueued == 0 && !pd->event.map_state &&
	       pd->reset != RESET_ASKED;
}

void usb_dev_complete(struct usb_dev *d, struct usb_xfer *t,
		      enum usb_status status, uint32_t actual)
{
	if (!d->pd)
		return;
	if (!list_of(d->pd, t)) {
		port_device_fault(d->pd, "completed a transfer it has not");
		return;
	}
	finish_xfer(d->pd, t, status, actual);
}

void usb_dev_reset_done(struct usb_dev *d, bool ok)
{
	struct port_device *pd = d->pd;

	if (!pd)
		return;
	if (pd->reset != RESET_ASKED) {
		port_device_fault(pd, "answered a reset nobody asked for");
		return;
	}
	pd->reset = RESET_ANSWERED;
	pd->reset_ok = ok;
	port_device_post(pd, PORT_RESET_DONE);
}

void usb_dev_gone(struct usb_dev *d)
{
	struct port_device *pd = d->pd;

	if (!pd || pd->gone)
		return;
	pd->gone = true;
	port_device_post(pd, 0);
}

void usb_dev_wake(struct usb_dev *d)
{
	struct port_device *pd = d->pd;

	if (pd && pd->in_port && !pd->gone)
		port_device_post(pd, PORT_WAKE);
}

void usb_dev_log(struct usb_dev *d, enum xhci_log level, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!d->pm)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pm_log(d->pm, level, "%.63s: %s", d->label, text);
}
