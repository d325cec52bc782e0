/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usbip_desc.h - the descriptors of usbip_dev: one interface with bulk,
 * isochronous and interrupt endpoints in both directions in its alternate
 * settings 1 and 2, none in 0 (USB 2.0 §5.6.3). Ids of the Linux gadget zero.
 */
#ifndef TESTS_HOST_USBIP_DESC_H
#define TESTS_HOST_USBIP_DESC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* enum usb_device_speed of Linux, as vhci_hcd's attach wants it */
enum speed { FULL = 2, HIGH = 3, SUPER = 5 };

#define EP_BULK 1
#define EP_ISOC 2
#define EP_INT 3

struct ep_kind {
	uint8_t number, attributes, interval, burst;
	uint16_t max_packet;
	uint16_t per_interval; /* super speed */
};

/* Each kind at each speed; 1 ms between isochronous packets */
static inline struct ep_kind ep_kind(enum speed s, unsigned ep)
{
	static const struct ep_kind full[] = {
		{EP_BULK, 2, 0, 0, 64, 0},
		/* with all endpoints less than 90 % of a frame (§5.11.3) */
		{EP_ISOC, 5, 1, 0, 448, 0},
		{EP_INT, 3, 1, 0, 64, 0},
	};
	static const struct ep_kind high[] = {
		{EP_BULK, 2, 0, 0, 512, 0},
		/* high bandwidth: two transactions of 1024 (§9.6.6) */
		{EP_ISOC, 5, 4, 0, 0x0c00, 0},
		{EP_INT, 3, 4, 0, 1024, 0},
	};
	static const struct ep_kind super[] = {
		{EP_BULK, 2, 0, 3, 1024, 0},
		{EP_ISOC, 5, 4, 2, 1024, 3072},
		{EP_INT, 3, 4, 0, 1024, 1024},
	};

	ep -= EP_BULK;
	return s == FULL ? full[ep] : s == HIGH ? high[ep] : super[ep];
}

static inline size_t put(uint8_t *d, const void *src, size_t n)
{
	memcpy(d, src, n);
	return n;
}

static inline size_t put_endpoint(uint8_t *d, enum speed s, unsigned ep,
				  uint8_t dir)
{
	struct ep_kind k = ep_kind(s, ep);
	const uint8_t e[7] = {7,
			      5,
			      (uint8_t)(k.number | dir),
			      k.attributes & 3,
			      (uint8_t)k.max_packet,
			      (uint8_t)(k.max_packet >> 8),
			      k.interval};
	/* USB 3.2 §9.6.7 */
	const uint8_t c[6] = {6,
			      0x30,
			      k.burst,
			      0,
			      (uint8_t)k.per_interval,
			      (uint8_t)(k.per_interval >> 8)};
	size_t n = put(d, e, 7);

	return s == SUPER ? n + put(d + n, c, 6) : n;
}

static inline size_t put_config(uint8_t *d, enum speed s)
{
	uint8_t c[9] = {9, 2, 0, 0, 1, 1, 0, 0x80, 1};
	size_t n = 9;

	for (uint8_t alt = 0; alt < 3; alt++) {
		const uint8_t i[9] = {9, 4, 0, alt, alt ? 6 : 0, 0xff, 0, 0, 0};

		n += put(d + n, i, 9);
		for (unsigned ep = EP_BULK; alt && ep <= EP_INT; ep++) {
			n += put_endpoint(d + n, s, ep, 0x80);
			n += put_endpoint(d + n, s, ep, 0);
		}
	}
	c[2] = (uint8_t)n;
	c[3] = (uint8_t)(n >> 8);
	put(d, c, 9);
	return n;
}

static inline size_t put_device(uint8_t *d, enum speed s)
{
	uint8_t v[18] = {18,   1,    0,    2, 0, 0, 0, 64, 0x25,
			 0x05, 0xa0, 0xa4, 0, 1, 0, 0, 0,  1};

	if (s == SUPER) {
		v[3] = 3;
		v[7] = 9; /* 2^9 */
	}
	return put(d, v, 18);
}

/* Binary object store: USB 2.0 extension and SuperSpeed (USB 3.2 §9.6.2) */
static inline size_t put_bos(uint8_t *d)
{
	const uint8_t b[22] = {5, 15, 22, 0, 2, 7,  16, 2, 2,  0,   0,
			       0, 10, 16, 3, 0, 14, 0,  1, 10, 255, 7};

	return put(d, b, 22);
}

#endif
