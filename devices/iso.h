/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iso.h - an isochronous endpoint of a built-in device: transfers wait for
 * their service interval, and are done in it; after a late wake all that
 * should have been done by then.
 */
#ifndef DEVICES_ISO_H
#define DEVICES_ISO_H

#include "devices/pace.h"
#include "devices/xfer_queue.h"
#include "pmapper/pmapper.h"

struct iso_pipe;

/*
 * A packet of @room bytes at @off of @t, in the service interval at @at_ns.
 * Returns the bytes moved, at most @room.
 */
typedef uint32_t iso_packet_fn(struct iso_pipe *p, struct usb_xfer *t,
			       uint32_t off, uint32_t room, uint64_t at_ns);

struct iso_pipe {
	struct usb_dev *d; /* borrowed: it is embedded in that */
	uint8_t ep;
	uint32_t max_bytes; /* of a service interval */
	iso_packet_fn *packet;
	struct xfer_queue q; /* held; dev_data: when */
	struct pm_timer timer;
	struct pace pace;
};

void iso_init(struct iso_pipe *p, struct usb_dev *d, uint8_t ep,
	      uint32_t max_bytes, uint64_t interval_ns, iso_packet_fn *packet);
void iso_submit(struct iso_pipe *p, struct usb_xfer *t);
void iso_cancel(struct iso_pipe *p, struct usb_xfer *t);
/* End all that is held; no service interval was before what comes then. */
void iso_flush(struct iso_pipe *p, enum usb_status status);
/* usb_dev_ops.ep_enable: the guest's schedule is what paces the endpoint. */
void iso_enable(struct iso_pipe *p, const struct usb_ep_info *info);

#endif
