/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_plug.c - devices that come and go while the controller runs: asked
 * for, and taken out.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_ROUNDS \
	64u /* of slices of work, until there is room for one more */

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

/*
 * Devices that were taken out count until the loop has freed them: where that
 * leaves no room, it is done here and now. What they still hold is not waited
 * for.
 */
static void make_room(struct vxhci *v)
{
	bool more = !v->stopped;

	v->quiet = true;
	for (unsigned i = 0; more && i < ROOM_ROUNDS; i++) {
		if (v->ndevs < EMBED_MAX_DEVS && pmapper_has_room(v->pm))
			break;
		more = v->usb && hostusb_run(v->usb, true);
		more = embed_run_slices(v) || more;
	}
	v->quiet = false;
}

static bool some_leave(const struct vxhci *v)
{
	for (const struct embed_dev *w = v->devs; w; w = w->next)
		if (w->leaving)
			return true;
	return false;
}

static int no_room(const struct vxhci *v, char *err, size_t errlen)
{
	if (some_leave(v)) {
		snprintf(err, errlen,
			 "xhci: devices that were taken out are not free yet: "
			 "try again");
		return -EAGAIN;
	}
	snprintf(err, errlen,
		 "xhci: more than %u devices are asked for: detach some",
		 EMBED_MAX_DEVS);
	return -ENOSPC;
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
		make_room(v);
		w = embed_dev_add(v, &o->dev[0], o->reset, rule);
		r = w != NULL ? 0 : no_room(v, err, errlen);
	}
	if (r < 0) {
		if (dev != NULL)
			dev->ops->free(dev);
		return r;
	}
	r = embed_dev_plug(v, w, dev, fd, err, errlen);
	if (r < 0) {
		/* hostusb may have told of its end already */
		w = embed_find(v, v->last_id);
		if (w != NULL)
			embed_dev_drop(v, w);
		return r;
	}
	w->text = o->text;
	o->text = NULL;
	*ret_id = w->id;
	if (w->dev != NULL) {
		embed_tell_builtin(w, &told);
		embed_emit(v, VXHCI_DEVICE_ATTACHED, &told);
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
	struct embed_dev *w = embed_find(v, id);

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

	if (!embed_find_port(v, port, &d))
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
