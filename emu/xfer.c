/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xfer.c - the payload of a transfer: the only copies of payload there are.
 */
#include <string.h>

#include "emu/usb.h"

static _Thread_local uint64_t copied_bytes; /* a counter, no state */

/* Call fn on each run of payload within [off, off+len). */
#define FOR_PAYLOAD(x, off, len, base, n)                                  \
	for (uint32_t i_ = 0; i_ < (x)->nseg && (len); i_++)               \
		if ((off) >= (x)->seg[i_].len) {                           \
			(off) -= (x)->seg[i_].len;                         \
		} else if (((base) = (x)->seg[i_].base + (off)),           \
			   ((n) = (x)->seg[i_].len - (off)),               \
			   ((n) = (n) < (len) ? (n) : (len)), ((off) = 0), \
			   ((len) -= (n)), 1)

size_t usb_xfer_gather(const struct usb_xfer *x, size_t off, void *buf,
		       size_t len)
{
	uint8_t *base, *to = buf;
	size_t n;

	FOR_PAYLOAD(x, off, len, base, n)
	{
		memcpy(to, base, n);
		to += n;
	}
	n = (size_t)(to - (uint8_t *)buf);
	copied_bytes += n;
	return n;
}

size_t usb_xfer_scatter(struct usb_xfer *x, size_t off, const void *buf,
			size_t len)
{
	const uint8_t *from = buf;
	uint8_t *base;
	size_t n;

	FOR_PAYLOAD(x, off, len, base, n)
	{
		memcpy(base, from, n);
		from += n;
	}
	n = (size_t)(from - (const uint8_t *)buf);
	copied_bytes += n;
	return n;
}

size_t usb_xfer_fill(struct usb_xfer *x, size_t off, int byte, size_t len)
{
	uint8_t *base;
	size_t n, done = 0;

	FOR_PAYLOAD(x, off, len, base, n)
	{
		memset(base, byte, n);
		done += n;
	}
	return done;
}

uint8_t *usb_xfer_flat(const struct usb_xfer *x)
{
	static const uint8_t nothing[1];

	if (x->nseg == 1)
		return x->seg[0].base;
	if (x->nseg == 0) {
		union {
			const uint8_t *c;
			uint8_t *v;
		} u = {nothing};

		return u.v;
	}
	return NULL;
}

uint64_t usb_copied_bytes(void)
{
	return copied_bytes;
}
