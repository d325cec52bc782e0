/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage.h - the built-in mass storage device: a SCSI disk over a raw image
 * file or block device: Bulk-Only Transport at full, high and super speed, and
 * at the latter two USB Attached SCSI beside it, with streams at super speed.
 */
#ifndef DEVICES_STORAGE_H
#define DEVICES_STORAGE_H

#include "devices/image.h"

/*
 * storage_open - a disk over the image at @path, ready for pmapper_attach().
 *
 * The image is locked for as long as the device lives: exclusively, or shared
 * when @readonly. Of a file whose size is not a multiple of 512 bytes the
 * whole blocks are the disk (a warning is logged at the first reset). @speed
 * is USB_SPEED_FULL, _HIGH or _SUPER. The serial number is made from the full
 * path, so that a guest knows the disk again.
 *
 * Returns 0 and the device, owned by the caller until it is attached and freed
 * through dev->ops->free(). On failure -errno, and in @err one line "PATH: what
 * is wrong: what to do". May block on the file: called before the guest runs,
 * or from where that does no harm.
 */
int storage_open(const char *path, bool readonly, enum usb_speed speed,
		 struct usb_dev **ret_dev, char *err, size_t errlen);

/* A logical unit, as it is at first. */
struct storage_lun {
	const char *path; /* borrowed for the call */
	bool readonly;
	bool removable; /* its medium can be changed: storage_change() */
};
/* The same with @n (1 to SCSI_LUNS) logical units. */
int storage_open_luns(const struct storage_lun *luns, unsigned n,
		      enum usb_speed speed, struct usb_dev **ret_dev, char *err,
		      size_t errlen);

bool storage_is(const struct usb_dev *d);
/*
 * storage_change - take out the medium of unit @lun, and put in @img, which was
 * opened with image_open(); NULL: none. The guest is told with its next command.
 * On success @img belongs to the device, and *ret_old to the caller (its fd is
 * -1 if there was none). -ENXIO: no such unit. -EINVAL: it is not removable.
 * -EACCES: the guest does not want that; with @force it is not asked. -EBUSY:
 * the guest has commands under way, try again.
 */
int storage_change(struct usb_dev *d, unsigned lun, const struct image *img,
		   bool force, struct image *ret_old);

#endif
