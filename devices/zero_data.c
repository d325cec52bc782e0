/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zero_data.c - source and sink: patterns made, and patterns checked where
 * they lie in guest memory.
 */
#include <string.h>

#include "devices/zero_impl.h"

#define SINK_BUFFER 4096u /* the gadget takes bulk data in such pieces */

void zero_source(const struct zero *z, struct usb_xfer *t, uint32_t off,
		 uint32_t len, uint16_t max_packet)
{
	uint8_t packet[ZERO_PACKET_MAX];

	if (z->pattern != ZERO_MOD63) {
		usb_xfer_fill(t, off, 0, len);
		return;
	}
	for (uint32_t i = 0; i < max_packet; i++)
		packet[i] = (uint8_t)(i % 63);
	while (len > 0) {
		uint32_t n = len < max_packet ? len : max_packet;

		usb_xfer_scatter(t, off, packet, n);
		off += n;
		len -= n;
	}
}

/* Bytes of one run, the first of which is byte @off of the transfer */
static bool run_is_right(const struct zero *z, const uint8_t *p, size_t len,
			 uint32_t off, uint16_t max_packet)
{
	if (z->pattern ==
	    ZERO_ZEROES) /* the first is 0, each as the one before */
		return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
	for (size_t i = 0; i < len; i++)
		if (p[i] != (off + i) % max_packet % 63)
			return false;
	return true;
}

/* Payload bytes [off, off+len) are the pattern; packets begin at byte 0 */
static bool data_is_right(const struct zero *z, const struct usb_xfer *t,
			  uint32_t off, uint32_t len, uint16_t max_packet)
{
	uint32_t at = 0; /* the segment's first byte */

	if (z->pattern == ZERO_ANY)
		return true;
	for (uint32_t i = 0; i < t->nseg && at < off + len; i++) {
		uint32_t seg = (uint32_t)t->seg[i].len;
		uint32_t from = at < off ? off : at;
		uint32_t to = at + seg < off + len ? at + seg : off + len;

		if (from < to && !run_is_right(z, t->seg[i].base + (from - at),
					       to - from, from, max_packet))
			return false;
		at += seg;
	}
	return true;
}

void zero_sink(struct zero *z, struct zero_pipe *p, struct usb_xfer *t)
{
	struct usb_dev *d = &z->g.dev;
	uint32_t done = 0;

	while (done < t->length) {
		uint32_t n = t->length - done;

		if (n > SINK_BUFFER)
			n = SINK_BUFFER;
		if (!data_is_right(z, t, done, n, p->max_packet)) {
			done += n;
			gadget_halt(&z->g, p->ep);
			break;
		}
		done += n;
	}
	usb_dev_complete(d, t, done == t->length ? USB_OK : USB_STALL, done);
}
