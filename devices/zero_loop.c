/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zero_loop.c - packets kept between an OUT and an IN endpoint.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices/zero_impl.h"
#include "emu/snap.h"

int zero_loop_init(struct zero_loop *l)
{
	l->bytes = malloc(ZERO_LOOP_BYTES);
	return l->bytes ? 0 : -ENOMEM;
}

void zero_loop_fini(struct zero_loop *l)
{
	free(l->bytes);
}

void zero_loop_reset(struct zero_loop *l)
{
	l->byte_head = l->nbytes = l->head = l->npackets = 0;
}

bool zero_loop_put(struct zero_loop *l, const struct usb_xfer *t, uint32_t off,
		   uint32_t len)
{
	uint32_t to = (l->byte_head + l->nbytes) % ZERO_LOOP_BYTES;
	uint32_t n = ZERO_LOOP_BYTES - to; /* up to the ring's end */

	if (l->npackets == ZERO_LOOP_PACKETS ||
	    len > ZERO_LOOP_BYTES - l->nbytes)
		return false;
	if (n > len)
		n = len;
	usb_xfer_gather(t, off, l->bytes + to, n);
	usb_xfer_gather(t, off + n, l->bytes, len - n);
	l->len[(l->head + l->npackets) % ZERO_LOOP_PACKETS] = (uint16_t)len;
	l->npackets++;
	l->nbytes += len;
	return true;
}

bool zero_loop_peek(const struct zero_loop *l, uint32_t *ret_len)
{
	if (l->npackets == 0)
		return false;
	*ret_len = l->len[l->head];
	return true;
}

void zero_loop_get(struct zero_loop *l, struct usb_xfer *t, uint32_t off,
		   uint32_t len)
{
	uint32_t packet = l->len[l->head];
	uint32_t n = ZERO_LOOP_BYTES - l->byte_head;

	if (n > len)
		n = len;
	usb_xfer_scatter(t, off, l->bytes + l->byte_head, n);
	usb_xfer_scatter(t, off + n, l->bytes, len - n);
	l->byte_head = (l->byte_head + packet) % ZERO_LOOP_BYTES;
	l->nbytes -= packet;
	l->head = (l->head + 1) % ZERO_LOOP_PACKETS;
	l->npackets--;
}

void zero_loop_snap(struct zero_loop *l, struct snap *s)
{
	uint32_t total = 0, npackets, n;

	if (s->reading)
		zero_loop_reset(l);
	npackets = l->npackets;
	SNAP_MAX(s, npackets, ZERO_LOOP_PACKETS);
	for (uint32_t i = 0; i < npackets && !s->err; i++) {
		uint16_t *len = &l->len[(l->head + i) % ZERO_LOOP_PACKETS];

		SNAP_MAX(s, *len, ZERO_PACKET_MAX);
		total += *len;
	}
	snap_check(s, total <= ZERO_LOOP_BYTES);
	if (s->err)
		return;
	n = ZERO_LOOP_BYTES - l->byte_head; /* up to the ring's end */
	if (n > total)
		n = total;
	snap_bytes(s, l->bytes + l->byte_head, n);
	snap_bytes(s, l->bytes, total - n);
	if (!s->reading || s->err)
		return;
	l->nbytes = total;
	l->npackets = npackets;
}
