/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/device.h"

enum start isoch_start(struct host_dev *hd, struct host_ep *ep,
		       struct usb_xfer *t, enum usb_status *ret_status)
{
	(void)hd;
	(void)ep;
	(void)t;
	*ret_status = USB_ERROR;
	return START_FAILED;
}

bool isoch_cancel(struct host_ep *ep, struct usb_xfer *t)
{
	(void)ep;
	(void)t;
	return false;
}

void isoch_cut(struct host_ep *ep, enum urb_cut why)
{
	(void)ep;
	(void)why;
}

bool isoch_busy(const struct host_ep *ep)
{
	(void)ep;
	return false;
}

void isoch_free(struct host_ep *ep)
{
	(void)ep;
}
