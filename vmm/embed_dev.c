/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_dev.c - from the devices of a slot option to devices in ports.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/audio.h"
#include "devices/camera.h"
#include "devices/hid.h"
#include "devices/replay.h"
#include "devices/storage.h"
#include "devices/zero.h"
#include "hostusb/discover.h"

_Static_assert((int)SLOT_RESET_DEVICE == (int)HOSTUSB_RESET_DEVICE &&
		       (int)SLOT_RESET_NEVER == (int)HOSTUSB_RESET_NEVER,
	       "the option's words are passed on as they are");
_Static_assert(SLOTOPT_MAX_PATH == USB_MAX_DEPTH, "a path fits");

/*
 * What opens a kind of built-in device. May block; the lock need not be held.
 * Returns 0 and the device, or -errno and in @err what is wrong and what to
 * do, without the device's name.
 */
typedef int dev_open(struct vxhci *v, const struct slot_dev *d, char *err,
		     size_t errlen, struct usb_dev **ret_dev);

static const char *path_or_fd(const char *path, int fd1, char buf[static 32])
{
	if (!fd1)
		return path;
	snprintf(buf, 32, "/dev/fd/%d", fd1 - 1);
	return buf;
}

/* Its errors begin with the path, which the device's name has already. */
static int open_storage(struct vxhci *v, const struct slot_dev *d, char *err,
			size_t errlen, struct usb_dev **ret_dev)
{
	char fds[SLOTOPT_MAX_LUNS][32];
	struct storage_lun luns[SLOTOPT_MAX_LUNS] = {
		{path_or_fd(d->file, d->fd1, fds[0]), d->readonly,
		 d->removable}};
	size_t n = strlen(luns[0].path);
	int r;

	(void)v;
	for (unsigned i = 0; i < d->nluns; i++)
		luns[i + 1] = (struct storage_lun){
			path_or_fd(d->lun[i].file, d->lun[i].fd1, fds[i + 1]),
			d->lun[i].readonly, d->lun[i].removable};
	r = storage_open_luns(luns, d->nluns + 1u, d->speed, ret_dev, err,
			      errlen);
	if (r < 0 && strncmp(err, luns[0].path, n) == 0 &&
	    strncmp(err + n, ": ", 2) == 0)
		memmove(err, err + n + 2, strlen(err + n + 2) + 1);
	return r;
}

static int open_zero(struct vxhci *v, const struct slot_dev *d, char *err,
		     size_t errlen, struct usb_dev **ret_dev)
{
	(void)v;
	return zero_open(d->speed, ZERO_ZEROES, ret_dev, err, errlen);
}

static int open_audio(struct vxhci *v, const struct slot_dev *d, char *err,
		      size_t errlen, struct usb_dev **ret_dev)
{
	(void)v;
	return audio_open(d->speed, ret_dev, err, errlen);
}

static int open_camera(struct vxhci *v, const struct slot_dev *d, char *err,
		       size_t errlen, struct usb_dev **ret_dev)
{
	(void)v;
	return camera_open(d->speed, ret_dev, err, errlen);
}

static int open_hid(struct vxhci *v, const struct slot_dev *d, char *err,
		    size_t errlen, struct usb_dev **ret_dev)
{
	enum hid_kind kind = d->kind == SLOT_KEYBOARD ? HID_KEYBOARD
			     : d->kind == SLOT_MOUSE  ? HID_MOUSE
						      : HID_TABLET;
	int r = hid_open(kind, d->speed, ret_dev, err, errlen);

	if (r == 0)
		embed_input_open(v, *ret_dev);
	return r;
}

static int open_replay(struct vxhci *v, const struct slot_dev *d, char *err,
		       size_t errlen, struct usb_dev **ret_dev)
{
	const struct replay_opt o = {
		.path = d->file,
		.bus = d->dev_bus,
		.addr = d->dev_addr,
		.speed = d->speed,
		.pace = d->at_once ? REPLAY_AT_ONCE : REPLAY_RECORDED,
	};

	(void)v;
	return replay_open(&o, ret_dev, err, errlen);
}

/*
 * One for all physical devices of the controller, with the first of them: made
 * without the lock, and the controller's from embed_give_usb() on, with it.
 */
int embed_need_usb(struct vxhci *v, struct hostusb **ret_new, char *err,
		   size_t errlen)
{
	char owner[64];

	*ret_new = NULL;
	if (v->usb != NULL)
		return 0;
	if (v->own == NULL && v->ops.fd_watch == NULL) {
		snprintf(err, errlen,
			 "this program has no physical devices: "
			 "leave it out");
		return -ENOTSUP;
	}
	snprintf(owner, sizeof(owner), "xhci %s of pid %ld", v->opt.slot,
		 (long)getpid());
	return hostusb_create_shared(v->pm, &embed_hostusb_ops, v, owner,
				     v->share, err, errlen, ret_new);
}

void embed_give_usb(struct vxhci *v, struct hostusb *usb)
{
	if (usb == NULL)
		return;
	v->usb = usb;
	atomic_store(&v->usb_ready, true);
}

/* @fd of one that was handed over, or -1. */
static int plug_physical(struct vxhci *v, const struct embed_dev *w, int fd,
			 char *err, size_t errlen)
{
	struct hostusb_rule rule = {
		.tag = w->id,
		.at = w->d.at,
		.reset = (enum hostusb_reset)w->reset,
	};

	slot_dev_name(&w->d, rule.name, sizeof(rule.name));
	embed_match(&w->d, &rule.match);
	if (fd >= 0)
		return hostusb_add_fd(v->usb, fd, &rule, err, errlen);
	return hostusb_add_rule(v->usb, &rule, err, errlen);
}

