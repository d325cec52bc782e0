/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xfer.c - the payload of a transfer: the only copies of payload there are.
 */
#include <string.h>

#include "emu/usb.h"

static _Thread_local uint64_t copied_bytes;          /* a counter, no state */
_Thread_local volatile unsigned usb_mem_fault_count; /* another */

/* The next run of payload, at *off of segment *i; at most @len, 0: the end */
static size_t next_run(const struct usb_xfer *x, uint32_t *i, size_t *off,
		       size_t len, uint8_t **ret_base)
{
	size_t n;

	while (*i < x->nseg && *off >= x->seg[*i].len)
		*off -= x->seg[(*i)++].len;
	if (*i == x->nseg)
		return 0;
	n = x->seg[*i].len - *off;
	if (n > len)
		n = len;
	*ret_base = x->seg[*i].base + *off;
	*off += n;
	return n;
}

size_t usb_xfer_gather(const struct usb_xfer *x, size_t off, void *buf,
		       size_t len)
{
	unsigned faults = usb_mem_faults();
	uint8_t *base, *to = buf;
	size_t n, done = 0;
	uint32_t i = 0;

	while ((n = next_run(x, &i, &off, len - done, &base)) != 0) {
		memcpy(to + done, base, n);
		if (usb_mem_faults() != faults)
			break;
		done += n;
	}
	copied_bytes += done;
	return done;
}

size_t usb_xfer_scatter(struct usb_xfer *x, size_t off, const void *buf,
			size_t len)
{
	unsigned faults = usb_mem_faults();
	const uint8_t *from = buf;
	size_t n, done = 0;
	uint8_t *base;
	uint32_t i = 0;

	while ((n = next_run(x, &i, &off, len - done, &base)) != 0) {
		memcpy(base, from + done, n);
		if (usb_mem_faults() != faults)
			break;
		done += n;
	}
	copied_bytes += done;
	return done;
}

size_t usb_xfer_fill(struct usb_xfer *x, size_t off, int byte, size_t len)
{
	size_t n, done = 0;
	uint8_t *base;
	uint32_t i = 0;

	while ((n = next_run(x, &i, &off, len - done, &base)) != 0) {
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

void usb_mem_fault(void)
{
	usb_mem_fault_count++;
}

uint64_t usb_copied_bytes(void)
{
	return copied_bytes;
}
