/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_list.c - what is told of devices and ports: events, and the two lists.
 */
#include "vmm/embed.h"

#include <stdio.h>
#include <string.h>

#include "emu/hw.h"
#include "hostusb/class.h"

#define RESET_TOLD_NS 1000000000u /* a port's resets are told this often */

_Static_assert(VXHCI_MAX_PORTS == XHCI_MAX_PORTS, "room for all ports");
/* each that waits, and each that is in a port or on its way */
_Static_assert(VXHCI_MAX_DEVICES >= EMBED_MAX_DEVS + 63, "room for all");
_Static_assert((int)VXHCI_WAITING == (int)HOSTUSB_WAITING &&
		       (int)VXHCI_DETACHING == (int)HOSTUSB_DETACHING &&
		       (int)VXHCI_IN_USE == (int)HOSTUSB_IN_USE,
	       "states are passed on as they are");

const char *vxhci_state_name(enum vxhci_state state)
{
	static const char *const names[] = {
		[VXHCI_WAITING] = "waiting",   [VXHCI_ATTACHING] = "attaching",
		[VXHCI_ATTACHED] = "attached", [VXHCI_DETACHING] = "detaching",
		[VXHCI_FAILED] = "failed",     [VXHCI_DENIED] = "denied",
		[VXHCI_IN_USE] = "in-use",
	};

	return names[state];
}

/* From what is known to what is told. */

static const char *kind_name(enum slot_kind kind)
{
	static const char *const names[SLOT_NKINDS] = {
		[SLOT_ADDR] = "usb",
		[SLOT_PATH] = "usb",
		[SLOT_ID] = "usb",
		[SLOT_TABLET] = "tablet",
		[SLOT_KEYBOARD] = "keyboard",
		[SLOT_MOUSE] = "mouse",
		[SLOT_AUDIO] = "audio",
		[SLOT_CAMERA] = "camera",
		[SLOT_STORAGE] = "storage",
		[SLOT_ZERO] = "zero",
		[SLOT_REPLAY] = "replay",
	};

	return names[kind];
}

static void tell_dev(const struct usb_dev *dev, struct vxhci_device *ret)
{
	const struct usb_counters *c = &dev->counters;

	snprintf(ret->speed, sizeof(ret->speed), "%s",
		 usb_speed_name(dev->speed));
	ret->transfers = c->transfers;
	ret->bytes = c->bytes;
	ret->resets = c->resets;
	ret->errors = (struct vxhci_errors){
		.stall = c->ended[USB_STALL],
		.transaction = c->ended[USB_ERROR],
		.babble = c->ended[USB_BABBLE],
		.cancelled = c->ended[USB_CANCELLED],
		.gone = c->ended[USB_NODEV],
		.no_memory = c->ended[USB_NOMEM],
		.missed = c->ended[USB_MISSED],
		.overrun = c->ended[USB_OVERRUN],
	};
}

static void tell_wish(const struct embed_dev *w, struct vxhci_device *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = w->id;
	slot_dev_name(&w->d, ret->name, sizeof(ret->name));
	snprintf(ret->kind, sizeof(ret->kind), "%s", kind_name(w->d.kind));
	snprintf(ret->rule, sizeof(ret->rule), "%s", w->rule);
}

void embed_tell_builtin(const struct embed_dev *w, struct vxhci_device *ret)
{
	tell_wish(w, ret);
	ret->state = w->leaving ? VXHCI_DETACHING : VXHCI_ATTACHED;
	ret->port = w->port;
	if (w->dev != NULL)
		tell_dev(w->dev, ret);
}

static void tell_usb(const struct embed_dev *w, const struct hostusb_status *s,
		     struct vxhci_device *ret)
{
	const struct usb_info *i = s->info;
	char name[32], *port;

	tell_wish(w, ret);
	ret->state = (enum vxhci_state)s->state;
	ret->port = s->port;
	ret->unplugged = s->unplugged;
	snprintf(ret->reason, sizeof(ret->reason), "%s", s->reason);
	if (s->dev != NULL)
		tell_dev(s->dev, ret);
	if (i == NULL)
		return;
	ret->bus = i->bus;
	ret->address = i->addr;
	port = strchr(usb_path_name(i, name, sizeof(name)), '-');
	snprintf(ret->path, sizeof(ret->path), "%s", port ? port + 1 : "");
	ret->vendor = i->vid;
	ret->product_id = i->pid;
	snprintf(ret->speed, sizeof(ret->speed), "%s",
		 usb_speed_name(i->speed));
	snprintf(ret->manufacturer, sizeof(ret->manufacturer), "%s",
		 i->manufacturer);
	snprintf(ret->product, sizeof(ret->product), "%s", i->product);
	snprintf(ret->serial, sizeof(ret->serial), "%s", i->serial);
}

struct embed_dev *embed_find(const struct vxhci *v, unsigned id)
{
	struct embed_dev *w = v->devs;

	while (w != NULL && w->id != id)
		w = w->next;
	return w;
}

/* From below, with the lock held */

void embed_emit(struct vxhci *v, enum vxhci_event event,
		const struct vxhci_device *d)
{
	if (v->ops.event != NULL)
		v->ops.event(v->opaque, event, d);
}