/* No row: not in this version. */
static dev_open *const openers[SLOT_NKINDS] = {
	[SLOT_STORAGE] = open_storage, [SLOT_ZERO] = open_zero,
	[SLOT_TABLET] = open_hid,      [SLOT_KEYBOARD] = open_hid,
	[SLOT_MOUSE] = open_hid,       [SLOT_AUDIO] = open_audio,
	[SLOT_CAMERA] = open_camera,   [SLOT_REPLAY] = open_replay,
};

static const char *attach_error(int r)
{
	switch (r) {
	case -ENOSPC:
		return "no free port fits its speed: raise usb2= or usb3=";
	case -EAGAIN:
		return "devices that were taken out are not free yet: try "
		       "again";
	case -EBUSY:
		return "its port is occupied: write another at=";
	case -EINVAL:
		return "its port does not fit its speed: write another at=";
	default:
		return "out of memory: try again";
	}
}

/* A physical device that is not there yet has its port all the same. */
static bool port_is_kept(const struct vxhci *v, unsigned port)
{
	for (const struct embed_dev *w = v->devs; w; w = w->next)
		if (w->d.at == port && !w->leaving)
			return true;
	return false;
}

static int attach_device(struct vxhci *v, struct usb_dev *dev, unsigned at,
			 unsigned *ret_port)
{
	unsigned n = xhci_nports(v->x);

	if (at != 0)
		return pmapper_attach(v->pm, dev, at, ret_port);
	if (!pmapper_has_room(v->pm))
		return -EAGAIN;
	for (unsigned i = 1; i <= n; i++)
		if (!port_is_kept(v, i) &&
		    pmapper_attach(v->pm, dev, i, ret_port) == 0)
			return 0;
	return -ENOSPC;
}

struct embed_dev *embed_dev_add(struct vxhci *v, const struct slot_dev *d,
				enum slot_reset reset, const char *rule)
{
	struct embed_dev **end = &v->devs, *w;

	if (v->ndevs == EMBED_MAX_DEVS)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	w->id = ++v->last_id;
	w->d = *d;
	w->reset = reset;
	discover_text(w->rule, sizeof(w->rule), rule, strlen(rule));
	while (*end)
		end = &(*end)->next;
	*end = w;
	v->ndevs++;
	return w;
}

void embed_dev_drop(struct vxhci *v, struct embed_dev *w)
{
	struct embed_dev **at = &v->devs;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	v->ndevs--;
	free(w->text);
	free(w);
}

int embed_dev_open(struct vxhci *v, const struct slot_dev *d, char *err,
		   size_t errlen, struct usb_dev **ret_dev)
{
	char name[96],
		why[SLOTOPT_MAX_FILE + 512] = "cannot be opened: see the log";
	int r;

	*ret_dev = NULL;
	if (slot_dev_is_physical(d))
		return 0;
	slot_dev_name(d, name, sizeof(name));
	if (openers[d->kind] == NULL) {
		snprintf(err, errlen, "%s: not in this version: leave it out",
			 name);
		return -EINVAL;
	}
	r = openers[d->kind](v, d, why, sizeof(why), ret_dev);
	if (r < 0)
		snprintf(err, errlen, "%s: %s", name, why);
	return r;
}

int embed_dev_plug(struct vxhci *v, struct embed_dev *w, struct usb_dev *dev,
		   int fd, char *err, size_t errlen)
{
	char name[96], why[512] = "";
	int r;

	slot_dev_name(&w->d, name, sizeof(name));
	if (dev == NULL) {
		r = plug_physical(v, w, fd, why, sizeof(why));
		if (r < 0)
			snprintf(err, errlen, "%s: %s", name, why);
		return r;
	}
	r = attach_device(v, dev, w->d.at, &w->port);
	if (r < 0) {
		snprintf(err, errlen, "%s: %s", name, attach_error(r));
		dev->ops->free(dev);
		return r;
	}
	w->dev = dev;
	return 0;
}

static int plug_option(struct vxhci *v, struct embed_dev *w, char *err,
		       size_t errlen)
{
	struct hostusb *usb = NULL;
	struct usb_dev *dev;
	char name[96], why[512] = "";
	int r = embed_dev_open(v, &w->d, err, errlen, &dev);

	if (r < 0)
		return r;
	if (dev == NULL)
		r = embed_need_usb(v, &usb, why, sizeof(why));
	embed_give_usb(v, usb);
	if (r < 0) {
		slot_dev_name(&w->d, name, sizeof(name));
		snprintf(err, errlen, "%s: %s", name, why);
		return r;
	}
	return embed_dev_plug(v, w, dev, -1, err, errlen);
}

/* Those with at= first, so that no other device has their port. */
int embed_plug_devices(struct vxhci *v, char *err, size_t errlen)
{
	for (unsigned i = 0; i < v->opt.ndevs; i++) {
		if (embed_dev_add(v, &v->opt.dev[i], v->opt.reset, "option"))
			continue;
		snprintf(err, errlen, "xhci: out of memory: try again");
		return -ENOMEM;
	}
	for (int placed = 1; placed >= 0; placed--) {
		for (struct embed_dev *w = v->devs; w; w = w->next) {
			int r = 0;

			if ((w->d.at != 0) == (placed != 0))
				r = plug_option(v, w, err, errlen);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
