/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.h - what goes through the mapper, as records of USB traffic.
 *
 * A record is what Linux's usbmon gives and Wireshark reads, link type 220
 * (LINKTYPE_USB_LINUX_MMAPPED), little endian whatever this machine is: a
 * header of 64 bytes, for an isochronous transfer 16 bytes a packet, the
 * payload. Where the kernel has something that the controller has not, or the
 * other way round:
 *
 *   device    the port's number, 1..
 *   id        tells transfers in flight apart; used again later
 *   status    Linux's errno: 0, -EINPROGRESS at a submission, -EPIPE (stall),
 *             -EPROTO (no answer, CRC), -EOVERFLOW (babble), -ENOENT
 *             (cancelled), -ENODEV (the device is gone, or was taken out),
 *             -ENOMEM; of a packet also -EXDEV (missed, or not yet done),
 *             -ECOMM and -ENOSR (overrun, IN and OUT)
 *   interval  0: the transfer does not know it
 *   start     isochronous: the microframe it was scheduled for;
 *   frame     bulk: the stream id, 0 without streams
 *   flags     0x200 (URB_DIR_IN) or 0
 *
 * The payload of an isochronous IN transfer is without the gaps behind short
 * packets; each packet's offset says where its bytes are in the record.
 */
#ifndef PMAPPER_TAP_H
#define PMAPPER_TAP_H

#include "pmapper/pmapper.h"

#define TAP_LINKTYPE 220u
#define TAP_HEADER 64u     /* bytes */
#define TAP_DESCRIPTOR 16u /* bytes, one for an isochronous packet */

/* Where records go. None of these may block: the guest waits. */
struct tap_sink_ops {
	/* Nanoseconds since 1970-01-01 UTC */
	uint64_t (*now_ns)(void *sink);
	/*
	 * Room for a record: its first @len of @full bytes, at @at_ns.
	 * NULL: there is none, and the sink has counted it as lost.
	 */
	uint8_t *(*begin)(void *sink, uint64_t at_ns, uint32_t len,
			  uint32_t full);
	/* What begin() returned as @rec has been filled in. */
	void (*end)(void *sink, uint8_t *rec);
};

/* The tap of one controller. Embedded; all set by its owner. */
struct tap {
	const struct tap_sink_ops *ops;
	void *sink;    /* borrowed */
	uint16_t bus;  /* the controller's number, 1.. */
	uint32_t snap; /* bytes of a record that are kept, >= TAP_HEADER */
};

/* For pmapper_set_tap(), with a struct tap. */
extern const struct pm_tap_ops tap_ops;

#endif