void embed_usb_event(void *host, enum hostusb_event event,
		     const struct hostusb_status *s)
{
	struct vxhci *v = host;
	struct embed_dev *w = embed_find(v, s->tag);
	struct vxhci_device d;

	if (w == NULL)
		return;
	if (event == HOSTUSB_EV_ENDED) {
		embed_dev_drop(v, w);
		return;
	}
	tell_usb(w, s, &d);
	embed_emit(v,
		   event == HOSTUSB_EV_ATTACHED   ? VXHCI_DEVICE_ATTACHED
		   : event == HOSTUSB_EV_DETACHED ? VXHCI_DEVICE_DETACHED
						  : VXHCI_DEVICE_FAILED,
		   &d);
}

void embed_freed(void *host, unsigned port, const struct usb_dev *dev)
{
	struct vxhci *v = host;
	struct embed_dev *w = v->devs;
	struct vxhci_device d;

	(void)port;
	while (w != NULL && w->dev != dev)
		w = w->next;
	if (w == NULL)
		return;
	d.unplugged = !w->leaving;
	w->leaving = true;
	embed_tell_builtin(w, &d);
	embed_emit(v, VXHCI_DEVICE_DETACHED, &d);
	embed_dev_drop(v, w);
}

/* Looking for the device in a port */
struct seek {
	struct vxhci *v;
	unsigned port;
	bool found;
	struct vxhci_device d;
};

static void seek_usb(void *arg, const struct hostusb_status *s)
{
	struct seek *k = arg;
	const struct embed_dev *w = embed_find(k->v, s->tag);

	if (w == NULL || s->port != k->port || s->state != HOSTUSB_ATTACHED)
		return;
	tell_usb(w, s, &k->d);
	k->found = true;
}

bool embed_find_port(struct vxhci *v, unsigned port, struct vxhci_device *ret)
{
	struct seek k = {.v = v, .port = port};

	for (const struct embed_dev *w = v->devs; w; w = w->next) {
		if (w->dev == NULL || w->leaving || w->port != port)
			continue;
		embed_tell_builtin(w, ret);
		return true;
	}
	if (v->usb != NULL)
		hostusb_each(v->usb, seek_usb, &k);
	if (k.found)
		*ret = k.d;
	return k.found;
}

void embed_port_reset(void *host, unsigned port, const struct usb_dev *dev)
{
	struct vxhci *v = host;
	struct vxhci_device d;
	uint64_t now;

	(void)dev;
	if (v->ops.event == NULL)
		return;
	now = embed_now_ns(v);
	if (v->reset_told_ns[port] != 0 &&
	    now - v->reset_told_ns[port] < RESET_TOLD_NS)
		return;
	v->reset_told_ns[port] = now;
	if (embed_find_port(v, port, &d))
		embed_emit(v, VXHCI_PORT_RESET, &d);
}

/* A list that is filled up to its end, and counted on */
struct fill {
	struct vxhci *v;
	struct vxhci_device *buf;
	size_t n, used;
	unsigned id;
};

static void fill_usb(void *arg, const struct hostusb_status *s)
{
	struct fill *f = arg;
	const struct embed_dev *w = embed_find(f->v, s->tag);

	if (w == NULL || w->id != f->id)
		return;
	if (f->used < f->n)
		tell_usb(w, s, &f->buf[f->used]);
	f->used++;
}

size_t vxhci_get_devices(struct vxhci *v, struct vxhci_device *buf, size_t n)
{
	struct fill f = {.v = v, .buf = buf, .n = n};

	embed_enter(v);
	for (const struct embed_dev *w = v->devs; w; w = w->next) {
		f.id = w->id;
		if (slot_dev_is_physical(&w->d)) {
			hostusb_each(v->usb, fill_usb, &f);
			continue;
		}
		if (f.used < n)
			embed_tell_builtin(w, &buf[f.used]);
		f.used++;
	}
	embed_leave(v);
	return f.used;
}

/* PORTSC.PLS, xHCI 1.2 table 5-27 */
static const char *link_name(uint32_t portsc)
{
	static const char *const names[16] = {
		[0] = "U0",        [1] = "U1",          [2] = "U2",
		[3] = "U3",        [4] = "Disabled",    [5] = "RxDetect",
		[6] = "Inactive",  [7] = "Polling",     [8] = "Recovery",
		[9] = "Hot Reset", [10] = "Compliance", [11] = "Test",
		[15] = "Resume",
	};
	const char *name = names[PORTSC_PLS(portsc)];

	return name != NULL ? name : "Reserved";
}

size_t vxhci_get_ports(struct vxhci *v, struct vxhci_port *buf, size_t n)
{
	struct vxhci_device d;
	size_t nports;

	embed_enter(v);
	nports = xhci_nports(v->x);
	for (unsigned i = 1; i <= nports && i <= n; i++) {
		uint32_t portsc = xhci_port_status(v->x, i);

		buf[i - 1] = (struct vxhci_port){
			.port = i,
			.usb3 = xhci_port_is_usb3(v->x, i),
			.connected = portsc & PORTSC_CCS,
			.enabled = portsc & PORTSC_PED,
			.link = link_name(portsc),
			.device = embed_find_port(v, i, &d) ? d.id : 0,
		};
	}
	embed_leave(v);
	return nports;
}
