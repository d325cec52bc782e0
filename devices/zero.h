/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zero.h - the built-in test device: what the Linux gadget zero is, and more.
 *
 * Configuration 3, the first, is source and sink: what is sent to it is
 * checked and thrown away, and it always has data to be read. Configuration 2
 * is loopback: it sends back what it was sent. In both, alternate setting 0 of
 * the interface has a bulk pair of endpoints, 1 also an isochronous pair, and
 * 2 an interrupt pair alone.
 */
#ifndef DEVICES_ZERO_H
#define DEVICES_ZERO_H

#include "pmapper/pmapper.h"

/* What the source sends and the sink of bulk data wants */
enum zero_pattern {
	ZERO_ZEROES = 0,
	ZERO_MOD63 = 1, /* bytes of a packet count from 0 to 62 and again */
	ZERO_ANY = 2,   /* sends zeroes, takes everything */
};

/*
 * zero_open - a device at @speed (USB_SPEED_FULL, _HIGH or _SUPER), ready for
 * pmapper_attach(). Returns 0 and the device, owned by the caller until it is
 * attached and freed through dev->ops->free(); -EINVAL (the speed) or -ENOMEM
 * and in @err one line "what is wrong: what to do".
 */
int zero_open(enum usb_speed speed, enum zero_pattern pattern,
	      struct usb_dev **ret_dev, char *err, size_t errlen);

#endif
