/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_dev.c - from the devices of a slot option to devices in ports.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/storage.h"

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

/* No row: not in this version. */
static dev_open *const openers[SLOT_NKINDS] = {
	[SLOT_STORAGE] = open_storage,
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

static int plug_device(struct vxhci *v, const struct slot_dev *d, char *err,
		       size_t errlen)
{
	struct usb_dev *dev = NULL;
	char name[96],
		why[SLOTOPT_MAX_FILE + 512] = "cannot be opened: see the log";
	unsigned port;
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
	r = pmapper_attach(v->pm, dev, d->at, &port);
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
