/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmapper.c - which device sits in which port, and the queue through which
 * the controller hears of everything the devices did.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pmapper/mapper.h"

void xfer_list_append(struct xfer_list *l, struct usb_xfer *t)
{
	t->map_next = NULL;
	t->map_prev = l->tail;
	if (l->tail)
		l->tail->map_next = t;
	else
		l->head = t;
	l->tail = t;
}

void xfer_list_remove(struct xfer_list *l, struct usb_xfer *t)
{
	if (t->map_prev)
		t->map_prev->map_next = t->map_next;
	else
		l->head = t->map_next;
	if (t->map_next)
		t->map_next->map_prev = t->map_prev;
	else
		l->tail = t->map_prev;
	t->map_next = NULL;
	t->map_prev = NULL;
}

/* Labels and texts may hold what a device or a file name said. */
static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

void pm_log(struct pmapper *pm, enum xhci_log level, const char *fmt, ...)
{
	char line[384];
	va_list ap;

	if (!pm->ops->log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	make_printable(line);
	pm->ops->log(pm->host, level, line);
}

void pm_queue(struct pmapper *pm, struct usb_xfer *t)
{
	bool was_empty = !pm->queue.head;

	xfer_list_append(&pm->queue, t);
	/* inside pmapper_run() the host learns it from what that returns */
	if (was_empty && !pm->running)
		pm->ops->kick(pm->host);
}

int pmapper_create(struct xhci *x, const struct pmapper_host_ops *ops,
		   void *host, struct pmapper **ret_pm)
{
	struct pmapper *pm = calloc(1, sizeof(*pm));
	int r;

	if (!pm)
		return -ENOMEM;
	r = worker_init(&pm->worker, ops->wake, host);
	if (r) {
		free(pm);
		return r;
	}
	pm->x = x;
	pm->ops = ops;
	pm->cancels = PM_RUN_CANCELS;
	pm->host = host;
	*ret_pm = pm;
	return 0;
}

void pmapper_set_tap(struct pmapper *pm, const struct pm_tap_ops *ops,
		     void *tap)
{
	pm->tap = ops;
	pm->tap_host = tap;
}

/* 0 and whether it is a SuperSpeed device, or -EINVAL */
static int speed_is_usb3(enum usb_speed speed, bool *ret_usb3)
{
	switch (speed) {
	case USB_SPEED_LOW:
	case USB_SPEED_FULL:
	case USB_SPEED_HIGH:
		*ret_usb3 = false;
		return 0;
	case USB_SPEED_SUPER:
	case USB_SPEED_SUPER_PLUS:
	case USB_SPEED_SUPER_BY2:
	case USB_SPEED_SUPER_PLUS_BY2:
		*ret_usb3 = true;
		return 0;
	case USB_SPEED_NONE:
		break;
	}
	return -EINVAL;
}

/*
 * A device that is gone keeps its port until the next pmapper_run(); one that
 * comes back to the same port need not wait for that.
 */
static bool port_take(struct pmapper *pm, unsigned port)
{
	if (pm->ports[port] && pm->ports[port]->gone)
		port_device_leave(pm->ports[port]);
	return !pm->ports[port] && xhci_port_is_free(pm->x, port);
}

static int choose_port(struct pmapper *pm, bool usb3, unsigned *port)
{
	unsigned n = xhci_nports(pm->x), i;

	if (n > XHCI_MAX_PORTS)
		n = XHCI_MAX_PORTS;
	if (*port > n)
		return -EINVAL;
	if (*port) {
		if (xhci_port_is_usb3(pm->x, *port) != usb3)
			return -EINVAL;
		return port_take(pm, *port) ? 0 : -EBUSY;
	}
	for (i = 1; i <= n; i++) {
		if (xhci_port_is_usb3(pm->x, i) != usb3 || !port_take(pm, i))
			continue;
		*port = i;
		return 0;
	}
	return -ENOSPC;
}

static unsigned free_id(const struct pmapper *pm)
{
	unsigned id;

	for (id = 1; id <= PM_MAX_DEVICES; id++)
		if (!pm->devs[id])
			return id;
	return 0;
}

bool pmapper_has_room(const struct pmapper *pm)
{
	return free_id(pm) != 0;
}

static void add_device(struct pmapper *pm, struct port_device *pd)
{
	pm->devs[pd->id] = pd;
	pm->ports[pd->port] = pd;
	pm->ndevs++;
	pd->in_port = true;
	pd->dev->pm = pm;
	pd->dev->pd = pd;
	pd->dev->counters = (struct usb_counters){0};
}

static void remove_device(struct pmapper *pm, struct port_device *pd)
{
	pm->devs[pd->id] = NULL;
	pm->ndevs--;
	pd->dev->pd = NULL;
}

int pmapper_attach(struct pmapper *pm, struct usb_dev *d, unsigned port,
		   unsigned *ret_port)
{
	struct port_device *pd;
	unsigned id;
	bool usb3;
	int r;

	if (d->pd)
		return -EBUSY;
	r = speed_is_usb3(d->speed, &usb3);
	if (r)
		return r;
	r = choose_port(pm, usb3, &port);
	if (r)
		return r;
	id = free_id(pm);
	if (!id)
		return -EAGAIN;
	pd = calloc(1, sizeof(*pd));
	if (!pd)
		return -ENOMEM;
	pd->pm = pm;
	pd->dev = d;
	pd->id = id;
	pd->port = port;
	add_device(pm, pd);
	r = xhci_port_connect(pm->x, port, d->speed, &port_device_ops, pd);
	if (r) {
		pm->ports[port] = NULL;
		remove_device(pm, pd);
		d->pm = NULL;
		free(pd);
		return r;
	}
	usb_dev_log(d, XHCI_LOG_DEBUG, "in port %u", port);
	*ret_port = port;
	return 0;
}

int pmapper_detach(struct pmapper *pm, unsigned port)
{
	struct port_device *pd;

	if (port > XHCI_MAX_PORTS || !pm->ports[port])
		return -ENOENT;
	pd = pm->ports[port];
	port_device_leave(pd);
	port_device_post(pd, 0);
	return 0;
}

void pmapper_detach_all(struct pmapper *pm)
{
	unsigned port;

	for (port = 1; port <= XHCI_MAX_PORTS; port++)
		pmapper_detach(pm, port);
}

bool pmapper_busy(const struct pmapper *pm)
{
	return pm->ndevs != 0;
}

struct usb_dev *pmapper_device(const struct pmapper *pm, unsigned port)
{
	if (port > XHCI_MAX_PORTS || !pm->ports[port])
		return NULL;
	return pm->ports[port]->dev;
}

/*
 * The last thing that waited for the device has come out of the queue: no
 * call of the device is on the stack here.
 */
static void free_if_done(struct pmapper *pm, struct port_device *pd)
{
	struct usb_dev *d = pd->dev;

	if (!port_device_is_done(pd))
		return;
	remove_device(pm, pd);
	if (pm->ops->freed)
		pm->ops->freed(pm->host, pd->port, d);
	free(pd);
	d->ops->free(d);
}

static void deliver(struct pmapper *pm, struct usb_xfer *t)
{
	struct port_device *pd = pm->devs[map_id(t->map_state)];
	enum map_place place = map_place(t->map_state);

	xfer_list_remove(&pm->queue, t);
	t->map_state = 0;
	if (place == MAP_EVENT) {
		port_device_event(pd);
	} else {
		pd->nqueued--;
		xhci_xfer_done(pm->x, t);
	}
	free_if_done(pm, pd);
}

bool pmapper_run(struct pmapper *pm)
{
	unsigned n;

	if (pm->running)
		return false;
	pm->running = true;
	worker_reap(&pm->worker);
	port_device_cancel_more(pm);
	for (n = 0; n < PM_RUN_BUDGET && pm->queue.head; n++)
		deliver(pm, pm->queue.head);
	pm->running = false;
	return pm->queue.head != NULL || pm->leaving;
}

int pm_work_submit(struct pmapper *pm, struct pm_work *w)
{
	return worker_submit(&pm->worker, w);
}

/* Against the rule, busy: what cannot be freed is left alone, unowned. */
static void abandon_devices(struct pmapper *pm)
{
	unsigned id;

	pmapper_detach_all(pm);
	while (pmapper_run(pm))
		;
	if (!pmapper_busy(pm))
		return;
	pm_log(pm, XHCI_LOG_ERROR, "port mapper: %u devices never let go",
	       pm->ndevs);
	for (id = 1; id <= PM_MAX_DEVICES; id++) {
		struct port_device *pd = pm->devs[id];

		if (!pd)
			continue;
		remove_device(pm, pd);
		pd->dev->pm = NULL;
		free(pd);
	}
}

static unsigned list_len(const struct xfer_list *l)
{
	unsigned n = 0;

	for (const struct usb_xfer *t = l->head; t; t = t->map_next)
		n++;
	return n;
}

unsigned pmapper_held(const struct pmapper *pm)
{
	unsigned n = 0;

	for (unsigned id = 1; id <= PM_MAX_DEVICES; id++)
		if (pm->devs[id])
			n += list_len(&pm->devs[id]->held) +
			     list_len(&pm->devs[id]->cancelling) +
			     pm->devs[id]->nqueued;
	return n;
}

void pmapper_destroy(struct pmapper *pm)
{
	if (!pm)
		return;
	if (pmapper_busy(pm))
		abandon_devices(pm);
	worker_fini(&pm->worker);
	free(pm);
}
