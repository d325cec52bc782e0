/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/config.h"

#include <errno.h>
#include <libusb.h>
#include <stdlib.h>

/* Call with each alternate setting of @d */
#define FOR_ALTS(d, i, a, s)                                               \
	for (unsigned i = 0; i < (d)->bNumInterfaces; i++)                 \
		for (int a = 0; a < (d)->interface[i].num_altsetting; a++) \
			for (const struct libusb_interface_descriptor *s = \
				     &(d)->interface[i].altsetting[a];     \
			     s; s = NULL)

/*
 * USB 2.0 §5.5.3 to §5.8.3, USB 3.2 §9.6.6: there is no larger packet, whatever
 * a descriptor says.
 */
#define MAX_PACKET 1024u

static uint16_t packet_size(const struct libusb_endpoint_descriptor *e)
{
	uint16_t size = e->wMaxPacketSize & 0x7ffu;

	return size < MAX_PACKET ? size : MAX_PACKET;
}

/*
 * Bytes a service interval: high speed has up to two more transactions a
 * microframe (USB 2.0 §9.6.6), SuperSpeed bursts (USB 3.2 §9.6.7). With
 * SuperSpeedPlus the companion's total is in a descriptor libusb does not
 * know; 0 then means that there is no such limit.
 */
static uint32_t max_interval(struct libusb_context *ctx,
			     const struct libusb_endpoint_descriptor *e)
{
	struct libusb_ss_endpoint_companion_descriptor *c;
	uint32_t packet = packet_size(e), burst, mult;

	if (libusb_get_ss_endpoint_companion_descriptor(ctx, e, &c) != 0)
		return packet * (1u + ((e->wMaxPacketSize >> 11) & 3u));
	burst = c->bMaxBurst & 0xfu;
	mult = c->bmAttributes & 3u;
	if ((e->bmAttributes & 3u) != USB_ISOCH)
		mult = 0;
	else if (c->bmAttributes & 0x80u)
		packet = 0;
	libusb_free_ss_endpoint_companion_descriptor(c);
	return packet * (burst + 1u) * (mult + 1u);
}

static void add_ep(struct config *c, struct libusb_context *ctx,
		   const struct libusb_interface_descriptor *s,
		   const struct libusb_endpoint_descriptor *e)
{
	struct config_ep *to = &c->ep[c->neps];

	if ((e->bEndpointAddress & 0xfu) == 0)
		return;
	to->ep = e->bEndpointAddress & (USB_DIR_IN | 0xfu);
	to->type = e->bmAttributes & 3u;
	if (to->type == USB_CONTROL)
		return;
	to->iface = s->bInterfaceNumber;
	to->alt = s->bAlternateSetting;
	to->interval = e->bInterval;
	to->max_packet = packet_size(e);
	to->max_interval = 0;
	if (to->type == USB_ISOCH || to->type == USB_INTERRUPT)
		to->max_interval = max_interval(ctx, e);
	c->neps++;
}

int config_create(struct libusb_context *ctx,
		  const struct libusb_config_descriptor *d, struct config **ret)
{
	struct config *c;
	size_t neps = 0;

	FOR_ALTS(d, i, a, s)
	neps += s->bNumEndpoints;
	if (neps > CONFIG_MAX_EPS)
		neps = CONFIG_MAX_EPS;
	c = calloc(1, sizeof(*c) + neps * sizeof(c->ep[0]));
	if (!c)
		return -ENOMEM;
	c->value = d->bConfigurationValue;
	FOR_ALTS(d, i, a, s)
	{
		if (s->bInterfaceNumber >= CONFIG_MAX_IFACES) {
			c->skipped++;
			continue;
		}
		c->ifaces |= 1u << s->bInterfaceNumber;
		for (unsigned e = 0; e < s->bNumEndpoints && c->neps < neps;
		     e++)
			add_ep(c, ctx, s, &s->endpoint[e]);
	}
	*ret = c;
	return 0;
}

const struct config_ep *config_find(const struct config *c, const uint8_t *alt,
				    uint8_t ep)
{
	for (unsigned i = 0; c && i < c->neps; i++) {
		const struct config_ep *e = &c->ep[i];

		if (e->ep == ep && e->alt == alt[e->iface])
			return e;
	}
	return NULL;
}
