/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_dev.c - from the devices of a slot option to devices in ports.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/audio.h"
#include "devices/camera.h"
#include "devices/hid.h"
#include "devices/storage.h"
#include "devices/zero.h"

_Static_assert((int)SLOT_RESET_DEVICE == (int)HOSTUSB_RESET_DEVICE &&
		       (int)SLOT_RESET_NEVER == (int)HOSTUSB_RESET_NEVER,
	       "the option's words are passed on as they are");
_Static_assert(SLOTOPT_MAX_PATH == USB_MAX_DEPTH, "a path fits");

/*
 * What opens a kind of device. Returns 0 and the device, or NULL for it where
 * it is not there yet: a physical device's opener leaves its rule with
 * hostusb, which attaches it to v->pm when it appears. On failure -errno and
 * in @err what is wrong and what to do, without the device's name.
 */
typedef int dev_open(struct vxhci *v, const struct slot_dev *d, char *err,
		     size_t errlen, struct usb_dev **ret_dev);

/* Its errors begin with the path, which the device's name has already. */
static int open_storage(struct vxhci *v, const struct slot_dev *d, char *err,
			size_t errlen, struct usb_dev **ret_dev)
{
	size_t n = strlen(d->file);
	int r;

	(void)v;
	r = storage_open(d->file, d->readonly, d->speed, ret_dev, err, errlen);
	if (r < 0 && strncmp(err, d->file, n) == 0 &&
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

/* One for all physical devices of the controller, with the first of them */
static int need_hostusb(struct vxhci *v, char *err, size_t errlen)
{
	char owner[64];

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
	return hostusb_create(v->pm, &embed_hostusb_ops, v, owner, err, errlen,
			      &v->usb);
}

static void match_from_option(const struct slot_dev *d, struct usb_match *m)
{
	m->bus = d->bus;
	switch (d->kind) {
	case SLOT_ADDR:
		m->kind = MATCH_ADDR;
		m->addr = d->devaddr;
		break;
	case SLOT_PATH:
		m->kind = d->below ? MATCH_BELOW : MATCH_PATH;
		m->npath = d->path_len;
		memcpy(m->path, d->path, sizeof(m->path));
		break;
	default:
		m->kind = MATCH_ID;
		m->vid = d->vendor;
		m->pid = d->product;
		if (d->serial != NULL)
			snprintf(m->serial, sizeof(m->serial), "%s", d->serial);
	}
}

static int open_physical(struct vxhci *v, const struct slot_dev *d, char *err,
			 size_t errlen, struct usb_dev **ret_dev)
{
	struct hostusb_rule rule = {
		.at = d->at,
		.reset = (enum hostusb_reset)v->opt.reset,
	};
	int r = need_hostusb(v, err, errlen);

	if (r < 0)
		return r;
	slot_dev_name(d, rule.name, sizeof(rule.name));
	match_from_option(d, &rule.match);
	*ret_dev = NULL;
	return hostusb_add_rule(v->usb, &rule, err, errlen);
}

/* No row: not in this version. */
static dev_open *const openers[SLOT_NKINDS] = {
	[SLOT_ADDR] = open_physical, [SLOT_PATH] = open_physical,
	[SLOT_ID] = open_physical,   [SLOT_STORAGE] = open_storage,
	[SLOT_ZERO] = open_zero,     [SLOT_TABLET] = open_hid,
	[SLOT_AUDIO] = open_audio,   [SLOT_CAMERA] = open_camera,
	[SLOT_KEYBOARD] = open_hid,  [SLOT_MOUSE] = open_hid,
};

static const char *attach_error(int r)
{
	switch (r) {
	case -ENOSPC:
		return "no free port fits its speed: raise usb2= or usb3=";
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
	for (unsigned i = 0; i < v->opt.ndevs; i++)
		if (v->opt.dev[i].at == port)
			return true;
	return false;
}

static int attach_device(struct vxhci *v, struct usb_dev *dev, unsigned at)
{
	unsigned n = xhci_nports(v->x), port;

	if (at != 0)
		return pmapper_attach(v->pm, dev, at, &port);
	for (unsigned i = 1; i <= n; i++)
		if (!port_is_kept(v, i) &&
		    pmapper_attach(v->pm, dev, i, &port) == 0)
			return 0;
	return -ENOSPC;
}

static int plug_device(struct vxhci *v, const struct slot_dev *d, char *err,
		       size_t errlen)
{
	struct usb_dev *dev = NULL;
	char name[96],
		why[SLOTOPT_MAX_FILE + 512] = "cannot be opened: see the log";
	int r = -EINVAL;

	slot_dev_name(d, name, sizeof(name));
	if (openers[d->kind] == NULL) {
		snprintf(err, errlen, "%s: not in this version: leave it out",
			 name);
		return r;
	}
	r = openers[d->kind](v, d, why, sizeof(why), &dev);
	if (r < 0) {
		snprintf(err, errlen, "%s: %s", name, why);
		return r;
	}
	if (dev == NULL)
		return 0;
	r = attach_device(v, dev, d->at);
	if (r < 0) {
		snprintf(err, errlen, "%s: %s", name, attach_error(r));
		dev->ops->free(dev);
	}
	return r;
}

/* Those with at= first, so that no other device has their port. */
int embed_plug_devices(struct vxhci *v, char *err, size_t errlen)
{
	for (int placed = 1; placed >= 0; placed--) {
		for (unsigned i = 0; i < v->opt.ndevs; i++) {
			const struct slot_dev *d = &v->opt.dev[i];
			int r = 0;

			if ((d->at != 0) == (placed != 0))
				r = plug_device(v, d, err, errlen);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
