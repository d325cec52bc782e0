/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage.h - the built-in mass storage device: a SCSI disk over a raw image
 * file or block device: Bulk-Only Transport at full, high and super speed, and
 * at the latter two USB Attached SCSI beside it, with streams at super speed.
 */
#ifndef DEVICES_STORAGE_H
#define DEVICES_STORAGE_H

#include "pmapper/pmapper.h"

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

#endif
