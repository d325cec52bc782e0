/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_request.h - requests to a device, as transfer @i of its rig.
 */
#ifndef TESTS_HOSTUSB_REQUEST_H
#define TESTS_HOSTUSB_REQUEST_H

#include "tests/unit/hostusb_rig.h"

static inline struct usb_xfer *set_config(struct dev_rig *t, unsigned i,
					  uint16_t n)
{
	struct usb_xfer *x =
		dev_request(t, i, 0, USB_REQ_SET_CONFIGURATION, n, 0, 0);

	dev_submit_ok(t, x);
	return x;
}

static inline struct usb_xfer *set_interface(struct dev_rig *t, unsigned i,
					     uint16_t n, uint16_t alt)
{
	struct usb_xfer *x =
		dev_request(t, i, 1, USB_REQ_SET_INTERFACE, alt, n, 0);

	dev_submit_ok(t, x);
	return x;
}

static inline struct usb_xfer *clear_halt(struct dev_rig *t, unsigned i,
					  uint16_t ep)
{
	struct usb_xfer *x =
		dev_request(t, i, 2, USB_REQ_CLEAR_FEATURE, 0, ep, 0);

	dev_submit_ok(t, x);
	return x;
}

static inline struct usb_xfer *get_status(struct dev_rig *t, unsigned i)
{
	struct usb_xfer *x =
		dev_request(t, i, 0x80, USB_REQ_GET_STATUS, 0, 0, 2);

	dev_submit_ok(t, x);
	return x;
}

#endif
