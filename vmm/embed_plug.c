/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_plug.c - devices that come and go while the controller runs: asked
 * for, taken out, told of.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

static void tell_builtin(const struct embed_dev *w, struct vxhci_device *ret)
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

static struct embed_dev *find_id(const struct vxhci *v, unsigned id)
{
	struct embed_dev *w = v->devs;

	while (w != NULL && w->id != id)
		w = w->next;
	return w;
}

/* From below, with the lock held */

static void emit(struct vxhci *v, enum vxhci_event event,
		 const struct vxhci_device *d)
{
	if (v->ops.event != NULL)
		v->ops.event(v->opaque, event, d);
}

void embed_usb_event(void *host, enum hostusb_event event,
		     const struct hostusb_status *s)
{
	struct vxhci *v = host;
	struct embed_dev *w = find_id(v, s->tag);
	struct vxhci_device d;

	if (w == NULL)
		return;
	if (event == HOSTUSB_EV_ENDED) {
		embed_dev_drop(v, w);
		return;
	}
	tell_usb(w, s, &d);
	emit(v,
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
	tell_builtin(w, &d);
	emit(v, VXHCI_DEVICE_DETACHED, &d);
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
	const struct embed_dev *w = find_id(k->v, s->tag);

	if (w == NULL || s->port != k->port || s->state != HOSTUSB_ATTACHED)
		return;
	tell_usb(w, s, &k->d);
	k->found = true;
}

static bool find_port(struct vxhci *v, unsigned port, struct vxhci_device *ret)
{
	struct seek k = {.v = v, .port = port};

	for (const struct embed_dev *w = v->devs; w; w = w->next) {
		if (w->dev == NULL || w->leaving || w->port != port)
			continue;
		tell_builtin(w, ret);
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
	if (find_port(v, port, &d))
		emit(v, VXHCI_PORT_RESET, &d);
}

/* What a caller asks for */

static int check_claims(const struct vxhci *v, const struct slot_dev *d,
			char *err, size_t errlen)
{
	char name[96], other[96];

	slot_dev_name(d, name, sizeof(name));
	if (v->stopped) {
		snprintf(err, errlen,
			 "%s: the controller is stopped for a snapshot: "
			 "resume it first",
			 name);
		return -EBUSY;
	}
	for (const struct embed_dev *w = v->devs; w; w = w->next) {
		if (w->leaving)
			continue;
		slot_dev_name(&w->d, other, sizeof(other));
		if (slot_dev_same_claim(&w->d, d)) {
			snprintf(err, errlen,
				 "%s: %s claims the same: detach that first",
				 name, other);
			return -EEXIST;
		}
		if (d->at != 0 && w->d.at == d->at) {
			snprintf(err, errlen,
				 "%s: port %u is kept for %s: give it another "
				 "port",
				 name, d->at, other);
			return -EBUSY;
		}
	}
	if (d->at == 0 || xhci_port_is_free(v->x, d->at))
		return 0;
	snprintf(err, errlen, "%s: port %u is taken: give it another port",
		 name, d->at);
	return -EBUSY;
}

/* With the lock. @dev is freed on failure, @fd is not closed. */
static int attach_locked(struct vxhci *v, struct slotopt *o, const char *rule,
			 struct usb_dev *dev, int fd, char *err, size_t errlen,
			 unsigned *ret_id)
{
	struct vxhci_device told;
	struct embed_dev *w = NULL;
	int r = check_claims(v, &o->dev[0], err, errlen);

	if (r == 0) {
		w = embed_dev_add(v, &o->dev[0], o->reset, rule);
		r = w != NULL ? 0 : -ENOSPC;
		if (r < 0)
			snprintf(err, errlen,
				 "xhci: more than %u devices are asked for: "
				 "detach some",
				 EMBED_MAX_DEVS);
	}
	if (r < 0) {
		if (dev != NULL)
			dev->ops->free(dev);
		return r;
	}
	r = embed_dev_plug(v, w, dev, fd, err, errlen);
	if (r < 0) {
		/* hostusb may have told of its end already */
		w = find_id(v, v->last_id);
		if (w != NULL)
			embed_dev_drop(v, w);
		return r;
	}
	w->text = o->text;
	o->text = NULL;
	*ret_id = w->id;
	if (w->dev != NULL) {
		tell_builtin(w, &told);
		emit(v, VXHCI_DEVICE_ATTACHED, &told);
	}
	return 0;
}

/* Whose the descriptors are: the device's, or its files' */
static int take_fds(struct slot_dev *d, const int *fds, unsigned n,
		    const char *device, char *err, size_t errlen)
{
	if (slot_dev_is_physical(d)
		    ? !d->below && n == 1
		    : d->kind == SLOT_STORAGE && n == d->nluns + 1u) {
		d->fd1 = fds[0] + 1;
		for (unsigned i = 1; i < n; i++)
			d->lun[i - 1].fd1 = fds[i] + 1;
		return 0;
	}
	snprintf(err, errlen,
		 "%s: is no single device of the host, and no storage with %u "
		 "files: name what the descriptors are of",
		 device, n);
	return -EINVAL;
}

static int attach(struct vxhci *v, const char *device, const char *rule,
		  const int *fds, unsigned n, char *err, size_t errlen,
		  unsigned *ret_id)
{
	struct hostusb *usb = NULL;
	struct usb_dev *dev = NULL;
	struct slotopt o;
	int r = slotopt_parse_device(device, &v->opt, err, errlen, &o), fd = -1;

	if (r < 0)
		return r;
	if (n > 0)
		r = take_fds(&o.dev[0], fds, n, device, err, errlen);
	if (slot_dev_is_physical(&o.dev[0]))
		fd = o.dev[0].fd1 - 1;
	if (r == 0)
		r = embed_dev_open(v, &o.dev[0], err, errlen, &dev);
	if (r == 0) {
		pthread_mutex_lock(&v->plug_lock);
		if (dev == NULL)
			r = embed_need_usb(v, &usb, err, errlen);
		if (r == 0) {
			embed_enter(v);
			embed_give_usb(v, usb);
			r = attach_locked(v, &o, rule ? rule : "attach", dev,
					  fd, err, errlen, ret_id);
			embed_leave(v);
		}
		pthread_mutex_unlock(&v->plug_lock);
	}
	slotopt_free(&o);
	if (r == 0)
		embed_wake(v);
	return r;
}

int vxhci_attach(struct vxhci *v, const char *device, const char *rule,
		 char *errbuf, size_t errlen, unsigned *ret_id)
{
	return attach(v, device, rule, NULL, 0, errbuf, errlen, ret_id);
}

int embed_attach_fds(struct vxhci *v, const int *fds, unsigned n,
		     const char *device, const char *rule, char *errbuf,
		     size_t errlen, unsigned *ret_id)
{
	return attach(v, device, rule, fds, n, errbuf, errlen, ret_id);
}

int vxhci_attach_fd(struct vxhci *v, int fd, const char *device,
		    const char *rule, char *errbuf, size_t errlen,
		    unsigned *ret_id)
{
	if (fd < 0) {
		snprintf(errbuf, errlen,
			 "%s: no descriptor came with it: "
			 "hand over an open one",
			 device);
		return -EINVAL;
	}
	return attach(v, device, rule, &fd, 1, errbuf, errlen, ret_id);
}

/* Returns how many were told to go. */
static int detach_id(struct vxhci *v, unsigned id)
{
	struct embed_dev *w = find_id(v, id);

	if (w == NULL || w->leaving)
		return 0;
	if (slot_dev_is_physical(&w->d)) {
		/* told when it has ended, which may be now: @w is gone then */
		return v->usb != NULL ? (int)hostusb_remove(v->usb, id) : 0;
	}
	w->leaving = true;
	return pmapper_detach(v->pm, w->port) == 0;
}

static int detach_port(struct vxhci *v, unsigned port)
{
	struct usb_match m = {.kind = MATCH_ADDR};
	struct vxhci_device d;

	if (!find_port(v, port, &d))
		return 0;
	if (d.bus == 0)
		return detach_id(v, d.id);
	m.bus = d.bus;
	m.addr = d.address;
	return (int)hostusb_leave(v->usb, &m);
}

static int detach_named(struct vxhci *v, const struct slot_dev *d)
{
	struct embed_dev *w, *next;
	char name[96], other[96];
	struct usb_match m = {0};
	int n = 0;

	slot_dev_name(d, name, sizeof(name));
	for (w = v->devs; w; w = next) {
		next = w->next;
		slot_dev_name(&w->d, other, sizeof(other));
		if (strcmp(name, other) == 0)
			n += detach_id(v, w->id);
	}
	if (n > 0 || !slot_dev_is_physical(d) || v->usb == NULL)
		return n;
	embed_match(d, &m);
	return (int)hostusb_leave(v->usb, &m);
}

/* A number and nothing else; 0: it is none */
static unsigned whole_number(const char *s)
{
	unsigned n = 0;

	if (*s == '\0')
		return 0;
	for (; *s >= '0' && *s <= '9' && n < 100000000u; s++)
		n = n * 10 + (unsigned)(*s - '0');
	return *s == '\0' ? n : 0;
}

int vxhci_detach(struct vxhci *v, const char *which, char *errbuf,
		 size_t errlen)
{
	unsigned id = which[0] == '#' ? whole_number(which + 1) : 0;
	unsigned port = whole_number(which);
	struct slotopt o = {0};
	int r = 0;

	if (id == 0 && port == 0)
		r = slotopt_parse_device(which, &v->opt, errbuf, errlen, &o);
	if (r < 0)
		return r;
	pthread_mutex_lock(&v->plug_lock);
	embed_enter(v);
	if (id != 0)
		r = detach_id(v, id);
	else if (port != 0)
		r = detach_port(v, port);
	else
		r = detach_named(v, &o.dev[0]);
	embed_leave(v);
	pthread_mutex_unlock(&v->plug_lock);
	slotopt_free(&o);
	embed_wake(v);
	if (r > 0)
		return r;
	snprintf(errbuf, errlen,
		 "%.80s: no such device in controller %s: see "
		 "its status",
		 which, v->opt.slot);
	return -ENOENT;
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
	const struct embed_dev *w = find_id(f->v, s->tag);

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
			tell_builtin(w, &buf[f.used]);
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
			.device = find_port(v, i, &d) ? d.id : 0,
		};
	}
	embed_leave(v);
	return nports;
}
