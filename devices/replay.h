/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.h - the built-in device `replay`: it is what a capture of USB traffic
 * says a device was, and answers as that did.
 *
 * Control requests are answered by what they ask: the same setup packet gets
 * the recorded answers in their order, and the last one again when it is asked
 * more often. Each other endpoint (and stream) gives its transfers in order.
 * Stalls, errors, short packets, isochronous packets and the unplug happen as
 * they did; what the host cancelled waits to be cancelled.
 *
 * Across endpoints the order is the recorded one too, so that nothing is
 * answered before what led to it: a transfer waits for those that had ended
 * before it. A guest that leaves some out is waited for a second, and then no
 * more until it has caught up.
 *
 * What is asked and not in the capture is a STALL, and a line in the log. Three
 * things are not: descriptors asked for with another length and the standard
 * requests of USB 2.0 §9.4, which follow from the descriptors; an interrupt IN
 * endpoint that has nothing more to tell, which waits; and an isochronous one,
 * which goes on with empty packets.
 *
 * A reset of the port begins the capture anew.
 */
#ifndef DEVICES_REPLAY_H
#define DEVICES_REPLAY_H

#include "pmapper/pmapper.h"

enum replay_pace {
	REPLAY_RECORDED, /* each transfer takes as long as it did */
	REPLAY_AT_ONCE,
};

struct replay_opt {
	const char *path; /* borrowed */
	uint16_t bus;     /* with addr: which device of the capture */
	uint8_t addr;     /* 0: the one with most data that has descriptors */
	enum usb_speed speed; /* NONE: as its descriptors say */
	enum replay_pace pace;
};

/*
 * replay_open - a device for pmapper_attach(); its ops->free() ends it. On
 * failure -errno, with "what is wrong: what to do" in @err.
 */
int replay_open(const struct replay_opt *o, struct usb_dev **ret_dev, char *err,
		size_t errlen);

#endif
