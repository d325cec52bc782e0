/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_media.c - the media of built-in disks, changed while the guest runs.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "devices/storage.h"

/* A guest's commands end by themselves in a moment, if they do. */
#define TRIES 25u
#define TRY_NS 10000000

static int change_now(struct vxhci *v, unsigned port, unsigned lun,
		      const struct image *img, bool force, struct image *ret)
{
	struct usb_dev *d;
	int r = -ENODEV;

	embed_enter(v);
	d = pmapper_device(v->pm, port);
	if (d != NULL && storage_is(d))
		r = storage_change(d, lun, img, force, ret);
	embed_leave(v);
	return r;
}

static const char *change_error(int r)
{
	switch (r) {
	case -ENODEV:
		return "no storage is in this port: see the status for ports";
	case -ENXIO:
		return "it has no unit of this number: count them from 0";
	case -EINVAL:
		return "its medium is fixed: write storage=FILE,removable";
	case -EACCES:
		return "the guest uses the medium and has locked it: let the "
		       "guest unmount it, or force it";
	default:
		return "the guest has commands under way: try again";
	}
}

static int change(struct vxhci *v, unsigned port, unsigned lun,
		  const struct image *img, bool force, char *err, size_t errlen)
{
	const struct timespec wait = {.tv_nsec = TRY_NS};
	struct image old = {.fd = -1};
	int r = -EBUSY;

	for (unsigned i = 0; i < TRIES && r == -EBUSY; i++) {
		if (i > 0)
			nanosleep(&wait, NULL);
		r = change_now(v, port, lun, img, force, &old);
	}
	if (r < 0) {
		snprintf(err, errlen, "port %u: %s", port, change_error(r));
		return r;
	}
	if (old.fd >= 0 && !old.readonly)
		fdatasync(old.fd);
	if (old.fd >= 0)
		image_close(&old);
	return 0;
}

int vxhci_media_insert(struct vxhci *v, unsigned port, unsigned lun,
		       const char *path, bool readonly, bool force, char *err,
		       size_t errlen)
{
	struct image img;
	int r = image_open(path, readonly, &img, err, errlen);

	if (r < 0)
		return r;
	r = change(v, port, lun, &img, force, err, errlen);
	if (r < 0)
		image_close(&img);
	return r;
}

int vxhci_media_eject(struct vxhci *v, unsigned port, unsigned lun, bool force,
		      char *err, size_t errlen)
{
	return change(v, port, lun, NULL, force, err, errlen);
}
