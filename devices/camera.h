/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * camera.h - the built-in test camera: USB Video Class 1.0 at high speed, YUY2
 * frames of 160 by 120 pixels, 30 a second.
 *
 * Each 32-bit word of a frame is 65536 times the number of the frame plus the
 * word's place in it, little endian. Frames count from 1 each time the camera
 * is started, one for each that is sent, so that what is missing was lost on
 * its way.
 */
#ifndef DEVICES_CAMERA_H
#define DEVICES_CAMERA_H

#include "pmapper/pmapper.h"

#define CAMERA_WIDTH 160u
#define CAMERA_HEIGHT 120u
#define CAMERA_FRAME_BYTES (CAMERA_WIDTH * CAMERA_HEIGHT * 2u)

/*
 * camera_open - a camera at @speed (USB_SPEED_HIGH), ready for
 * pmapper_attach(). Returns 0 and the device, owned by the caller until it is
 * attached and freed through dev->ops->free(); -EINVAL (the speed) or -ENOMEM
 * and in @err one line "what is wrong: what to do".
 */
int camera_open(enum usb_speed speed, struct usb_dev **ret_dev, char *err,
		size_t errlen);

#endif
